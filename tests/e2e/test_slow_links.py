"""Callers who are slow, silent, or gone: they end by their time limits, and hold nothing that others need."""

import asyncio
import socket
import sqlite3
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import httpx2
import msgspec
import pytest
from sqlalchemy import make_url

from client_sdk import HttpTransport
from tests.e2e.processes import serving
from tests.e2e.raw import SYNC, RawDevice
from tests.e2e.village import GRID, Village

pytestmark = pytest.mark.slow
IDLE_S, PATIENCE_S, UNREAD_S = 2, 3, 2
ESTABLISHED = "01"  # include/net/tcp_states.h
TIGHT = {
    "idle_s": IDLE_S,
    "body_patience_s": PATIENCE_S,
    "body_bytes_per_s": 50,
    "unread_s": UNREAD_S,
    "requests_max": 4,
    "pool_size": 2,
}


@pytest.fixture
def device(village: Village) -> RawDevice:
    return RawDevice(village, "王芳")


@contextmanager
def tight(village: Village) -> Iterator[str]:
    """A server process with few places and short patience, where the village's devices go from now on."""
    with serving(village.url, village.folder, **TIGHT) as (url, process):
        inner, village.link = village.link, HttpTransport(url)  # type: ignore[assignment]  # the same seam
        try:
            yield url
            assert process.poll() is None
        finally:
            village.link.close()
            village.link = inner


def connect(url: str, receive_bytes: int | None = None) -> socket.socket:
    link = socket.socket()
    if receive_bytes is not None:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    link.settimeout(20)
    address = urlsplit(url)
    link.connect((address.hostname, address.port))
    return link


def head(device: RawDevice, length: int) -> bytes:
    """The head of a signed sync, as far as anybody can tell before the body is there."""
    lines = [f"{name}: {value}" for name, value in device.headers(b"x").items()]
    return "\r\n".join(
        [f"POST {SYNC} HTTP/1.1", "Host: x", f"Content-Length: {length}", *lines, "", ""]
    ).encode()


def said(link: socket.socket, until_s: float = 20) -> tuple[bytes, float]:
    """Everything until the server hangs up, and after how many seconds it did."""
    began, parts = time.monotonic(), list[bytes]()
    link.settimeout(until_s)
    try:
        while part := link.recv(2**16):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts), time.monotonic() - began


def nothing_is_held(village: Village) -> None:
    """No transaction is open at the database, neither a writing nor a reading one."""
    if village.url.startswith("sqlite"):
        with closing(sqlite3.connect(make_url(village.url).database or "", timeout=0)) as probe:
            probe.execute("BEGIN IMMEDIATE")  # raises when somebody else writes
            probe.execute("UPDATE townships SET counter = counter")
            probe.execute("COMMIT")
            busy, _, _ = probe.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            assert busy == 0, "somebody has a snapshot open"
        return

    async def look() -> list[tuple[str, str]]:
        probe = await asyncpg.connect(village.url.replace("+asyncpg", ""))
        try:
            rows = await probe.fetch(
                "SELECT state, query FROM pg_stat_activity WHERE datname = current_database() "
                "AND pid <> pg_backend_pid() AND xact_start IS NOT NULL"
            )
            return [(row["state"], row["query"]) for row in rows]
        finally:
            await probe.close()

    assert asyncio.run(look()) == []


def syncs_meanwhile(village: Village, device: RawDevice) -> None:
    """A device goes on as if nobody else were there."""
    began = time.monotonic()
    assert device.sync(device.create()).verdicts[0].result == "applied"
    assert time.monotonic() - began < 10
    nothing_is_held(village)


def silent(_: RawDevice) -> bytes:
    return b""


def half_a_head(_: RawDevice) -> bytes:
    return b"POST /v1/sync HT"


def head_alone(device: RawDevice) -> bytes:
    return head(device, 5_000)


def half_a_body(device: RawDevice) -> bytes:
    return head(device, 5_000) + b"{" * 100


@pytest.mark.parametrize(
    ("start", "status", "limit_s"),
    [
        (silent, b"", IDLE_S),
        (half_a_head, b"", IDLE_S),
        (head_alone, b"408", PATIENCE_S),
        (half_a_body, b"408", PATIENCE_S + 2),
    ],
)
def test_who_stops_half_way_is_ended_and_holds_nothing(
    village: Village, device: RawDevice, start: Callable[[RawDevice], bytes], status: bytes, limit_s: int
) -> None:
    with tight(village) as url, ExitStack() as stack:
        links = [stack.enter_context(connect(url)) for _ in range(2 * TIGHT["requests_max"])]
        began = time.monotonic()
        for link in links:
            time.sleep(0.2)  # more of them than places: each must have given its place back
            link.sendall(start(device))
        time.sleep(0.3)
        syncs_meanwhile(village, device)
        for link in links:
            heard, _ = said(link)
            assert heard[9:12] == status, heard[:200]
            assert (b'"code":"too_slow"' in heard) == (status == b"408")
        assert time.monotonic() - began < limit_s + 5


