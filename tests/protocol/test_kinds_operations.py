"""Sizes, entries, members and increments; and how values come from Python code."""

import datetime as dt
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_protocol.ids import is_id
from sync_protocol.kinds import InvalidField, Shape, parse, shape, to_wire
from tests.protocol.kinds_texts import (
    ALL,
    ID,
    WELL,
    field,
    kind,
    of_all,
    refused,
)

# --- sizes ----------------------------------------------------------------------------------------


def roomy(most: int = 21_845) -> Shape:
    return shape(parse(WELL + "\n" + field("story", "text", extra=f"max_length = {most}"), "w"))


def test_a_field_holds_64_kib_as_encoded() -> None:
    fits = b'{"story":"%s"}' % ("巡" * 21_844).encode()
    assert roomy().check_create(fits) == fits
    assert roomy().check_values(fits) == {"story": "巡" * 21_844}
    escaped = msgspec.json.encode({"story": '"' * 21_845})
    assert roomy().check_create(escaped) == escaped


@pytest.mark.parametrize(("text", "size"), [("巡" * 21_845, 65_537), ("\U0001f6b6" * 21_845, 87_382)])
def test_a_field_past_64_kib_is_refused_with_its_size(text: str, size: int) -> None:
    raw = msgspec.json.encode({"story": text})
    for check in (roomy().check_create, roomy().check_values):
        with pytest.raises(InvalidField) as caught:
            check(raw)
        assert (caught.value.field, caught.value.code) == ("story", "too_long")
        assert f"at most 65536 bytes encoded, got {size}" in caught.value.reason_en


def test_several_large_fields_fit_together() -> None:
    two = parse(
        WELL
        + "\n"
        + field("story", "text", extra="max_length = 21845")
        + field("more", "text", extra="max_length = 21845"),
        "w",
    )
    raw = b'{"more":"%s","story":"%s"}' % (("巡" * 20_000).encode(), ("记" * 20_000).encode())
    assert shape(two).check_create(raw) == raw


def test_a_text_that_spells_out_an_escape_is_not_a_nul() -> None:
    raw = msgspec.json.encode({"needed": "x", "words": "\\u0000"})
    assert of_all().check_create(raw) == raw
    assert of_all().check_values(raw)["words"] == "\\u0000"


def test_a_list_holds_500_entries() -> None:
    def rows(count: int) -> bytes:
        return msgspec.json.encode(
            {
                "needed": "x",
                "rows": {f"01900000-0000-7000-8000-{n:012}": {"words": "x"} for n in range(count)},
            }
        )

    assert of_all().check_create(rows(500)).count(b"words") == 500
    error = refused(rows(501))
    assert (error.field, error.code) == ("rows", "too_many_entries")
    assert "at most 500 entries, got 501" in error.reason_en


SUB_NOTE = """
[fields.repairs.of.NAME]
type = "text"
privacy = "narrative"
title = { zh = "备注", en = "Note" }
max_length = 21845
"""


# --- operations -----------------------------------------------------------------------------------


def test_a_new_entry_has_what_is_required_and_an_edit_of_one_may_leave_it_out() -> None:
    check = of_all().check_entry
    assert check("rows", b'{"words":"x","cost":3,"at":null}', partial=False) == {"cost": 3.0, "words": "x"}
    assert check("rows", b'{"at":"2026-01-01T08:00:00+08:00","cost":null}', partial=True) == {
        "at": "2026-01-01T00:00:00Z",
        "cost": None,
    }
    with pytest.raises(InvalidField) as caught:
        check("rows", b'{"cost":3}', partial=False)
    assert (caught.value.field, caught.value.path, caught.value.code) == (
        "rows",
        "rows/words",
        "missing_field",
    )
    with pytest.raises(InvalidField) as caught:
        check("rows", b'{"words":null}', partial=True)
    assert (caught.value.path, caught.value.code) == ("rows/words", "missing_field")
    with pytest.raises(InvalidField) as caught:
        check("rows", b"[", partial=True)
    assert (caught.value.field, caught.value.code) == ("rows", "invalid_field")


@pytest.mark.parametrize("name", ["words", "nothing", "some"])
def test_only_lists_of_entries_take_entries(name: str) -> None:
    with pytest.raises(InvalidField) as caught:
        of_all().check_entry(name, b"{}", partial=True)
    assert caught.value.code == ("unknown_field" if name == "nothing" else "invalid_field")
    assert caught.value.field == name


