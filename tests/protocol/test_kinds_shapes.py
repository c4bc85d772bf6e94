"""Values are checked against the declaration: what fits has one form, what does not is named."""

import datetime as dt
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_protocol.kinds import InvalidField, parse, shape, to_wire
from tests.protocol.kinds_texts import (
    FLOW,
    ID,
    create,
    kind,
    of_all,
    refused,
    refused_field,
)

# --- canonical form -------------------------------------------------------------------------------

FILE = {"sha256": "0" * 64, "bytes": 12, "name": "协议.pdf", "type": "application/pdf"}
SAME = [
    ("words", "é 。\n", "é 。\n"),
    ("words", "", ""),
    ("whole", -5, -5),
    ("big", -(2**53), -(2**53)),
    ("yes", False, False),
    ("day", "1900-01-01", "1900-01-01"),
    ("day", "2024-02-29", "2024-02-29"),
    ("day", "2199-12-31", "2199-12-31"),
    ("moment", "2026-01-01T08:30:00+08:00", "2026-01-01T00:30:00Z"),
    ("moment", "2026-01-01t00:30:00z", "2026-01-01T00:30:00Z"),
    ("moment", "2026-01-01T00:30:00.500Z", "2026-01-01T00:30:00.500000Z"),
    ("one", "a", "a"),
    ("some", ["b", "a", "b"], ["a", "b"]),
    ("spot", {"lon": 120, "lat": 32.5}, {"lat": 32.5, "lon": 120.0}),
    ("other", ID.format(1), ID.format(1)),
    ("paper", FILE, FILE),
    ("rows", {ID.format(1): {"words": "x", "at": None}}, {ID.format(1): {"words": "x"}}),
]


@pytest.mark.parametrize(("name", "value", "stored"), SAME)
def test_a_value_that_fits_is_stored_in_its_canonical_form(name: str, value: Any, stored: Any) -> None:
    assert create(**{name: value}) == {name: stored}
    assert of_all().check_values(msgspec.json.encode({name: value})) == {name: stored}


@pytest.mark.parametrize(
    ("json_value", "stored"),
    [
        (b"3", b"3.0"),
        (b"3.0", b"3.0"),
        (b"30e-1", b"3.0"),
        (b"-0.0", b"0.0"),
        (b"-0", b"0.0"),
        (b"1e9", b"1000000000.0"),
    ],
)
def test_a_number_is_always_written_with_a_fraction(json_value: bytes, stored: bytes) -> None:
    raw = b'{"needed":"x","real":%s}' % json_value
    assert of_all().check_create(raw) == b'{"needed":"x","real":%s}' % stored


def test_numbers_inside_points_and_entries_are_canonical_too() -> None:
    raw = (
        b'{"spot":{"lon":-0.0,"accuracy_m":-0.0,"lat":-0.0},'
        b'"rows":{"%s":{"words":"x","cost":-0.0}},"needed":"x"}'
    )
    assert of_all().check_create(raw % ID.format(1).encode()) == (
        b'{"needed":"x","rows":{"%s":{"cost":0.0,"words":"x"}},"spot":{"accuracy_m":0.0,"lat":0.0,"lon":0.0}}'
        % ID.format(1).encode()
    )


def test_a_create_leaves_out_what_says_nothing() -> None:
    assert (
        of_all().check_create(b'{ "words" : null, "some":[], "rows":{}, "needed" : "x" }')
        == b'{"needed":"x"}'
    )


def test_an_edit_clears_and_empties() -> None:
    values = of_all().check_values(b'{"words":null,"some":[],"rows":{},"one":null}')
    assert values == {"words": None, "some": [], "rows": {}, "one": None}


def test_an_edit_carries_only_what_it_names() -> None:
    assert of_all().check_values(b"{}") == {}
    assert of_all().check_values(msgspec.Raw(b'{"yes":true}')) == {"yes": True}


texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
numbers = st.floats(-(2**53), 2**53)
moments = st.datetimes(
    dt.datetime(1901, 1, 1),  # noqa: DTZ001 - the strategy adds the zone
    dt.datetime(2198, 12, 31),  # noqa: DTZ001 - as above
    timezones=st.integers(-14 * 60, 14 * 60).map(lambda minutes: dt.timezone(dt.timedelta(minutes=minutes))),
)
ids = st.uuids(version=4).map(str)
entry = st.fixed_dictionaries({"words": texts.filter(bool)}, optional={"at": moments, "cost": numbers})
records = st.fixed_dictionaries(
    {"needed": st.text("甲乙a", min_size=1, max_size=5)},
    optional={
        "words": texts | st.none(),
        "whole": st.integers(-5, 1000),
        "big": st.integers(-(2**53), 2**53),
        "real": numbers,
        "depth": st.floats(0.5, 9.0),
        "yes": st.booleans(),
        "day": st.dates(dt.date(1900, 1, 1), dt.date(2199, 12, 31)),
        "moment": moments,
        "one": st.sampled_from("ab"),
        "some": st.lists(st.sampled_from("ab"), max_size=4),
        "spot": st.fixed_dictionaries({"lat": st.floats(-90, 90), "lon": st.floats(-180, 180)}),
        "other": ids,
        "rows": st.dictionaries(ids, entry, max_size=3),
    },
)


@given(records, st.randoms(use_true_random=False))
def test_equal_values_have_equal_bytes_however_they_were_written(record: dict[str, Any], random: Any) -> None:
    names = list(record)
    random.shuffle(names)
    canonical = of_all().check_create(to_wire(record))
    spaced = json.dumps(json.loads(to_wire({name: record[name] for name in names})), indent=1).encode()
    assert of_all().check_create(spaced) == canonical
    assert of_all().check_create(canonical) == canonical


@given(records)
def test_create_and_edit_agree_on_the_form(record: dict[str, Any]) -> None:
    raw = to_wire(record)
    stored = json.loads(of_all().check_create(raw))
    edited = of_all().check_values(raw)
    assert {name: value for name, value in edited.items() if value not in (None, [], {})} == {
        name: value for name, value in stored.items() if value not in ([], {})
    }
    again = of_all().check_values(msgspec.json.encode(edited))
    assert msgspec.json.encode(again) == msgspec.json.encode(edited)


@given(records)
def test_keys_are_sorted_at_every_depth(record: dict[str, Any]) -> None:
    def in_order(value: Any) -> bool:
        if isinstance(value, dict):
            return list(value) == sorted(value) and all(in_order(part) for part in value.values())
        return True

    assert in_order(json.loads(of_all().check_create(to_wire(record))))


# --- what is refused ------------------------------------------------------------------------------

