"""Turns at the database: one busy township does not take the connections of all others.

Writes of a township wait for the lock of its row, and whoever waits there holds a connection of the pool. So
most of them wait here instead, where waiting costs nothing, in the order in which they came.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from weakref import WeakValueDictionary

from server.storage.engine import Unavailable

EACH: Final = 2
"""One request writes while another one's page is read."""
WAIT_S: Final = 15.0


class Turns:
    """Connections that the requests of one township may use or wait for at once, in one process."""

    def __init__(self, each: int = EACH, wait_s: float = WAIT_S) -> None:
        """`each` of every township; who has waited for `wait_s` seconds is sent away."""
        self._each = each
        self._wait_s = wait_s
        self._turns: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def of(self, township: str) -> AsyncIterator[None]:
        """Holds one turn; raises Unavailable when none comes in time."""
        turn = self._turns.setdefault(township, asyncio.Semaphore(self._each))
        try:
            async with asyncio.timeout(self._wait_s):
                await turn.acquire()
        except TimeoutError as error:
            message = f"no turn of the township came within {self._wait_s:g} s"
            raise Unavailable(message) from error
        try:
            yield
        finally:
            turn.release()
