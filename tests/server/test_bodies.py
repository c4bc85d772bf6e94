"""Bodies of applications' requests and answers: bounded, compressed both ways, and cut short by the caller."""

import gzip
import json
from collections.abc import AsyncIterator, Iterator
from random import Random
from typing import Any, cast

import httpx2
import pytest
import zstandard
from structlog.testing import capture_logs

from server.app import create_app
from server.bodies import answered
from server.services import Services
from server.settings import Settings
from sync_protocol.limits import Limits
from tests.server.office_server import VILLAGE, OfficeServer, office_server

LIMITS = Limits(body_bytes_max=2_000, plain_bytes_max=8_000)


@pytest.fixture
async def server(database_url: str) -> AsyncIterator[OfficeServer]:
    async with office_server(database_url) as running:
        yield running


def new(note: str = "", key: str = "k1") -> dict[str, Any]:
    return {"kind": "matter", "key": key, "place": VILLAGE, "fields": {"title": "漏水", "narrative": note}}


async def small(server: OfficeServer) -> httpx2.AsyncClient:
    """A client of the same server with small limits."""
    given = server.services
    services = Services(given.engine, given.registry, given.clock, given.random, LIMITS)
    app = create_app(Settings(), services)
    return httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=cast("Any", app)),
        base_url="http://office.test",
        headers={"authorization": f"Bearer {await server.token()}", "content-type": "application/json"},
    )


@pytest.mark.parametrize(
    "method", ["PATCH /v1/records/x", "POST /v1/records", "POST /v1/conflicts/x/resolve"]
)
async def test_a_caller_who_hangs_up_is_no_error_of_the_server(server: OfficeServer, method: str) -> None:
    token = await server.token()
    parts: Iterator[dict[str, Any]] = iter(
        [{"type": "http.request", "body": b'{"kind": "ma', "more_body": True}, {"type": "http.disconnect"}]
    )
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return next(parts)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    verb, path = method.split()
    headers = {"authorization": f"Bearer {token}", "content-length": "500", "if-match": "*"}
    scope = {
        "type": "http", "method": verb, "path": path, "raw_path": path.encode(), "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("1.2.3.4", 5), "server": ("office.test", 80), "scheme": "http", "root_path": "",
        "http_version": "1.1", "asgi": {"version": "3.0"}, "extensions": {},
    }  # fmt: skip
    with capture_logs() as logged:
        await server.app(cast("Any", scope), cast("Any", receive), cast("Any", send))
    assert logged == []
    assert [one["status"] for one in sent if one["type"] == "http.response.start"] == [400]


async def test_a_body_past_the_limit_is_refused_by_name(server: OfficeServer) -> None:
    async with await small(server) as office:
        big = json.dumps(new("水" * 2_000)).encode()

        async def in_parts() -> Any:
            for at in range(0, len(big), 500):
                yield big[at : at + 500]

        for content in (big, in_parts()):
            answer = await office.post("/v1/records", content=content)
            assert (answer.status_code, answer.json()["code"]) == (413, "too_large_request")
            assert "2000 bytes" in answer.json()["detail"]
        fits = await office.post("/v1/records", json=new("水" * 20))
        assert fits.status_code == 201


@pytest.mark.parametrize("encoding", ["zstd", "gzip"])
async def test_a_compressed_body_is_read_and_a_bomb_is_refused(server: OfficeServer, encoding: str) -> None:
    pack = {"zstd": zstandard.ZstdCompressor().compress, "gzip": gzip.compress}[encoding]
    headers = {"content-encoding": encoding}
    async with await small(server) as office:
        body = json.dumps(new("水" * 300)).encode()
        made = await office.post("/v1/records", content=pack(body), headers=headers)
        assert made.status_code == 201
        assert made.json()["fields"]["narrative"] == "水" * 300
        bomb = await office.post("/v1/records", content=pack(b" " * 8_001), headers=headers)
        assert (bomb.status_code, bomb.json()["code"]) == (413, "too_large_request")
        broken = await office.post("/v1/records", content=b"{}", headers=headers)
        assert (broken.status_code, broken.json()["code"]) == (400, "malformed")
        other = await office.post("/v1/records", content=body, headers={"content-encoding": "br"})
        assert (other.status_code, other.json()["code"]) == (415, "unsupported_media")


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [("zstd, gzip", "zstd"), ("gzip", "gzip"), ("gzip, zstd", "zstd"), ("identity", None), ("br", None)],
)
async def test_answers_travel_in_what_the_caller_accepts(
    server: OfficeServer, accepted: str, encoding: str | None
) -> None:
    async with await server.client() as office:
        await office.post("/v1/records", json=new("水渠堵塞" * 200))
        async with office.stream("GET", "/v1/records", headers={"accept-encoding": accepted}) as answer:
            raw = b"".join([part async for part in answer.aiter_raw()])
            assert answer.headers.get("content-encoding") == encoding
        assert int(answer.headers["content-length"]) == len(raw)
        plain = {
            "zstd": lambda: zstandard.ZstdDecompressor().decompressobj().decompress(raw),
            "gzip": lambda: gzip.decompress(raw),
        }.get(str(encoding), lambda: raw)()
        assert json.loads(plain)["records"][0]["fields"]["title"] == "漏水"
        assert encoding is None or (len(raw) < len(plain) / 3 and "ccept-" in answer.headers["vary"])
        short = await office.get("/v1/health/live", headers={"accept-encoding": accepted})
        assert "content-encoding" not in short.headers


async def test_a_narrow_link_is_spared_up_to_a_bound() -> None:
    """Above it, compressing harder would take the processor for half a second and more."""

    async def sizes(bytes_: int) -> tuple[int, int]:
        told = "".join(f"{Random(n).getrandbits(24):06x}，村东水渠漏水。" for n in range(bytes_ // 30 + 1))
        answer = told.encode()[:bytes_]
        both = [await answered(b"{}", answer, sparing=sparing) for sparing in (True, False)]
        return len(both[0]), len(both[1])

    spared, usual = await sizes(2**20)
    assert spared < usual
    spared, usual = await sizes(2**20 + 1)
    assert spared == usual
