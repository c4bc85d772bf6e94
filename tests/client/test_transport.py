"""The seam to the network on real sockets, and bodies as they travel."""

import asyncio
import gzip
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from client_sdk.compression import Undecodable, packed, unpacked
from client_sdk.transport import AsyncHttpTransport, HttpTransport, LinkBroken, Response, Transport

BODY = b'{"answer":' + b"1" * 500 + b"}"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Case: Kept\r\nContent-Length: %d\r\n\r\n"
WHOLE = HEAD % len(BODY) + BODY


class Peer:
    """A server of one answer a connection, byte for byte as told; keeps what it heard."""

    def __init__(self, answers: list[bytes], *, kept: bool = False) -> None:
        self.answers, self.kept = list(answers), kept
        self.heard: list[bytes] = []
        self.connections = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listening.accept()
            with connection:
                self.connections += 1
                if not self._answer(connection):
                    return

    def _answer(self, connection: socket.socket) -> bool:
        while True:
            heard = connection.recv(65536)
            if heard == b"stop":
                return False
            if not heard:
                return True
            head, _, body = heard.partition(b"\r\n\r\n")
            size = next(
                int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
            )
            while len(body) < size:
                body += connection.recv(65536)
            self.heard.append(head + b"\r\n\r\n" + body)
            connection.sendall(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])
            if not self.kept:
                return True

    def close(self) -> None:
        with socket.create_connection(self._listening.getsockname()) as last:
            last.sendall(b"stop")
        self._thread.join()
        self._listening.close()


class Awaited:
    """The asynchronous transport behind the blocking seam, so that one set of tests runs on both."""

    def __init__(self, url: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._inner = AsyncHttpTransport(url)

    def exchange(
        self, method: str, path: str, headers: dict[str, str], body: bytes, timeout_s: float = 60
    ) -> Response:
        return self._loop.run_until_complete(self._inner.exchange(method, path, headers, body, timeout_s))

    def close(self) -> None:
        self._loop.run_until_complete(self._inner.close())
        self._loop.close()


@contextmanager
def linked(
    make: Callable[[str], Transport], *answers: bytes, kept: bool = False
) -> Iterator[tuple[Transport, Peer]]:
    peer = Peer(list(answers), kept=kept)
    transport = make(peer.url)
    try:
        yield transport, peer
    finally:
        transport.close()
        peer.close()


both = pytest.mark.parametrize("make", [HttpTransport, Awaited])


@both
def test_a_whole_answer_arrives_as_it_travelled(make: Callable[[str], Transport]) -> None:
    with linked(make, WHOLE) as (transport, peer):
        response = transport.exchange("POST", "/v1/sync", {"x-one": "1"}, b"question")
    assert (response.status, response.body, response.headers["x-case"]) == (200, BODY, "Kept")
    assert peer.heard[0].startswith(b"POST /v1/sync HTTP/1.1")
    assert peer.heard[0].endswith(b"\r\n\r\nquestion")


@both
def test_a_request_says_nothing_that_the_server_does_not_need(make: Callable[[str], Transport]) -> None:
    """A slow link carries every header again with each exchange."""
    with linked(make, WHOLE) as (transport, peer):
        transport.exchange("POST", "/v1/sync", {"x-one": "1"}, b"question")
    _, *lines = peer.heard[0].partition(b"\r\n\r\n")[0].split(b"\r\n")
    names = {line.partition(b":")[0].lower() for line in lines}
    assert names == {b"host", b"user-agent", b"content-length", b"x-one"}


@both
def test_a_connection_is_used_again(make: Callable[[str], Transport]) -> None:
    with linked(make, WHOLE, kept=True) as (transport, peer):
        for _ in range(3):
            transport.exchange("POST", "/", {}, b"x")
        assert peer.connections == 1
        assert len(peer.heard) == 3


@both
@pytest.mark.parametrize("cut", [0, 1, 17, len(HEAD), len(WHOLE) - 400, len(WHOLE) - 1])
def test_an_answer_cut_anywhere_is_broken(make: Callable[[str], Transport], cut: int) -> None:
    with linked(make, WHOLE[:cut]) as (transport, _), pytest.raises(LinkBroken) as caught:
        transport.exchange("POST", "/", {}, b"question")
    assert caught.value.reason == "cut"
    assert caught.value.bytes_up == len(b"question")


@both
def test_compressed_bodies_are_left_as_they_are(make: Callable[[str], Transport]) -> None:
    small = gzip.compress(BODY)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(small)
    with linked(make, head + small) as (transport, _):
        response = transport.exchange("POST", "/", {}, b"")
    assert response.body == small
    assert unpacked(response.body, response.headers["content-encoding"], 1_000) == BODY


@both
def test_redirects_are_not_followed(make: Callable[[str], Transport]) -> None:
    answer = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/login\r\nContent-Length: 0\r\n\r\n"
    with linked(make, answer) as (transport, _):
        assert transport.exchange("POST", "/", {}, b"").status == 302


@both
def test_nobody_there(make: Callable[[str], Transport]) -> None:
    transport = make("http://127.0.0.1:1")
    with pytest.raises(LinkBroken) as caught:
        transport.exchange("POST", "/", {}, b"question")
    transport.close()
    assert (caught.value.reason, caught.value.bytes_up) == ("no_connection", 0)


@both
def test_an_address_that_is_none(make: Callable[[str], Transport]) -> None:
    transport = make("gopher://x")
    with pytest.raises(LinkBroken, match="bad_address"):
        transport.exchange("POST", "/", {}, b"")
    transport.close()


@both
def test_an_exchange_that_takes_too_long_is_broken(make: Callable[[str], Transport]) -> None:
    with linked(make, WHOLE) as (transport, _), pytest.raises(LinkBroken, match="too_slow"):
        transport.exchange("POST", "/", {}, b"", timeout_s=0.0)


@given(st.binary(max_size=2_000))
def test_bodies_survive_their_compression(body: bytes) -> None:
    travelling, headers = packed(body)
    assert unpacked(travelling, headers.get("content-encoding", ""), 3_000) == body
    assert unpacked(gzip.compress(body), "gzip", 3_000) == body


def test_small_bodies_travel_plain() -> None:
    assert packed(b"x" * 100) == (b"x" * 100, {})
    body, headers = packed(b"x" * 1_000)
    assert headers == {"content-encoding": "zstd"}
    assert len(body) < 100


BOMB = b"\0" * (64 * 2**20)


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (zstandard.compress(BOMB), "zstd"),
        (gzip.compress(BOMB), "gzip"),
        (b"x" * 2_000, ""),
        (b"not compressed", "zstd"),
        (b"not compressed", "gzip"),
        (zstandard.compress(b"abc" * 99)[:-4], "zstd"),
        (gzip.compress(b"abc" * 99)[:-4], "gzip"),
        (b"", "zstd"),
        (b"x", "br"),
    ],
    ids=lambda value: value if isinstance(value, str) else len(value),
)
def test_what_cannot_be_unpacked_within_the_limit_is_refused(body: bytes, encoding: str) -> None:
    with pytest.raises(Undecodable):
        unpacked(body, encoding, 1_000)
