"""A relay between a client and a server that counts the bytes of both directions: under TLS, with every header."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit


class Count:
    """Bytes that have passed, up to the server and down from it."""

    def __init__(self) -> None:
        self.up = 0
        self.down = 0

    def taken(self) -> tuple[int, int]:
        """Up and down since this was last asked."""
        taken = self.up, self.down
        self.up = self.down = 0
        return taken


@contextmanager
def relayed(url: str) -> Iterator[tuple[str, Count]]:
    """The relay's address for the server at `url`, and its count."""
    parts, count = urlsplit(url), Count()
    server = (parts.hostname or "", parts.port or 80)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=_accept, args=(listening, server, count), daemon=True).start()
        try:
            yield f"{parts.scheme}://127.0.0.1:{listening.getsockname()[1]}", count
        finally:
            with suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)


def _accept(listening: socket.socket, server: tuple[str, int], count: Count) -> None:
    with suppress(OSError):  # the listening socket was closed: the end
        while True:
            client, _ = listening.accept()
            upstream = socket.create_connection(server)
            for one in (client, upstream):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for pump in ((client, upstream, count, "up"), (upstream, client, count, "down")):
                threading.Thread(target=_pump, args=pump, daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket, count: Count, direction: str) -> None:
    with suppress(OSError):
        while part := source.recv(2**16):
            # Counted before it goes on: whoever has the answer finds it counted.
            setattr(count, direction, getattr(count, direction) + len(part))
            sink.sendall(part)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
