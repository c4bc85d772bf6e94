"""An event loop with a clock of its own: time passes only when nobody has anything left to do.

A wait of an hour takes no time, and two runs of one seed do the same things in the same order. What would
run in a thread runs in place, so that nothing depends on the machine.
"""

import asyncio
import random
import selectors
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch


@contextmanager
def drawn_from(seed: int) -> Iterator[None]:
    """Everything that is drawn comes from one seed: the server's jitter, and keys and nonces as well.

    They are of one length, but not of one size when they are compressed, and a link is cut at a byte.
    """
    random.seed(seed)
    with patch("random._urandom", random.Random(seed).randbytes):  # below `secrets`
        yield


class StuckError(RuntimeError):
    """Everybody waits, and nothing will ever happen."""


class _Selector(selectors.SelectSelector):
    """Instead of waiting, it moves the clock to where the wait would have ended."""

    def __init__(self, loop: "SimulatedLoop") -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:
            message = "nothing is left to happen"
            raise StuckError(message)
        if timeout > 0:
            self._loop.elapsed_s += timeout
        return []


class SimulatedLoop(asyncio.SelectorEventLoop):
    """asyncio's own loop, with simulated time."""

    def __init__(self) -> None:
        """The clock starts at 0 seconds."""
        self.elapsed_s = 0.0
        super().__init__(_Selector(self))

    def time(self) -> float:
        """Seconds since the simulation began."""
        return self.elapsed_s

    def run_in_executor(  # type: ignore[override]  # asyncio's own types say more than is needed here
        self,
        executor: Any,  # noqa: ARG002 (there is none)
        func: Callable[..., Any],
        *args: Any,
    ) -> Any:
        """Runs `func` at once; its outcome is there when this returns."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except BaseException as error:  # noqa: BLE001 (a crash passes through as what it is)
            future.set_exception(error)
        return future
