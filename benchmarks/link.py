"""One kept connection of a benchmark's client: bytes both ways, headers included, are counted as they travel."""

import select
import socket
from typing import Final
from urllib.parse import urlsplit

import msgspec

_TIMEOUT_S: Final = 120
_END: Final = b"\r\n\r\n"


class Answer(msgspec.Struct, frozen=True):
    """A whole answer: status, headers by name in lower case, body as it travelled."""

    status: int
    headers: dict[str, str]
    body: bytes


class Link:
    """HTTP/1.1 over one connection, which is opened at the first exchange. Not for several threads at once.

    Plain and small on purpose, and the same for ours and for the floor: what a client costs is no server's fault.
    """

    def __init__(self, url: str) -> None:
        """`url` has scheme, host and port."""
        parts = urlsplit(url)
        self._at = (parts.hostname or "", parts.port or 80)
        self._socket: socket.socket | None = None
        self.bytes_up = 0
        self.bytes_down = 0

    def exchange(self, method: str, target: str, headers: dict[str, str], body: bytes = b"") -> Answer:
        """One request and its whole answer; ends the benchmark when it is not 200."""
        if self._socket is None or _was_closed(self._socket):
            self.close()
            self._socket = socket.create_connection(self._at, timeout=_TIMEOUT_S)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        lines = [f"{method} {target} HTTP/1.1", f"host: {self._at[0]}", f"content-length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        sent = "\r\n".join([*lines, "", ""]).encode() + body
        self._socket.sendall(sent)
        self.bytes_up += len(sent)
        answer = self._answer(self._socket)
        if answer.status != 200:
            message = f"{method} {target} answered {answer.status}: {answer.body[:300]!r}"
            raise SystemExit(message)
        return answer

    def close(self) -> None:
        """Ends the connection; the next exchange opens another."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _answer(self, connection: socket.socket) -> Answer:
        received = bytearray()
        while (end := received.find(_END)) < 0:
            self._more(connection, received)
        top = received[:end].decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in top[1:])
        whole = end + len(_END) + int(headers["content-length"])
        while len(received) < whole:
            self._more(connection, received)
        self.bytes_down += whole
        return Answer(int(top[0].split(" ")[1]), headers, bytes(received[end + len(_END) : whole]))

    @staticmethod
    def _more(connection: socket.socket, received: bytearray) -> None:
        part = connection.recv(2**18)
        if not part:
            message = "the server closed the connection in the middle of an answer"
            raise SystemExit(message)
        received += part


def _was_closed(connection: socket.socket) -> bool:
    """Whether the server has ended a connection that was idle for too long: nothing else makes it readable now."""
    readable, _, _ = select.select([connection], [], [], 0)
    return bool(readable)