def test_the_sub_fields_of_an_entry_hold_64_kib_together() -> None:
    more = SUB_NOTE.replace("NAME", "more") + SUB_NOTE.replace("NAME", "rest")
    wide = shape(parse(WELL + more, "w"))
    raw = msgspec.json.encode({"more": "巡" * 16_000, "rest": "记" * 16_000})
    with pytest.raises(InvalidField) as caught:
        wide.check_entry("repairs", raw, partial=True)
    assert (caught.value.path, caught.value.code) == ("repairs", "too_long")
    assert str(len(raw)) in caught.value.reason_en


def test_a_sub_field_holds_64_kib() -> None:
    wide = parse(WELL.replace("max_length = 300", "max_length = 21845"), "w")
    raw = msgspec.json.encode({"text": '"' * 20_000 + "巡" * 1_845})
    assert shape(wide).check_entry("repairs", raw, partial=False)
    with pytest.raises(InvalidField) as caught:
        shape(wide).check_entry(
            "repairs", msgspec.json.encode({"text": "\U0001f6b6" * 21_000}), partial=False
        )
    assert (caught.value.field, caught.value.code) == ("repairs", "too_long")


def test_a_member_of_a_set_is_one_of_its_codes() -> None:
    assert of_all().check_element("some", "a") == "a"
    bad: list[tuple[str, object, str]] = [
        ("some", "c", "invalid_field"),
        ("some", 3, "invalid_field"),
        ("some", None, "invalid_field"),
        ("some", ["a"], "invalid_field"),
        ("some", "\ud800", "invalid_field"),
        ("some", object(), "invalid_field"),
        ("words", "a", "invalid_field"),
        ("nothing", "a", "unknown_field"),
    ]
    for name, value, code in bad:
        with pytest.raises(InvalidField) as caught:
            of_all().check_element(name, value)
        assert (caught.value.field, caught.value.code) == (name, code)


def test_an_increment_is_a_number_of_the_fields_type() -> None:
    assert of_all().check_increment("count", -3) == -3
    bad: list[tuple[str, object]] = [
        *[
            ("count", 1.5),
            ("count", True),
            ("count", "1"),
            ("count", None),
            ("count", 2**53 + 1),
            ("count", 2**70),
        ],
        *[("total", 1), ("count", float("nan")), ("count", 10**400)],
        *[("whole", 1), ("words", 1), ("nothing", 1)],
    ]
    for name, n in bad:
        with pytest.raises(InvalidField) as caught:
            of_all().check_increment(name, n)
        assert caught.value.field == name


# --- the cache, ids, and Python values ------------------------------------------------------------


def test_a_shape_is_made_once_for_equal_kinds_and_again_for_others_of_the_same_name() -> None:
    assert shape(parse(ALL, "a")) is shape(parse(ALL, "b"))
    other = parse(ALL.replace("max_length = 5", "max_length = 6"), "c")
    assert other.key == kind().key
    assert shape(other).check_create(b'{"needed":"123456"}') == b'{"needed":"123456"}'
    assert refused(b'{"needed":"123456"}').code == "too_long"


@given(
    st.text(max_size=40)
    | st.uuids().map(str)
    | st.from_regex(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
)
def test_a_reference_takes_what_is_an_id(text: str) -> None:
    raw = msgspec.json.encode({"other": text})
    try:
        of_all().check_values(raw)
    except InvalidField:
        assert not is_id(text)
    else:
        assert is_id(text)


def test_python_values_are_written_as_they_are_meant() -> None:
    east = dt.timezone(dt.timedelta(hours=8))
    raw = to_wire(
        {
            "moment": dt.datetime(2026, 1, 1, 8, tzinfo=east),
            "day": dt.date(2026, 1, 1),
            "some": {"a"},
            "words": Decimal("1.20"),
            "other": UUID(ID.format(1)),
            "rows": {ID.format(1): {"words": "x"}},
            "yes": None,
        }
    )
    assert of_all().check_values(raw) == {
        "moment": "2026-01-01T00:00:00Z",
        "day": "2026-01-01",
        "some": ["a"],
        "words": "1.20",
        "other": ID.format(1),
        "rows": {ID.format(1): {"words": "x"}},
        "yes": None,
    }


NO_JSON: list[Any] = [
    float("nan"),
    float("-inf"),
    dt.datetime(2026, 1, 1),  # noqa: DTZ001 - naive on purpose
    "\ud800",
    {"x": ["\udfff"]},
    {1: "x"},
    object(),
    b"bytes",
]


@pytest.mark.parametrize("value", NO_JSON, ids=lambda value: type(value).__name__)
def test_python_values_without_a_json_of_their_own_are_refused_by_name(value: Any) -> None:
    with pytest.raises(InvalidField) as caught:
        to_wire({"yes": True, "words": value})
    assert (caught.value.field, caught.value.code) == ("words", "invalid_field")


def test_a_list_within_itself_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(InvalidField):
        to_wire({"words": endless})