RANGE = "from -5 to 1000"
YEARS = "from 1900 to 2199"
WRONG = [
    ("words", b"3", "invalid_field", "expected text, got 3"),
    ("words", b'["x"]', "invalid_field", "got a list of 1"),
    ("words", b'{"x":1}', "invalid_field", "got an object"),
    ("words", b'"\\u0000"', "invalid_field", "NUL"),
    ("words", b'"a\\u0000b"', "invalid_field", "NUL"),
    ("words", b'"\x00"', "invalid_field", "NUL"),
    ("words", b'"\\ud800"', "invalid_field", "lone surrogate"),
    ("words", b'"\\udc00x"', "invalid_field", "lone surrogate"),
    ("words", b'"\xff"', "invalid_field", "not UTF-8"),
    ("words", b'"\xed\xa0\x80"', "invalid_field", "not UTF-8"),
    ("words", b'"' + b"x" * 4001 + b'"', "too_long", "at most 4000 characters, got 4001"),
    ("needed", b'"123456"', "too_long", "at most 5 characters, got 6"),
    ("needed", b'""', "missing_field", "required"),
    ("needed", b"null", "missing_field", "required"),
    ("whole", b"1.0", "invalid_field", RANGE),
    ("whole", b'"1"', "invalid_field", RANGE),
    ("whole", b"true", "invalid_field", "got true"),
    ("whole", b"1001", "invalid_field", "got 1001"),
    ("whole", b"-6", "invalid_field", RANGE),
    ("big", b"9007199254740993", "invalid_field", "to 9007199254740992"),
    ("big", b"18446744073709551616", "invalid_field", "18446744073709551616"),
    ("big", b"9" * 5000, "invalid_field", "a whole number"),
    ("real", b"1e400", "invalid_field", "a number"),
    ("real", b"NaN", "invalid_field", "a number"),
    ("real", b"-Infinity", "invalid_field", "a number"),
    ("real", b"9" * 30, "invalid_field", "a number"),
    ("real", b"false", "invalid_field", "got false"),
    ("depth", b"0.4", "invalid_field", "from 0.5 to 9007199254740992 m"),
    ("yes", b"1", "invalid_field", "true or false"),
    ("yes", b'"true"', "invalid_field", "true or false"),
    ("day", b'"2026-02-30"', "invalid_field", YEARS),
    ("day", b'"0000-01-01"', "invalid_field", "got 0000-01-01"),
    ("day", b'"9999-12-31"', "invalid_field", "got 9999-12-31"),
    ("day", b'"1899-12-31"', "invalid_field", YEARS),
    ("day", b'"2200-01-01"', "invalid_field", YEARS),
    ("day", b'"2026-1-1"', "invalid_field", YEARS),
    ("day", b'"2026-01-01T00:00:00Z"', "invalid_field", YEARS),
    ("day", b"20260101", "invalid_field", YEARS),
    ("moment", b'"2026-01-01T00:00:00"', "invalid_field", "with its offset"),
    ("moment", b'"0000-01-01T00:00:00Z"', "invalid_field", YEARS),
    ("moment", b'"0001-01-01T00:00:00+14:00"', "invalid_field", YEARS),
    ("moment", b'"9999-12-31T23:59:59-14:00"', "invalid_field", YEARS),
    ("moment", b'"1900-01-01T00:00:00+00:01"', "invalid_field", YEARS),
    ("moment", b"1767225600", "invalid_field", YEARS),
    ("one", b'"c"', "invalid_field", "one of the codes b, a, got c"),
    ("one", b'["a"]', "invalid_field", "got a list of 1"),
    ("some", b'"a"', "invalid_field", "a list of codes"),
    ("some", b'["a","c"]', "invalid_field", "got c"),
    ("some", b'["a",null]', "invalid_field", "got null"),
    ("spot", b'{"lat":91,"lon":0}', "invalid_field", "WGS-84"),
    ("spot", b'{"lat":0}', "invalid_field", "lat and lon"),
    ("spot", b'{"lat":0,"lon":0,"crs":"GCJ-02"}', "invalid_field", "WGS-84"),
    ("spot", b'{"lat":0,"lon":0,"accuracy_m":-1}', "invalid_field", "accuracy_m"),
    ("other", b'"01900000-0000-7000-8000-00000000000A"', "invalid_field", "small letters"),
    ("other", b'"01900000-0000-7000-8000-000000000001\\n"', "invalid_field", "a record id"),
    ("other", b'"0190000000007000800000000000000a"', "invalid_field", "a record id"),
    ("paper", b'{"sha256":"00","bytes":1,"name":"x","type":"a/b"}', "invalid_field", "sha256"),
    ("paper", b'{"bytes":1,"name":"x","type":"a/b"}', "invalid_field", "sha256"),
    ("rows", b"[]", "invalid_field", "an object of entry ids"),
    ("rows", b'{"x":{"words":"x"}}', "invalid_field", "expected an entry id"),
]


@pytest.mark.parametrize(("name", "json_value", "code", "reason"), WRONG)
def test_a_value_that_does_not_fit_is_named(name: str, json_value: bytes, code: str, reason: str) -> None:
    error = refused_field(name, json_value) if name != "needed" else refused(b'{"needed":%s}' % json_value)
    assert (error.field, error.code) == (name, code)
    assert reason in error.reason_en
    assert any("一" <= char <= "鿿" for char in error.reason_zh)
    assert error.reason_en in str(error)


