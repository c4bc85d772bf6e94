"""Whatever a device sends: its documented code, nothing half-applied, nothing lost, nothing leaked.

A broken frame refuses the request and leaves every table as it was. A broken change waits in quarantine under
its id, and the sound ones before and after it in the same request are applied (G6).
"""

import gzip
import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
import zstandard

from client_sdk import Response
from sync_protocol import signing
from sync_protocol.limits import DEFAULTS
from tests.e2e.raw import PLAIN, SYNC, RawDevice, code_of
from tests.e2e.village import GRID, NEXT_GRID, OTHER_TOWN, TOWN, Village

SECRET = "周某某家中有难处"
"""Stands in what is sent, and must not stand in any reason."""
OTHERS = "李某某要求保密"
"""Stands in a record of somebody else."""


@pytest.fixture
def device(village: Village) -> RawDevice:
    return RawDevice(village, "王芳")


# --- frames --------------------------------------------------------------------------------------


def refused(response: Response, status: int, code: str) -> None:
    assert code_of(response) == (status, code), response.body
    text = response.body.decode()
    assert SECRET not in text
    assert OTHERS not in text


def sound(device: RawDevice, **more: Any) -> bytes:
    return device.body(device.create(fields={"title": SECRET}), **more)


def test_a_request_cut_at_any_byte_is_refused_whole(village: Village, device: RawDevice) -> None:
    whole = sound(device)
    before = village.rows()
    packed = {"zstd": zstandard.compress(whole), "gzip": gzip.compress(whole)}
    for length in range(len(whole)):
        refused(device.send(whole[:length]), 400, "malformed")
    for encoding, body in packed.items():
        for length in range(0, len(body), 5):
            response = device.send(body[:length], content_encoding=encoding)
            if response.status != 200:  # the last bytes of a stream say nothing but that it ends
                refused(response, 400, "malformed")
            else:
                assert length > len(body) - 12
                return
    assert village.rows() == before


FRAMES: dict[str, Callable[[RawDevice], bytes]] = {
    "nothing": lambda _: b"",
    "no JSON": lambda _: b"<html>login</html>",
    "an array": lambda _: b"[]",
    "null": lambda _: b"null",
    "two documents": lambda d: sound(d) + sound(d),
    "bad UTF-8 in the nonce": lambda d: sound(d, nonce="@@").replace(b"@@", b"\xff\xfe"),
    "a lone surrogate in the nonce": lambda d: sound(d, nonce="@@").replace(b"@@", rb"\ud800"),
    "a NUL in the nonce": lambda d: sound(d, nonce="a\0b"),
    "an empty nonce": lambda d: sound(d, nonce=""),
    "a long nonce": lambda d: sound(d, nonce="x" * 201),
    "a long client": lambda d: sound(d, client="x" * 201),
    "a NUL in the client": lambda d: sound(d, client="\0"),
    "an epoch that is no UUID": lambda d: sound(d, epoch="1"),
    "an epoch in capitals": lambda d: sound(d, epoch=d.epoch.upper()),
    "now past 53 bits": lambda d: sound(d, now=2**53 + 1),
    "now past 64 bits": lambda d: sound(d, now="@").replace(b'"@"', b"9" * 30),
    "now with 5000 digits": lambda d: sound(d, now="@").replace(b'"@"', b"9" * 5_000),
    "now a fraction": lambda d: sound(d, now=1.5),
    "now a text": lambda d: sound(d, now="1"),
    "lowest far below": lambda d: sound(d, lowest=-(2**60)),
    "page_bytes past 64 bits": lambda d: sound(d, page_bytes="@").replace(b'"@"', b"9" * 25),
    "a cursor of another type": lambda d: sound(d, cursor=7),
    "a list for reread": lambda d: sound(d, reread=[[GRID]]),
    "changes no list": lambda d: msgspec.json.encode({**d.frame([]), "changes": {}}),
    "too many changes": lambda d: d.body(*[b"{}"] * (DEFAULTS.changes_max + 1)),
    "a frame nested too deeply": lambda d: sound(d, reread="@").replace(b'"@"', b"[" * 5_000 + b"]" * 5_000),
    "a text that never ends": lambda _: b'{"changes":["' + b'\\"' * 500_000 + b"}",
}


