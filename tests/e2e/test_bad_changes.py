"""A broken change waits in quarantine under its id; the sound ones around it in the request are applied (G6)."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from sync_protocol.limits import DEFAULTS
from tests.e2e.raw import (
    OTHERS,
    SECRET,
    RawDevice,
    skip,
    title,
    with_raw,
)
from tests.e2e.village import GRID, NEXT_GRID, OTHER_TOWN, Village


@pytest.fixture
def device(village: Village) -> RawDevice:
    return RawDevice(village, "王芳")


def field(name: str, raw: bytes) -> Callable[[RawDevice, str], bytes]:
    return lambda d, _: with_raw(d.create(), fields=b'{"title":"x","%s":%s}' % (name.encode(), raw))


def edit(**parts: Any) -> Callable[[RawDevice, str], bytes]:
    """An edit of a record that is there."""
    return lambda d, record: msgspec.json.encode(d.change(record=record, base=2**50, **parts))


def create(**parts: Any) -> Callable[[RawDevice, str], bytes]:
    return lambda d, _: msgspec.json.encode(d.create(**parts))


def raw_member(**raw: bytes) -> Callable[[RawDevice, str], bytes]:
    return lambda d, _: with_raw(d.create(fields={"title": "x", "note": SECRET}), **raw)


NO_ID = "none"
DEEP = b"[" * 5_000 + b"]" * 5_000
CHANGES: dict[str, tuple[str, Callable[[RawDevice, str], bytes]]] = {
    "a member too many": ("unreadable", create(x=SECRET)),
    "no kind": ("unreadable", create(kind=None)),
    "no record": ("unreadable", create(record=None)),
    "no device time": ("unreadable", create(at=None)),
    "a record that is no id": ("unreadable", create(record="1")),
    "a record in capitals": ("unreadable", create(record="0193B000-0000-7000-8000-0000000AA001")),
    "kind of another type": ("unreadable", create(kind=7)),
    "version a text": ("unreadable", create(version="1")),
    "version 0": ("unreadable", create(version=0)),
    "version past 32 bits": ("unreadable", create(version=2**31)),
    "base below 0": ("unreadable", create(base=-1)),
    "at past 64 bits": ("unreadable", raw_member(at=b"9" * 30)),
    "at past 53 bits": ("unreadable", create(at=2**60)),
    "at a fraction": ("unreadable", create(at=1.5)),
    "mark below 0": ("unreadable", create(mark=-5)),
    "since past 53 bits": ("unreadable", create(since=-(2**60))),
    "since a text": ("unreadable", create(since=SECRET)),
    "do something else": ("unreadable", create(do="destroy")),
    "fields a list": ("invalid_field", create(fields=[SECRET])),
    "fields a text": ("invalid_field", create(fields=SECRET)),
    "fields nested too deeply": ("unreadable", raw_member(fields=b'{"title":' + DEEP + b"}")),
    "a lone surrogate": ("unreadable", title(rb'"\ud83d"')),
    "bad UTF-8 in a value": ("invalid_field", title(b'"\xff\xfe"')),
    "bad UTF-8 in the kind": ("unreadable", raw_member(kind=b'"\xff"')),
    "a lone surrogate as reason": ("unreadable", raw_member(reason=rb'"\udc00"')),
    "a NUL in a value": ("invalid_field", title(rb'"a\u0000b"')),
    "a NUL in the kind": ("unreadable", create(kind="we\0ll")),
    "a NUL in the place": ("unreadable", create(place="\0")),
    "a NUL in the note of a step": (
        "unreadable",
        create(act={"name": "report", "from": "draft", "to": "reported", "note": "\0"}),
    ),
    "a create with operations": ("unreadable", create(ops=[{"op": "add", "field": "tags", "value": "road"}])),
    "a create without a place": ("unreadable", create(place=None)),
    "an operation of no sort": ("unreadable", edit(ops=[{"op": "explode", "field": "tags"}])),
    "a delete that says more": ("unreadable", edit(do="delete", fields={"title": SECRET})),
    "too many operations": (
        "unreadable",
        edit(ops=[{"op": "add", "field": "tags", "value": "road"}] * (DEFAULTS.ops_max + 1)),
    ),
    "unknown kind": ("unknown_kind", create(kind="spaceship")),
    "a kind of 100,000 characters": ("unknown_kind", create(kind="k" * 100_000)),
    "unknown version": ("unknown_version", create(version=2**31 - 1)),
    "unknown field": ("unknown_field", create(fields={"title": "x", "colour": SECRET})),
    "unknown field with a strange name": ("unknown_field", create(fields={"title": "x", SECRET * 30: 1})),
    "title a number": ("invalid_field", title(b"7")),
    "title an object": ("invalid_field", title(b'{"a":1}')),
    "title missing": ("missing_field", create(fields={"note": SECRET})),
    "title null": ("missing_field", title(b"null")),
    "title too long": ("too_long", title(b'"' + b"x" * 101 + b'"')),
    "note past the limit of a field": ("too_long", field("note", b'"' + b"x" * 65_537 + b'"')),
    "a whole number past 64 bits": ("invalid_field", field("households", b"9" * 25)),
    "a whole number of 5,000 digits": ("invalid_field", field("households", b"9" * 5_000)),
    "a whole number below 0": ("invalid_field", field("households", b"-1")),
    "a fraction for a whole number": ("invalid_field", field("households", b"1.5")),
    "a number without end": ("invalid_field", field("depth", b"1e999")),
    "true for a number": ("invalid_field", field("depth", b"true")),
    "a tag that is none": ("invalid_field", field("tags", b'["road","gold"]')),
    "tags that are no list": ("invalid_field", field("tags", b'"road"')),
    "an entry without an id": ("invalid_field", field("measures", b'{"1":{"text":"x"}}')),
    "an entry with an unknown part": (
        "unknown_field",
        field("measures", b'{"0193b000-0000-7000-8000-0000000ee001":{"text":"x","cost":1}}'),
    ),
    "a year 0": ("invalid_field", lambda d, _: matter(d, found_at="0000-01-01T00:00:00Z")),
    "a date before the year 1 in UTC": (
        "invalid_field",
        lambda d, _: matter(d, found_at="0001-01-01T00:00:00+14:00"),
    ),
    "a date after the year 9999 in UTC": (
        "invalid_field",
        lambda d, _: matter(d, found_at="9999-12-31T23:59:59-12:00"),
    ),
    "the 30th of February": ("invalid_field", lambda d, _: matter(d, found_at="2026-02-30T00:00:00Z")),
    "a time without a zone": ("invalid_field", lambda d, _: matter(d, found_at="2026-02-20T00:00:00")),
    "an unknown grid": ("not_in_scope", create(place="321283104203999")),
    "a grid of somebody else": ("not_in_scope", create(place=NEXT_GRID)),
    "a grid of another township": ("not_in_scope", create(place=f"{OTHER_TOWN}203001")),
    "a place that is none": ("not_in_scope", create(place=SECRET)),
    "a record that is not there": (
        "not_in_scope",
        lambda d, _: msgspec.json.encode(d.change(record=d.village.new_id(), fields={"title": SECRET})),
    ),
    "a move": ("not_permitted", edit(place=GRID)),
    "a decision": ("not_permitted", edit(decides="0193b000-0000-7000-8000-0000000ee001")),
    "a step that is none": (
        "not_permitted",
        create(act={"name": "fly", "from": "draft", "to": SECRET}),
    ),
    "a step of the office": (
        "not_permitted",
        edit(act={"name": "return", "from": "reported", "to": "returned"}, reason="x"),
    ),
    "a record that exists": ("record_exists", lambda d, record: msgspec.json.encode(d.create(record=record))),
    "another kind": ("invalid_field", edit(kind="matter", fields={"title": SECRET})),
    "an increment past 31 bits": (
        "invalid_field",
        edit(ops=[{"op": "increment", "field": "visits", "by": 2**31 + 1}]),
    ),
    "an increment of a fraction": (
        "invalid_field",
        edit(ops=[{"op": "increment", "field": "visits", "by": 0.5}]),
    ),
    "an increment past 64 bits": (
        "unreadable",
        lambda d, record: msgspec.json.encode(
            d.change(record=record, ops=[{"op": "increment", "field": "visits", "by": "@"}])
        ).replace(b'"@"', b"9" * 5_000),
    ),
    "an addition to no set": ("invalid_field", edit(ops=[{"op": "add", "field": "title", "value": SECRET}])),
    "an addition to nothing": ("unknown_field", edit(ops=[{"op": "add", "field": SECRET, "value": "x"}])),
    "a set as a value": ("invalid_field", edit(fields={"tags": ["road"]})),
    "an entry id that is none": (
        "invalid_field",
        edit(ops=[{"op": "put", "field": "measures", "entry": SECRET, "values": {"text": "x"}}]),
    ),
    "entries past their limit": (
        "too_many_entries",
        lambda d, record: msgspec.json.encode(d.change(record=record, base=2**50, ops=entries(d, 501))),
    ),
    "a change past its limit": ("too_large", create(fields={"title": "x" * 262_144})),
    "no object": (NO_ID, lambda d, _: skip(d, b'"' + SECRET.encode() + b'"')),
    "null": (NO_ID, lambda d, _: skip(d, b"null")),
    "a number": (NO_ID, lambda d, _: skip(d, b"17")),
    "no id": (NO_ID, create(id=None)),
    "an id that is none": (NO_ID, create(id="1")),
    "an id of another type": (NO_ID, create(id=[1])),
    "nesting without an id": (NO_ID, lambda d, _: skip(d, DEEP)),
}


def matter(device: RawDevice, **fields: Any) -> bytes:
    return msgspec.json.encode(device.create(kind="matter", fields={"title": SECRET, **fields}))


def entries(device: RawDevice, count: int) -> list[dict[str, Any]]:
    return [
        {"op": "put", "field": "measures", "entry": device.village.new_id(), "values": {"text": "x"}}
        for _ in range(count)
    ]


def test_row_4_each_bad_change_waits_in_quarantine_and_blocks_nothing(village: Village) -> None:
    """G1 and G6, for every sort of bad change, between two sound ones."""
    device, other = RawDevice(village, "王芳"), RawDevice(village, "李强", NEXT_GRID)
    theirs = other.create(place=NEXT_GRID, fields={"title": OTHERS})
    mine = device.create(act={"name": "report", "from": "draft", "to": "reported"})
    other.sync(theirs)
    device.sync(mine)
    codes: dict[str, str] = {}
    for name, (expected, build) in CHANGES.items():
        before = village.rows("records", "exits", "conflicts", "receipts")
        first, bad, last = device.create(), build(device, mine["record"]), device.create()
        answer = device.sync(first, bad, last)
        told = {verdict.id: verdict for verdict in answer.verdicts}
        assert [told[one["id"]].result for one in (first, last)] == ["applied", "applied"], name
        if expected == NO_ID:
            (unanswered,) = answer.unanswered
            assert (unanswered.index, unanswered.code) == (1, "unreadable"), name
            kept = unanswered.kept
        else:
            (verdict,) = [v for v in answer.verdicts if v.id not in {first["id"], last["id"]}]
            assert (verdict.result, verdict.code) == ("quarantined", expected), (name, verdict)
            kept = verdict.id
            said = f"{verdict.field} {verdict.reason}"
            assert len(said) < 400, (name, said[:500])
            assert SECRET not in (verdict.reason or ""), (name, said)
            assert OTHERS not in said
        code = codes[kept] = "unreadable" if expected == NO_ID else expected
        row = village.changes()[kept]
        assert (row["result"], row["code"]) == ("quarantined", code)
        if code == "unreadable":
            assert bytes(row["payload"]) == bad, name  # as it came
        after = village.rows("records", "exits", "conflicts", "receipts")
        new = [one for one in after["records"] if one not in before["records"]]
        assert {one[1] for one in new} == {first["record"], last["record"]}, name
        assert {**after, "records": 0} == {**before, "records": 0}, name
    waiting = village.quarantine()
    assert {change: waiting[change]["code"] for change in codes} == codes
    assert "Traceback" not in str(waiting)


def test_a_bad_change_comes_again_and_gets_its_verdict_again(village: Village, device: RawDevice) -> None:
    """G3: a resend of everything, after a lost answer, changes nothing."""
    mine = device.create()
    device.sync(mine)
    sent: list[Any] = []
    for expected, build in CHANGES.values():
        if expected not in {"too_many_entries", NO_ID}:
            sent += [build(device, mine["record"]), msgspec.json.encode(device.create())]
    serial = device.serial
    body = device.body(*sent)
    first = device.send(body)
    before = village.rows()
    again = device.send(body)
    assert (first.status, again.status, serial) == (200, 200, device.serial - 2)
    one, two = (msgspec.json.decode(response.body)["verdicts"] for response in (first, again))
    assert sorted(map(str, ({**verdict, "duplicate": True} for verdict in one))) == sorted(map(str, two))
    after = village.rows()
    assert {**after, "devices": 0} == {**before, "devices": 0}


def test_an_id_that_is_used_again_with_other_content(village: Village, device: RawDevice) -> None:
    """The second content is kept under an id of its own; also where either of the two cannot be read."""
    mine = device.create(fields={"title": "first"})
    device.sync(mine)
    ways = [
        b'{"title":"%s"}' % SECRET.encode(),
        b'{"title":' + DEEP + b"}",
        rb'{"title":"\ud800"}',
        b'"\xff"',
        b"7",
    ]
    for way in ways:
        again = with_raw(device.create(id=mine["id"], record=mine["record"]), fields=way)
        before = village.changes()
        answer = device.sync(again, device.create())
        (verdict,) = [v for v in answer.verdicts if v.id == mine["id"]]
        assert (verdict.result, verdict.code) == ("quarantined", "change_id_reused")
        (kept,) = [
            row for row in village.changes().values() if row["code"] and str(row["change_id"]) not in before
        ]
        assert kept["code"] == "change_id_reused"
        assert str(kept["change_id"]) in village.quarantine()
    assert village.state(mine["record"]).values == {"title": "first"}
    for way in ways[1:]:
        bad = with_raw(device.create(), fields=way)
        name = msgspec.json.decode(with_raw(msgspec.json.decode(bad.split(b',"fields"')[0] + b"}")))["id"]
        device.sync(bad)
        answer = device.sync(device.create(id=name, fields={"title": "other"}), device.create())
        assert {v.code for v in answer.verdicts} == {"change_id_reused", None}


def test_a_bad_change_of_a_record_stands_in_nobodys_way(village: Village, device: RawDevice) -> None:
    """What could not be read names a record; whoever edits that record later is served, and so is the office."""
    mine, other = device.create(), RawDevice(village, "李强")
    device.sync(mine)
    record = mine["record"]
    ways: tuple[dict[str, bytes], ...] = (
        {"fields": b'{"title":' + DEEP + b"}"},
        {"reason": b'"\xff"'},
        {"reason": rb'"\ud800"'},
        {"fields": b'{"title":"\xff"}'},
        {"fields": b'{"title":' + b"[" * 980 + b"]" * 980 + b"}"},
    )
    for n, way in enumerate(ways):
        bad = with_raw(device.change(record=record), **way)
        assert device.sync(bad).verdicts[0].result == "quarantined"
        answer = other.sync(other.change(record=record, base=1, fields={"title": f"title {n}"}))
        assert answer.verdicts[0].result in {"applied", "merged", "conflict"}, way
        for path in ("/v1/quarantine", f"/v1/records/{record}/history", "/v1/changes", "/v1/conflicts"):
            assert village.ask("GET", path).status == 200, (path, way)