@pytest.mark.parametrize(
    ("entry_json", "at", "code", "reason"),
    [
        (b'{"words":3}', "words", "invalid_field", "expected text"),
        (b'{"words":""}', "words", "missing_field", "required"),
        (b"{}", "words", "missing_field", "required"),
        (b'{"words":"x","wrods":1}', "wrods", "unknown_field", "Did you mean words"),
        (b'{"words":"\\u0000"}', "words", "invalid_field", "NUL"),
        (b'{"words":"x","at":"1700-01-01T00:00:00Z"}', "at", "invalid_field", YEARS),
        (b"3", "", "invalid_field", "an object of sub-fields"),
    ],
)
def test_what_is_wrong_in_an_entry_is_named_with_its_path(
    entry_json: bytes, at: str, code: str, reason: str
) -> None:
    error = refused(b'{"needed":"x","rows":{"%s":%s}}' % (ID.format(1).encode(), entry_json))
    assert (error.field, error.code) == ("rows", code)
    assert error.path == f"rows/{ID.format(1)}" + (f"/{at}" if at else "")
    assert reason in error.reason_en


def test_unknown_and_missing_fields_are_named() -> None:
    unknown = refused(b'{"needed":"x","wrods":"y"}')
    assert (unknown.field, unknown.code) == ("wrods", "unknown_field")
    assert "Did you mean words" in unknown.reason_en
    missing = refused(b'{"words":"y"}')
    assert (missing.field, missing.code) == ("needed", "missing_field")


def test_an_edit_cannot_clear_what_is_required_and_may_leave_it_alone() -> None:
    with pytest.raises(InvalidField) as caught:
        of_all().check_values(b'{"needed":null}')
    assert (caught.value.field, caught.value.code) == ("needed", "missing_field")
    assert of_all().check_values(b'{"words":"y"}') == {"words": "y"}


def test_the_state_is_no_field_that_can_be_set() -> None:
    flow = shape(parse(FLOW, "w"))
    with pytest.raises(InvalidField) as caught:
        flow.check_create(b'{"state":"done"}')
    assert (caught.value.field, caught.value.code) == ("state", "unknown_field")
    assert "moves and actions" in caught.value.reason_en
    assert flow.check_create(b"{}") == b"{}"


def test_a_reason_never_quotes_a_text() -> None:
    for name in ("whole", "one", "other", "spot", "moment", "rows"):
        error = refused_field(name, b'"13812345678"')
        assert "13812345678" not in str(error)
        assert "a text of 11 characters" in error.reason_en


def test_a_hostile_name_is_shown_short_and_printable() -> None:
    error = refused(msgspec.json.encode({"needed": "x", "a\n\x1b" + "b" * 10_000: 1}))
    assert error.code == "unknown_field"
    assert len(error.field) < 50
    assert error.field.isprintable()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b"3",
        b'"x"',
        b"{",
        b'{"needed":"x"} x',
        b"\xef\xbb\xbf{}",
        b'{"needed"',
        b"\x00",
        b"\xff",
    ],
)
def test_what_is_no_object_of_fields_is_refused_as_a_whole(raw: bytes) -> None:
    error = refused(raw)
    assert error.code == "invalid_field"
    assert error.field in {"", "needed"}
    with pytest.raises(InvalidField):
        of_all().check_values(raw)


@pytest.mark.parametrize("name", ["words", "rows", "spot", "some", "nothing"])
@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"%s":' % ID.format(1).encode()])
def test_deep_nesting_is_refused(name: str, opening: bytes) -> None:
    error = refused(b'{"needed":"x","%s":%s' % (name.encode(), opening * 100_000))
    assert error.code in {"invalid_field", "unknown_field"}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | ids, inner, max_size=3),
    max_leaves=6,
)
names = st.sampled_from([*kind().fields, "nothing"])


@given(st.dictionaries(names, json_values, max_size=4))
def test_any_json_fits_or_is_refused_by_name(values: dict[str, Any]) -> None:
    """The quick check and the explanation never disagree: what is refused gets a reason of its own."""
    raw = json.dumps(values, allow_nan=True).encode()
    for check in (of_all().check_create, of_all().check_values):
        try:
            check(raw)
        except InvalidField as error:
            assert error.field in {*values, "needed"}  # noqa: PT017 - both outcomes are right
            assert "cannot be read" not in error.reason_en  # noqa: PT017 - as above


@given(st.binary(max_size=60))
def test_any_bytes_fit_or_are_refused(raw: bytes) -> None:
    for around in (b"%s", b'{"needed":%s}', b'{"needed":"%s"}'):
        try:
            stored = of_all().check_create(around % raw)
        except InvalidField:
            continue
        assert json.loads(stored)["needed"]