def test_a_broken_frame_is_refused_and_leaves_no_trace(village: Village, device: RawDevice) -> None:
    before = village.rows()
    for name, build in FRAMES.items():
        body, began = build(device), time.monotonic()
        response = device.send(body)
        assert code_of(response) == (400, "malformed"), name
        assert SECRET not in response.body.decode(), name
        assert time.monotonic() - began < 5, name
    refused(device.send(sound(device, protocol="2099-01-01")), 400, "unsupported_protocol")
    assert village.rows() == before
    assert device.sync(device.create(n=1)).verdicts[0].result == "applied"


def test_sizes_and_bombs(village: Village, device: RawDevice) -> None:
    """Bodies past the limit as they travel, and past the limit once unpacked, in a few KB."""
    before = village.rows()
    spaces = b" " * (DEFAULTS.plain_bytes_max + 1)
    bomb = {"zstd": zstandard.compress(spaces), "gzip": gzip.compress(spaces)}
    for encoding, body in bomb.items():
        assert len(body) < 100_000
        refused(device.send(body, content_encoding=encoding), 413, "too_large_request")
    frames = zstandard.compress(b" " * 2**20) * 40
    refused(device.send(frames, content_encoding="zstd"), 413, "too_large_request")
    refused(device.send(b" " * (DEFAULTS.body_bytes_max + 1)), 413, "too_large_request")
    refused(device.send(gzip.compress(gzip.compress(b"{}")), content_encoding="gzip"), 400, "malformed")
    window = zstandard.ZstdCompressor(
        compression_params=zstandard.ZstdCompressionParameters(window_log=31, enable_ldm=True)
    ).compress(b"{}" * 10)
    refused(device.send(window, content_encoding="zstd"), 400, "malformed")
    for encoding, body in (("zstd", b"\xff" * 50), ("gzip", b"\x1f\x8b" + b"\0" * 50), ("zstd", b"")):
        refused(device.send(body, content_encoding=encoding), 400, "malformed")
    for encoding in ("br", "deflate", "gzip, zstd", "x" * 500, "ZSTD1"):
        refused(device.send(sound(device), content_encoding=encoding), 415, "unsupported_media")
    assert village.rows() == before
    just = sound(device).ljust(DEFAULTS.body_bytes_max)
    assert device.send(just).status == 200


def test_who_signs_and_who_does_not(village: Village, device: RawDevice) -> None:
    other = RawDevice(village, "李强")
    before = village.rows()
    body = sound(device)
    signed = device.headers(body)

    def send(headers: dict[str, str], path: str = SYNC, sent: bytes = body) -> Response:
        return village.link.exchange("POST", path, headers, sent)

    for missing in (signing.DEVICE_HEADER, signing.SERIAL_HEADER, signing.SIGNATURE_HEADER):
        left = {name: value for name, value in signed.items() if name != missing}
        refused(send(left), 401, "unauthorised")
        for strange in (
            "",
            "x",
            "1.5",
            "-1",
            "9" * 40,
            "٣",
            "=" * 10,
            "." * 10,
            "a.b",
            f"{TOWN}.",
            f"{TOWN}.x",
        ):
            if not strange.isascii():
                continue
            assert code_of(send({**signed, missing: strange}))[0] == 401, (missing, strange)
    for device_id in (
        f"{OTHER_TOWN}.{device.id}",
        f"000000000.{device.id}",
        f"{TOWN}.{village.new_id()}",
        f"{TOWN}.{other.id}",
        f"{GRID}.{device.id}",
    ):
        assert code_of(send({**signed, signing.DEVICE_HEADER: device_id}))[0] == 401
    unknown = send({**signed, signing.DEVICE_HEADER: f"{TOWN}.{village.new_id()}"})
    wrong = send({**signed, signing.SIGNATURE_HEADER: signing.encode_bytes(b"\1" * 64)})
    assert unknown.body == wrong.body  # which of the two it was is not told
    refused(send({**signed, signing.SERIAL_HEADER: "999"}), 401, "signature_invalid")
    refused(send(signed, sent=body + b" "), 401, "signature_invalid")
    refused(send({**signed, signing.SIGNATURE_HEADER: "AA"}), 401, "signature_invalid")
    assert village.rows() == before
    assert send(signed).status == 200


