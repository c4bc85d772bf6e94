"""The real server process over real sockets: frames broken below HTTP, a death between commit and answer."""

import os
import re
import signal
import socket
from contextlib import suppress
from typing import Any

import httpx2
import pytest

from client_sdk import HttpTransport, LinkBroken, Offline, Response
from tests.e2e.links import Link
from tests.e2e.processes import serving
from tests.e2e.village import GRID, Village, assert_converged


def talk(url: str, *parts: bytes) -> bytes:
    """What the server says to bytes; empty when it hangs up."""
    host, _, port = url.removeprefix("http://").rpartition(":")
    with socket.create_connection((host, int(port)), timeout=3) as link:
        with suppress(OSError):
            for part in parts:
                link.sendall(part)
            link.shutdown(socket.SHUT_WR)
        said = b""
        with suppress(OSError):
            while more := link.recv(65_536):
                said += more
        return said


HEAD = b"POST /v1/sync HTTP/1.1\r\nHost: x\r\n"
FRAMES: dict[str, tuple[bytes, ...]] = {
    "nothing": (b"",),
    "noise": (bytes(range(256)) * 20,),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 500,),
    "half a head": (b"POST /v1/sync HT",),
    "a body that is cut": (HEAD + b"Content-Length: 1000\r\n\r\n", b"{" * 10),
    "a length that is none": (HEAD + b"Content-Length: -5\r\n\r\n{}",),
    "a length past 64 bits": (HEAD + b"Content-Length: 99999999999999999999999\r\n\r\n{}",),
    "two lengths": (HEAD + b"Content-Length: 2\r\nContent-Length: 40\r\n\r\n{}",),
    "chunks that are none": (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",),
    "chunks that are cut": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{}",),
    "a chunk past 64 bits": (HEAD + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffffff\r\n{}",),
    "a huge head": (HEAD + b"X: " + b"a" * 2_000_000 + b"\r\n\r\n",),
    "many heads": (HEAD + b"X: 1\r\n" * 20_000 + b"\r\n",),
    "a NUL in a head": (HEAD + b"Roundbook-Device: a\0b\r\nContent-Length: 0\r\n\r\n",),
    "heads that are no ASCII": (
        HEAD + b"Roundbook-Device: \xff\xfe\r\nRoundbook-Serial: \xd9\xa3\r\nRoundbook-Signature: \xff\r\n"
        b"Content-Length: 2\r\n\r\n{}",
    ),
    "a strange path": (b"GET /v1/records/%ff%00%2e%2e/..;/?a=%ff HTTP/1.1\r\nHost: x\r\n\r\n",),
    "a strange token": (b"GET /v1/records HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xff\xe9\r\n\r\n",),
    "a strange If-Match": (
        b"PATCH /v1/records/x HTTP/1.1\r\nHost: x\r\nIf-Match: \xff\r\nContent-Length: 2\r\n\r\n{}",
    ),
}


@pytest.mark.slow
def test_frames_that_are_broken_below_http(village: Village) -> None:
    before = stored(village)
    with serving(village.url, village.folder) as (url, process):
        for name, parts in FRAMES.items():
            said = talk(url, *parts)
            status = re.match(rb"HTTP/1.1 (\d{3})", said)
            assert status is None or b"400" <= status[1] < b"500", (name, said[:300])
            assert b"Traceback" not in said, name
            assert process.poll() is None, name
        assert httpx2.get(f"{url}/v1/health/ready", timeout=10).json() == {"status": "ready"}
    assert stored(village) == before


def stored(village: Village) -> dict[str, Any]:
    """What lies in the database, but for the first administrator, whom a server that starts invites."""
    of_the_start = {"staff", "links", "audit_entries", "audit_heads"}
    return {table: rows for table, rows in village.rows().items() if table not in of_the_start}


@pytest.mark.slow
def test_row_2_a_server_process_is_killed_between_commit_and_answer(village: Village) -> None:
    """Failures, row 2, with a real process: the commit is durable, the answer never leaves."""
    device = village.device("王芳")
    well = device.act(device.create("well", title="a", visits=1), "report")
    device.close()
    with serving(village.url, village.folder) as (url, process):
        link = Link(HttpTransport(url))

        def kill(response: Response) -> Any:
            assert response.status == 200
            os.killpg(process.pid, signal.SIGKILL)
            raise LinkBroken("cut", 1, 1)

        link.down = kill
        device = village.open("王芳", transport=link)
        with pytest.raises(Offline):
            device.sync()
        assert len(device.queue()) == 2
        device.increment(device.get(well.id), "visits", 1)
        device.close()
        link.close()
    with serving(village.url, village.folder) as (url, _), village.open("王芳", transport=None) as device:
        device.set_server(url)
        report = device.sync()
        assert (report.complete, report.sent, report.duplicates) == (True, 3, 2)
        assert device.get(well.id).fields["visits"] == 2
        assert len(village.changes()) == 3
        assert_converged(village, device, GRID)
