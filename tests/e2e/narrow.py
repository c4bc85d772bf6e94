"""A narrow link between a device and a server, byte by byte over real sockets.

Bytes pass at 50 kbit/s and arrive half a round trip of one second later. Every twentieth packet is lost: it is sent
again a round trip later, and what is behind it waits, as TCP does it. A connection breaks, in both directions at
once, after a drawn number of bytes, wherever in a head or a body that falls.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from random import Random
from typing import Final

from anyio.from_thread import start_blocking_portal

BITS_A_SECOND: Final = 50_000
ROUND_TRIP_S: Final = 1.0
LOST_ONE_OF: Final = 20
_IN_ORDER_S: Final = 0.001
_PACKET_BYTES: Final = 536  # what every IPv4 link has to carry whole


class NarrowLink:
    """What connects to `url` reaches `server`. `cut_bytes` bounds what a connection carries, up and down together."""

    def __init__(self, server: str, random: Random, cut_bytes: int) -> None:
        self._server, self._random, self._cut_bytes = server, random, cut_bytes
        self.url = ""
        self.cuts = self.packets = 0
        self._open: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Listens as long as the block runs."""
        listening = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        async with listening:
            yield
        for connection in self._open:
            connection.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    def _accept(self, up: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        connection = asyncio.create_task(self._connect(up, answer))
        self._open.add(connection)
        connection.add_done_callback(self._open.discard)

    async def _connect(self, up: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        host, _, port = self._server.removeprefix("http://").rpartition(":")
        down, request = await asyncio.open_connection(host, int(port))
        wire = _Wire(self, self._random.randrange(1, self._cut_bytes), (answer, request))
        try:
            await asyncio.gather(wire.carry(up, request), wire.carry(down, answer))
            await asyncio.sleep(ROUND_TRIP_S)
        finally:
            wire.end()

    def late_s(self) -> float:
        """How much later the next packet arrives because it was lost."""
        self.packets += 1
        return 0.0 if self.packets % LOST_ONE_OF else ROUND_TRIP_S


class _Wire:
    """One connection, which both directions use up."""

    def __init__(self, link: NarrowLink, left: int, ends: tuple[asyncio.StreamWriter, ...]) -> None:
        self._link, self._left, self._ends = link, left, ends
        self._loop = asyncio.get_running_loop()

    async def carry(self, source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        arrives = 0.0
        while part := (await self._read(source))[: self._left]:
            self._left -= len(part)
            last = not self._left
            await asyncio.sleep(len(part) * 8 / BITS_A_SECOND)
            due = self._loop.time() + ROUND_TRIP_S / 2 + self._link.late_s()
            arrives = max(arrives + _IN_ORDER_S, due)
            self._loop.call_at(arrives, to.write, part)
            if last:
                self._loop.call_at(arrives + _IN_ORDER_S, self._cut)
                return
        self._loop.call_at(arrives + _IN_ORDER_S, to.close)

    async def _read(self, source: asyncio.StreamReader) -> bytes:
        try:
            return await source.read(_PACKET_BYTES)
        except OSError:
            return b""

    def _cut(self) -> None:
        self._link.cuts += 1
        self.end()

    def end(self) -> None:
        for end in self._ends:
            end.transport.abort()


@contextmanager
def narrow_link(server: str, random: Random, cut_bytes: int) -> Iterator[NarrowLink]:
    """Such a link, in a thread of its own."""
    link = NarrowLink(server, random, cut_bytes)
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(link.serving()):
        yield link
