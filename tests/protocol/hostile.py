"""What may arrive instead of a change: each is sound JSON, or not quite, inside a sound frame."""

import json
from typing import Any

import msgspec

from sync_protocol.versions import CURRENT

ID = "01900000-0000-7000-8000-{:012}"
EPOCH, RECORD = ID.format(900), ID.format(800)
SECRET = "市民说 13800138000"
"""Stands in what is hostile, and must stand in no reason."""


def frame(*changes: bytes, **more: Any) -> bytes:
    head = {"protocol": CURRENT, "nonce": "n", "epoch": EPOCH, "now": 5} | more
    return msgspec.json.encode(head)[:-1] + b',"changes":[' + b",".join(changes) + b"]}"


def change(number: int = 1, /, **more: Any) -> bytes:
    said = {
        "id": ID.format(number),
        "record": RECORD,
        "kind": "sheet",
        "version": 1,
        "n": number,
        "at": 5,
    } | more
    return json.dumps(said, ensure_ascii=False).encode()


GOOD = [change(n, fields={"subject": f"路{n}", "b": [1.10, None]}) for n in (1, 2, 3)]

LONE = b'"\\ud800' + SECRET.encode() + b'"'
HOSTILE: dict[str, bytes] = {
    "a number": b"5",
    "null": b"null",
    "a text": json.dumps(SECRET).encode(),
    "a list": b"[]",
    "an empty object": b"{}",
    "no id": b'{"record":"%s","kind":"sheet"}' % RECORD.encode(),
    "id of a wrong type": change(9, id=5),
    "id that is no uuid": change(9, id=SECRET),
    "id in capitals": change(9, id=ID.format(9).replace("0000", "ABCD")),
    "id with a NUL": change(9, id=ID.format(9)[:-1] + "\0"),
    "record that is no uuid": change(9, record=SECRET),
    "record of a wrong type": change(9, record=[SECRET]),
    "kind of a wrong type": change(9, kind={"a": SECRET}),
    "kind with a NUL": change(9, kind="she\0et"),
    "version of a wrong type": change(9, version=SECRET),
    "version past 64 bits": change(9, version=2**64),
    "counter past 64 bits": change(9, n=2**64),
    "counter far past 64 bits": change(9, n=10**40),
    "counter as a float": change(9, n=9.5),
    "counter past every float": change(9).replace(b'"n": 9', b'"n": 1e400'),
    "counter below nought": change(9, n=-9),
    "clock past 64 bits": change(9, at=-(2**64)),
    "mark past 64 bits": change(9, mark=2**64),
    "since past 64 bits": change(9, since=-(2**64)),
    "since of a wrong type": change(9, since=SECRET),
    "base past 64 bits": change(9, base=2**64),
    "bases of a wrong type": change(9, bases={"subject": SECRET}),
    "bases past 64 bits": change(9, bases={SECRET: 2**64}),
    "a predecessor that is no uuid": change(9, on={"subject": SECRET}),
    "a create as predecessor that is no uuid": change(9, after=SECRET),
    "a decision on no uuid": change(9, decides=SECRET),
    "an unknown deed": change(9, do=SECRET),
    "an unknown key": change(9, **{SECRET: 1}),
    "a create without a place": change(9, do="create"),
    "a create with operations": change(
        9, do="create", place="p", ops=[{"op": "add", "field": "tags", "value": SECRET}]
    ),
    "a place with a NUL": change(9, place="p\0"),
    "a reason with a NUL": change(9, reason=f"{SECRET}\0"),
    "operations of a wrong type": change(9, ops={"a": SECRET}),
    "an unknown operation": change(9, ops=[{"op": SECRET, "field": "tags"}]),
    "an operation with an unknown key": change(
        9, ops=[{"op": "add", "field": "tags", "value": "a", SECRET: 1}]
    ),
    "too many operations": change(9, ops=[{"op": "add", "field": "tags", "value": SECRET}] * 1_001),
    "a step of a wrong type": change(9, act=SECRET),
    "an increment past every float": change(9).replace(
        b'"at": 5', b'"at": 5, "ops": [{"op": "increment", "field": "groups", "by": 1e400}]'
    ),
    "a lone surrogate in a kind": change(9).replace(b'"sheet"', LONE),
    "a lone surrogate in a value": change(9).replace(
        b'"at": 5', b'"at": 5, "fields": {"subject": %s}' % LONE
    ),
    "a lone surrogate in a key": change(9).replace(b'"at": 5', b'"at": 5, "fields": {%s: 1}' % LONE),
    "a lone surrogate in an id": change(9).replace(b'"01900000-0000-7000-8000-000000000009"', LONE),
    "bytes that are not UTF-8 in a kind": change(9).replace(b"sheet", b"she\xffet"),
    "bytes that are not UTF-8 in a value": change(9, fields={"a": "here"}).replace(b"here", b"\xc3\x28"),
    "an overlong encoding": change(9, fields={"a": "here"}).replace(b"here", b"\xc0\xaf"),
    "a surrogate in UTF-8": change(9, fields={"a": "here"}).replace(b"here", b"\xed\xa0\x80"),
    "deep lists": change(9).replace(
        b'"at": 5', b'"at": 5, "fields": {"a": ' + b"[" * 9_000 + b"]" * 9_000 + b"}"
    ),
    "deep objects": change(9).replace(
        b'"at": 5', b'"at": 5, "fields": {"a": ' + b'{"a":' * 9_000 + b"1" + b"}" * 9_000 + b"}"
    ),
    "deep lists for a change": b"[" * 9_000 + b"]" * 9_000,
    "deep lists for an operation": change(9).replace(
        b'"at": 5', b'"at": 5, "ops": ' + b"[" * 9_000 + b"]" * 9_000
    ),
    "too large": change(9, fields={"a": "路" * 90_000}),
}
"""By name, each with the id `ID.format(9)` as far as it has one."""
IN_ITS_VALUES = {"bytes that are not UTF-8 in a value", "an overlong encoding", "a surrogate in UTF-8"}
"""May be readable: values are the kind's business (tests of shapes refuse these)."""
