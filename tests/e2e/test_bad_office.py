"""Whatever an application sends: a documented refusal, never a fault of the server, and nothing changed."""

import base64
import json
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from tests.e2e.raw import RawDevice, code_of
from tests.e2e.village import TOWN, Village

STRANGE = (
    *("", "\0", "a\0b", "'", "' OR 1=1 --", "%", "𝕏" * 300, "x" * 5_000, "-1", str(2**31), str(2**63)),
    *(str(2**64), str(-(2**63) - 1), "1e999", "NaN", "true", "null", "[]", "..", "now"),
)


def position(*parts: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


POSITIONS = (
    *(position(TOWN, n, "") for n in (2**63 - 1, 2**63, -1, -(2**70), 1.5)),
    *(position(TOWN, 1, name) for name in ("a", "\0", "x" * 4_000)),
    *(position("\0", 1, "\0"), position("", 0, ""), position(), position(TOWN)),
    base64.urlsafe_b64encode(b'["321283104",1,"\xff"]').decode(),
    base64.urlsafe_b64encode(b"[" * 3_000).decode(),
)
LISTS = {
    "/v1/records": "kind place grid village township state number closed deleted since fields after limit",
    "/v1/records/{record}": "fields",
    "/v1/records/{record}/history": "after limit",
    "/v1/records/{record}/actions": "fields",
    "/v1/changes": "since limit own",
    "/v1/conflicts": "status record after limit",
    "/v1/conflicts/{conflict}": "fields",
    "/v1/quarantine": "after limit",
}
WRITES = (
    ("POST", "/v1/records"),
    ("PATCH", "/v1/records/{record}"),
    ("POST", "/v1/records/{record}/actions"),
    ("POST", "/v1/conflicts/{conflict}/resolve"),
    ("POST", "/v1/quarantine/{change}/replay"),
)
DEEP = tuple(b'{"fields":{"title":%s}}' % (b"[" * n + b"]" * n) for n in (500, 950, 985, 1_000, 100_000))
BODIES = (
    *(b"{", b"[]", b"7", b'"x"', b"{}", b'{"fields":', b"\xff\xfe", b"\0", b"{" * 100_000),
    *(b'{"fields":{"a":"\xff"}}', rb'{"fields":{"title":"\ud800"}}', rb'{"reason":"\ud800"}'),
    *(rb'{"reason":"\u0000"}', rb'{"key":"\u0000","kind":"\u0000","place":"\u0000"}'),
    *DEEP,
)
VALUES = (
    *(b"1e999", b"-1e999", b"1" + b"0" * 30, b"1" + b"0" * 5_000, b"true", b"[]", b'"\\u0000"'),
    *(b'"' + b"x" * 70_000 + b'"', b'{"a":{"b":1}}', b'[1,"x",null]', b'"0000-01-01T00:00:00Z"'),
    *(b'"9999-12-31T23:59:59-12:00"', b'"0001-01-01T00:00:00+14:00"', b"9223372036854775808"),
)
FIELDS = ("title", "note", "households", "depth", "visits", "tags", "measures", "state", "nope", "", "a/b")
ENTRIES = (
    *(b'{"append":[{}]}', b'{"append":[{"id":7,"text":"x"}]}', b'{"append":[{"id":[],"text":1}]}'),
    *(b'{"append":[{"text":"\\u0000"}]}', b'{"edit":{"x":{"text":"y"}}}', b'{"edit":{"\\u0000":{}}}'),
    *(b'{"nope":1}', b'{"append":[{"id":"\\u0000","text":"x"}]}'),
)
PLACES = (b'"\\u0000"', b'"321283104203999"', b'"321283105203001"', b"7", b'"' + b"3" * 100_000 + b'"')


class Office:
    """A township with a conflict and a quarantined change, and what must not change in it."""

    def __init__(self, village: Village) -> None:
        self.village = village
        one, other = RawDevice(village, "王芳"), RawDevice(village, "李强")
        report = {"name": "report", "from": "draft", "to": "reported"}
        well, wrong = one.create(act=report), one.create(fields={"title": 7})
        one.sync(well, wrong)
        record = well["record"]
        other.sync(other.change(record=record, base=1, fields={"households": 3}))
        one.sync(one.change(record=record, base=1, fields={"households": 4}))
        conflict = village.office("GET", "/v1/conflicts")["conflicts"][0]["id"]
        self.names = {"record": record, "conflict": conflict, "change": wrong["id"]}
        self.before = village.rows()

    def refuses(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> int:
        response = self.village.ask(method, path.format(**self.names), body, headers)
        if response.status >= 400:
            code_of(response)
        assert response.status < 500, (method, path[:200], (body or b"")[:200], headers, response.body)
        return response.status


@pytest.fixture
def office(village: Village) -> Iterator[Office]:
    prepared = Office(village)
    yield prepared
    assert village.rows() == prepared.before


def test_query_strings(office: Office) -> None:
    for path, names in LISTS.items():
        for at, name in enumerate(names.split()):
            # All of the positions, and of the rest every other, in turns: this is time's measure, not danger's.
            strange = (*STRANGE, *POSITIONS) if name in {"after", "since"} else STRANGE[at % 2 :: 2]
            for value in (*map(quote, strange), "%00", "%ff%fe", "1&" + name):
                office.refuses("GET", f"{path}?{name}={value}")
    for wait in ("NaN", "-1", "-inf", "-1e400", "x"):
        office.refuses("GET", f"/v1/changes?wait_s={wait}&since=now&limit=1")


def test_ids(office: Office) -> None:
    for strange in (*map(quote, STRANGE), "%ff", "%2e%2e%2f", position(TOWN, 1, "")):
        for path in ("/v1/records/{}", "/v1/records/{}/history", "/v1/records/{}/actions"):
            office.refuses("GET", path.format(strange))
        office.refuses("GET", f"/v1/conflicts/{strange}")
        assert office.refuses("PATCH", f"/v1/records/{strange}", b"{}", {"if-match": "*"}) >= 400
        assert office.refuses("POST", f"/v1/conflicts/{strange}/resolve", b'{"value":1}') >= 400
        assert office.refuses("POST", f"/v1/quarantine/{strange}/replay", b"{}") >= 400


def test_headers(office: Office) -> None:
    title = b'{"fields":{"title":7}}'
    for strange in (*(s for s in STRANGE if s.isascii() and "\0" not in s), 'W/"x"', '"' * 100, '"1", "2"'):
        assert office.refuses("PATCH", "/v1/records/{record}", title, {"if-match": strange}) >= 400
        named = {"if-match": "*", "idempotency-key": strange}
        assert office.refuses("PATCH", "/v1/records/{record}", title, named) >= 400
        resolve = "/v1/conflicts/{conflict}/resolve"
        assert office.refuses("POST", resolve, b'{"value":-1}', {"if-match": strange}) >= 400
        assert office.refuses("GET", "/v1/records", None, {"authorization": strange}) == 401
        assert office.refuses("GET", "/v1/records", None, {"authorization": f"Bearer {strange}"}) == 401
    for headers in (
        {"content-type": "text/plain"},
        {"content-type": ""},
        {"content-encoding": "gzip"},
        {"content-type": "multipart/form-data; boundary=x"},
        {"content-type": "application/x-msgpack"},
    ):
        for method, path in WRITES:
            assert office.refuses(method, path, b"\x80{", {"if-match": '"1"', **headers}) >= 400


def test_bodies(office: Office) -> None:
    seen = {"if-match": '"1"'}
    for body in BODIES:
        for method, path in WRITES:
            says_nothing = method == "PATCH" and body in {b"{}", rb'{"reason":"\u0000"}'}
            if not says_nothing and not (path.endswith("replay") and body == b"{}"):
                assert office.refuses(method, path, body, seen) >= 400, (path, body[:50])


def test_values(office: Office) -> None:
    seen, create = {"if-match": '"1"'}, b'"key":"","kind":"well","place":"321283104203001"'
    says = [b'"fields":{"%s":%s}' % (name.encode(), value) for name in FIELDS for value in VALUES]
    says += [b'"entries":{"%s":%s}' % (name.encode(), edit) for name in FIELDS for edit in ENTRIES]
    for at, one in enumerate(says):
        # A value may be one that its field allows; then the rest is what is wrong.
        body = (b'{%s,"place":"321283104203999"}', b'{%s,"action":"nope"}', b"{%s," + create + b"}")[at % 3]
        method, path = WRITES[(1, 2, 0)[at % 3]]
        assert office.refuses(method, path, body % one, seen) >= 400
        if at % 4 == 0:
            replay = b'{%s,"place":"321283104203999"}' % one
            assert office.refuses("POST", "/v1/quarantine/{change}/replay", replay) >= 400
    for place in PLACES:
        for method, path in WRITES:
            assert office.refuses(method, path, b'{"place":%s}' % place, seen) >= 400
    for kind in ('"well"', '"\\u0000"', '""', '"' + "x" * 500 + '"'):
        for version in ("1", "0", "-1", "2147483648", "9223372036854775808", "1e3"):
            wanted = f'{{"kind":{kind},"key":"k","place":"321283104203999","version":{version}}}'
            assert office.refuses("POST", "/v1/records", wanted.encode()) >= 400
    for choice in (
        *('{"value":"x"}', '{"value":9223372036854775808}', '{"value":1.5}', '{"value":[[]]}', "{}"),
        *('{"pick":"x"}', '{"pick":"\\u0000"}', '{"value":1,"pick":"x"}', '{"value":5,"reason":"\\u0000"}'),
        '{"value":-1}',
    ):
        assert office.refuses("POST", "/v1/conflicts/{conflict}/resolve", choice.encode()) >= 400
    for correction in (
        *('{"discard":true}', '{"discard":true,"reason":""}', '{"discard":"x"}', '{"fields":{"title":null}}'),
        *('{"discard":true,"reason":"x","fields":{"a":1}}', '{"fields":{"title":[[1]]}}'),
    ):
        assert office.refuses("POST", "/v1/quarantine/{change}/replay", correction.encode()) >= 400


def test_methods(office: Office) -> None:
    for path in ("/v1/records", "/v1/sync", "/v1/devices/enrol", "/v1/records/{record}", "/nope"):
        for method in ("PUT", "DELETE", "TRACE", "BREW"):
            assert office.refuses(method, path) in {404, 405}