def test_a_body_of_a_few_bytes_a_second_is_ended(village: Village, device: RawDevice) -> None:
    with tight(village) as url, connect(url) as link:
        link.sendall(head(device, 100_000))
        began = time.monotonic()
        answer = b""
        link.settimeout(0.2)
        while time.monotonic() - began < 20 and not answer:
            try:
                link.sendall(b" ")
                answer = link.recv(2**16)
            except TimeoutError:
                continue
        assert answer[9:12] == b"408", answer[:100]
        assert PATIENCE_S - 0.5 < time.monotonic() - began < PATIENCE_S + 4
        syncs_meanwhile(village, device)


def test_a_slow_body_that_keeps_the_pace_is_taken(village: Village, device: RawDevice) -> None:
    """Honest devices on bad links: longer than the patience, but never below the slowest pace."""
    body = device.body(device.create(fields={"title": "水" * 100}))
    head_of_it = "\r\n".join(
        [f"POST {SYNC} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}"]
        + [f"{name}: {value}" for name, value in device.headers(body).items()]
        + ["Connection: close", "", ""]
    )
    with tight(village) as url, connect(url) as link:
        link.sendall(head_of_it.encode())
        pieces = 20
        for n in range(pieces):
            link.sendall(body[len(body) * n // pieces : len(body) * (n + 1) // pieces])
            time.sleep((PATIENCE_S + 1) / pieces)
        heard, _ = said(link)
    assert heard[9:12] == b"200", heard[:300]
    assert b'"result":"applied"' in heard


def test_who_disappears_in_the_middle_of_a_body_leaves_nothing(village: Village, device: RawDevice) -> None:
    with tight(village) as url:
        for _ in range(5 * TIGHT["requests_max"]):
            with connect(url) as link:
                link.sendall(half_a_body(device))
                link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
        time.sleep(1)  # a body that dawdles keeps its place for a quarter of a second
        syncs_meanwhile(village, device)
        assert httpx2.get(f"{url}/v1/health/ready", timeout=10).status_code == 200


def test_who_never_reads_the_answer_is_ended_and_holds_nothing(village: Village, device: RawDevice) -> None:
    """The answer is larger than what two kernels keep for it; it cannot be handed over and forgotten."""
    story = "水" * 20_000
    for _ in range(4):
        made = [device.create(kind="matter", fields=_matter(story)) for _ in range(30)]
        assert {verdict.result for verdict in device.sync(*made).verdicts} == {"applied"}
    with tight(village) as url, ExitStack() as stack:
        links = [stack.enter_context(connect(url, 4_096)) for _ in range(2 * TIGHT["requests_max"])]
        for link in links:
            device.cursor = None
            body = device.body(reread=[GRID], page_bytes=2**23)
            lines = [f"{name}: {value}" for name, value in device.headers(body).items()]
            first = [f"POST {SYNC} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}"]
            link.sendall("\r\n".join([*first, *lines, "", ""]).encode() + body)
            assert link.recv(12, socket.MSG_WAITALL) == b"HTTP/1.1 200"
        device.cursor = None
        answer = device.sync(page_bytes=1_024)
        assert answer.page is not None
        nothing_is_held(village)
        until = time.monotonic() + 60
        while _held(url, links):
            assert time.monotonic() < until, "the server holds on to callers who read nothing"
            time.sleep(0.1)
        for link in links:
            heard, _ = said(link)
            length = int(heard.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            assert length > 2**22
            assert len(heard) < length, "the server still held the answer"


def _held(url: str, links: list[socket.socket]) -> int:
    """How many of these connections the server has not ended, as the kernel knows them: a peer sees it too late."""
    ours = {link.getsockname()[1] for link in links}
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ports = [(*(int(row[at].partition(":")[2], 16) for at in (1, 2)), row[3]) for row in rows]
    return sum((at, state) == (urlsplit(url).port, ESTABLISHED) and peer in ours for at, peer, state in ports)


def _matter(narrative: str) -> dict[str, object]:
    return {"nature": "dispute", "title": "水渠", "narrative": narrative, "people_involved": 1}


def test_the_answer_of_a_slow_body_is_a_problem_document(village: Village, device: RawDevice) -> None:
    with tight(village) as url, connect(url) as link:
        link.sendall(head_alone(device))
        heard, seconds = said(link)
        top, _, body = heard.partition(b"\r\n\r\n")
        assert b"application/problem+json" in top
        problem = msgspec.json.decode(body)
        assert (problem["status"], problem["code"]) == (408, "too_slow")
        assert PATIENCE_S - 0.5 < seconds < PATIENCE_S + 3
