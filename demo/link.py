"""A slow link that breaks: a relay between one device and the server, over real sockets.

It takes a whole request at 50 kbit/s, hands it to the server, and gives the answer back at the same rate,
with half a round trip of delay each way. A cut that was armed breaks the next exchange after so many bytes of
its body: on the way up the server gets the part that came before (a torn request), on the way down the device.
"""

import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, Self

from demo.plan import Cut
from demo.turns import Turns

BITS_A_SECOND: Final = 50_000
ROUND_TRIP_S: Final = 0.6
_CHUNK_BYTES: Final = 512
_PATIENCE_S: Final = 60.0
_END: Final = b"\r\n\r\n"


class Broken(Exception):  # noqa: N818 (what happened)
    """The other end is gone, or the link was cut."""


class Link:
    """Listens on a port of its own as long as the block runs."""

    def __init__(self, name: str, server: tuple[str, int], turns: Turns) -> None:
        self.cuts_done = 0
        self._name, self._server, self._turns = name, server, turns
        self._cuts: deque[Cut] = deque()
        self._on_cut: Callable[[], object] = lambda: None
        self._listener = socket.create_server(("127.0.0.1", 0))

    @property
    def url(self) -> str:
        """Where the device finds the server."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def arm(self, cuts: Sequence[Cut], on_cut: Callable[[], object] = lambda: None) -> None:
        """The next exchanges will break; `on_cut` is called when one does, before the device notices."""
        self._cuts, self._on_cut = deque(cuts), on_cut

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, name=f"link {self._name}", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                device, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(device,), daemon=True).start()

    def _serve(self, device: socket.socket) -> None:
        """One connection of the device, exchange after exchange."""
        device.settimeout(_PATIENCE_S)
        with device, suppress(Broken, OSError):
            while True:
                self._exchange(device)

    def _exchange(self, device: socket.socket) -> None:
        head, body, length = _head(device)
        cut = self._cuts.popleft() if self._cuts else None
        up = _bytes_before(cut, "up", length)
        body += _read(device, (length if up is None else up) - len(body))
        _pace(len(head) + len(body[:up]))
        time.sleep(ROUND_TRIP_S / 2)
        with self._turns.turn(self._name):
            if up is not None:
                self._tear(head + body[:up])
            answer_head, answer = self._ask(head + body)
        time.sleep(ROUND_TRIP_S / 2)
        down = _bytes_before(cut, "down", len(answer))
        if down is None:
            _send(device, answer_head + answer)
            return
        self.cuts_done += 1
        self._on_cut()
        if cut is not None and cut.after_bytes is not None:
            _send(device, answer_head + answer[:down])
        raise Broken

    def _ask(self, request: bytes) -> tuple[bytes, bytes]:
        """The server's answer, head and body."""
        with socket.create_connection(self._server, timeout=_PATIENCE_S) as server:
            server.sendall(request)
            head, body, length = _head(server)
            return head, body + _read(server, length - len(body))

    def _tear(self, part: bytes) -> None:
        """The server gets a part of a request, then nothing more."""
        with suppress(OSError), socket.create_connection(self._server, timeout=_PATIENCE_S) as server:
            server.sendall(part)
        self.cuts_done += 1
        self._on_cut()
        raise Broken


def _bytes_before(cut: Cut | None, way: str, length: int) -> int | None:
    """How much of a body passes before the link breaks: never all of it. None when it holds."""
    if cut is None or cut.way != way:
        return None
    return min(cut.after_bytes or 0, max(length - 1, 0))


def _head(source: socket.socket) -> tuple[bytes, bytes, int]:
    """The head of a message, what came of its body with it, and the length of the body."""
    got = b""
    while _END not in got:
        got += _some(source, _CHUNK_BYTES)
    head, _, body = got.partition(_END)
    fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:])
    return head + _END, body, int(fields.get(b"content-length", b"0"))


def _read(source: socket.socket, count: int) -> bytes:
    got = b""
    while len(got) < count:
        got += _some(source, count - len(got))
    return got


def _some(source: socket.socket, most: int) -> bytes:
    part = source.recv(most)
    if not part:
        raise Broken
    return part


def _send(device: socket.socket, data: bytes) -> None:
    for start in range(0, len(data), _CHUNK_BYTES):
        part = data[start : start + _CHUNK_BYTES]
        _pace(len(part))
        device.sendall(part)


def _pace(count: int) -> None:
    """As long as so many bytes take on the link."""
    time.sleep(count * 8 / BITS_A_SECOND)