def test_enrolment_takes_nothing_strange(village: Village) -> None:
    code, before = village.code("赵敏"), village.rows()
    key = "iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w"
    good = {"protocol": "2026-11-21", "code": code, "public_key": key}
    strange: dict[str, tuple[Any, ...]] = {
        "public_key": ("", "x", key + "A", "é" * 43, key[:-1], "=" * 43, 7, None),
        "client": ("\0", "x" * 201, 7),
        "protocol": ("", "2099-01-01", 7),
        "code": (7, None, []),
    }
    bodies: list[Any] = [{**good, name: value} for name, values in strange.items() for value in values]
    for asked in (*bodies, [], 7, None, "x"):
        response = village.link.exchange("POST", "/v1/devices/enrol", PLAIN, msgspec.json.encode(asked))
        assert code_of(response)[0] == 400
    for body in (b"", b"{", b"\xff", rb'{"protocol":"\ud800"}', b"[" * 100_000):
        assert code_of(village.link.exchange("POST", "/v1/devices/enrol", PLAIN, body))[0] == 400
    for wrong in ("", "\0", "AAAA-AAAA", "x" * 10**6, "١٢٣٤-٥٦٧٨", "𝕏" * 8):
        body = msgspec.json.encode({**good, "code": wrong})
        assert code_of(village.link.exchange("POST", "/v1/devices/enrol", PLAIN, body)) == (
            403,
            "code_invalid",
        )
    assert village.rows() == before


# --- changes -------------------------------------------------------------------------------------


def with_raw(change: dict[str, Any], **raw: bytes) -> bytes:
    """A change with members given as JSON, sound or not."""
    body = msgspec.json.encode({name: value for name, value in change.items() if name not in raw})
    return body[:-1] + b"".join(b',"%s":%s' % (name.encode(), value) for name, value in raw.items()) + b"}"


def title(raw: bytes) -> Callable[[RawDevice, str], bytes]:
    return lambda d, _: with_raw(d.create(), fields=b'{"title":%s,"note":"%s"}' % (raw, SECRET.encode()))


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


def skip(device: RawDevice, raw: bytes) -> bytes:
    """An element without a counter: it takes the next."""
    device.n += 1
    return raw


def test_each_bad_change_waits_in_quarantine_and_blocks_nothing(village: Village) -> None:
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


# --- cursors, serials, who may read --------------------------------------------------------------


def test_a_cursor_that_is_not_ones_own_is_refused_and_the_rest_processed(village: Village) -> None:
    device, other = RawDevice(village, "王芳"), RawDevice(village, "李强", NEXT_GRID)
    far = RawDevice(village, "邻人", f"{OTHER_TOWN}203001")
    other.sync(other.create(place=NEXT_GRID, fields={"title": OTHERS}))
    far.sync(far.create(place=f"{OTHER_TOWN}203001", fields={"title": OTHERS}))
    mine = device.create()
    device.sync(mine)
    own = device.cursor
    assert own is not None
    assert other.cursor is not None
    assert far.cursor is not None
    flipped = own[:40] + ("A" if own[40] != "A" else "B") + own[41:]
    for cursor in (
        *(other.cursor, far.cursor, flipped, own[:-4], own[:10], "", "x", "\0", "é", "\ud7ff", own * 50),
        "A" * 1_000_000,
    ):
        change = device.create()
        answer = device.sync(change, cursor=cursor)
        assert answer.cursor_refused == "cursor_invalid", cursor[:50]
        assert answer.verdicts[0].result == "applied"
        assert answer.page is not None
        assert answer.page.restart == (GRID,)
        assert mine["record"] in {row.id for row in answer.page.records}
        assert OTHERS not in str(answer)
    assert device.sync(cursor=own).cursor_refused is None


def test_an_old_serial_gives_nothing_away(village: Village, device: RawDevice) -> None:
    known = device.create()
    device.sync(known)
    device.sync()
    before = village.rows()
    body = device.body(known, device.create())
    response = device.send(body, serial=1)
    answer = msgspec.json.decode(response.body)
    assert (answer["serial"], answer.get("page"), answer.get("profile")) == (2, None, None)
    assert [verdict["id"] for verdict in answer["verdicts"]] == [known["id"]]
    assert village.rows() == before
    replayed = device.headers(body, serial=2)
    twice = [village.link.exchange("POST", SYNC, replayed, body).status for _ in range(2)]
    assert twice == [200, 200]
    assert village.rows() == before


@pytest.mark.parametrize("how", ["revoked", "disabled"])
def test_who_may_not_read_hands_in(village: Village, how: str) -> None:
    """Failures, row 8: everything into quarantine, in any shape; nothing comes back."""
    device, other = RawDevice(village, "王芳"), RawDevice(village, "李强")
    mine = device.create()
    device.sync(mine)
    other.sync(other.create(fields={"title": OTHERS}))
    if how == "revoked":
        village.revoke(device.id)
    else:
        village.disable("王芳")
    sent: list[Any] = [device.change(record=mine["record"], base=2**50, fields={"title": SECRET})]
    sent += [device.create(), title(rb'"\ud800"')(device, ""), skip(device, b"17")]
    before = village.rows("records")
    answer = device.sync(*sent)
    assert (answer.revoked, answer.page, answer.profile) == (True, None, None)
    assert {v.code for v in answer.verdicts} | {u.code for u in answer.unanswered} == {"revoked_device"}
    assert len(answer.verdicts) + len(answer.unanswered) == 4
    assert OTHERS not in str(answer)
    assert village.rows("records") == before
    waiting = village.quarantine()
    assert {v.id for v in answer.verdicts} | {u.kept for u in answer.unanswered} <= waiting.keys()
    assert device.sync(cursor="x").page is None


def test_frames_may_say_more_than_the_server_knows(village: Village, device: RawDevice) -> None:
    change = device.create()
    answer = device.sync(change, colour="red", changes_total=7, client="例" * 200, queued=2**53)
    assert answer.verdicts[0].result == "applied"
    assert device.sync(reread=[NEXT_GRID, "x", "例", *map(str, range(3_000))]).page is not None
    assert device.sync(page_bytes=-(2**53)).page is not None
    assert device.sync(now=-(2**53), lowest=2**53).page is not None
    late = device.sync(device.create(at=-(2**53), mark=2**53), now=2**53)
    assert late.verdicts[0].result == "applied"
    record = village.ask("GET", f"/v1/records/{change['record']}/history")
    assert record.status == 200
    assert village.ask("GET", "/v1/changes?own=true").status == 200


def test_two_thousand_changes_in_a_request(village: Village, device: RawDevice) -> None:
    sent: list[Any] = [device.create() for _ in range(DEFAULTS.changes_max)]
    sent[1000] = title(rb'"\ud800"')(device, "")
    device.n -= 1
    sent[1000] = sent[1000].replace(b'"n":2001', b'"n":1001')
    answer = device.sync(*sent)
    results = [verdict.result for verdict in answer.verdicts]
    assert (results.count("applied"), results.count("quarantined"), answer.send_from) == (1999, 1, None)
    assert len(village.held(GRID)) == 1999
