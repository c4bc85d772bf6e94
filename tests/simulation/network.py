"""The link between a device and the servers, and everything that goes wrong on it.

A request may be lost, cut at any byte, arrive late, twice or after its successor; an answer may be lost, cut,
or come from somebody else: a captive portal, a proxy that serves what it saw before, a gateway's error page. In the
middle of a sync the worker may walk out of the network's reach.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Any, Final

from client_sdk.transport import LinkBroken, Response
from tests.simulation.disk import CrashError
from tests.simulation.loop import StuckError

TIME_OUT_S: Final = 60.0
EXCHANGES_MAX: Final = 5_000
"""Of one device some thirty are usual; the office of a large township, which takes much in again, makes a thousand."""
FAULTS: Final = (
    "request lost",
    "request cut",
    "request late",
    "request twice",
    "request replayed later",
    "answer lost",
    "answer cut",
    "answer cut unnoticed",
    "captive portal",
    "portal that speaks JSON",
    "proxy serves an old answer",
    "bad gateway",
    "server busy",
)
_PAGE: Final = "<html><title>欢迎使用免费无线网络</title></html>".encode()

Serve = Callable[[str, str, dict[str, str], bytes, int | None], Awaitable[Response]]
"""Carries a request out on some server; the last argument is after how many bytes the caller hangs up."""


class Link:
    """One device's way to the servers. `chance` is that of a fault in one exchange."""

    def __init__(
        self,
        serve: Serve,
        random: Random,
        seen: Counter[str],
        chance: float,
        faults: Sequence[str] = FAULTS,
        fades: float = 0.0,
    ) -> None:
        """`seen` counts the faults that came about, which are of `faults`.

        `fades` is the chance that the answer of an exchange is the last that arrives for a while.
        """
        self.serve, self.random, self.seen, self.chance, self.faults = serve, random, seen, chance, faults
        self.fades = fades
        self._exchanges = 0
        self._dark_until = 0.0
        self._leaving = False
        self._last: Response | None = None
        self._later: set[asyncio.Task[Any]] = set()

    async def exchange(
        self, method: str, path: str, headers: dict[str, str], body: bytes, timeout_s: float = TIME_OUT_S
    ) -> Response:
        """See AsyncTransport."""
        random = self.random
        self._exchanges += 1
        if self._exchanges > EXCHANGES_MAX:
            message = f"more than {EXCHANGES_MAX} exchanges, and no end"
            raise StuckError(message)
        await asyncio.sleep(random.uniform(0.05, 3.0))
        if asyncio.get_running_loop().time() < self._dark_until:
            raise LinkBroken("no_connection")
        fault = random.choice(self.faults) if random.random() < self.chance else ""
        if fault:
            self.seen[fault] += 1
        answered = self._without_a_server(fault)
        if answered is not None:
            return answered
        if fault in {"request lost", "request late"}:
            if fault == "request late":
                self._again(method, path, headers, body, random.uniform(1, 600))
            await asyncio.sleep(timeout_s)
            raise LinkBroken("time_out", len(body))
        if fault == "request cut":
            await self._served(method, path, headers, body, random.randrange(len(body) + 1))
            raise LinkBroken("cut", len(body))
        if fault == "request replayed later":
            self._again(method, path, headers, body, random.uniform(1, 7_200))
        response = await self._served(method, path, headers, body, None)
        if fault == "request twice":
            response = await self._served(method, path, headers, body, None)
        self._last = response
        await asyncio.sleep(random.uniform(0.05, 3.0))
        return await self._arriving(fault, response, len(body), timeout_s)

    async def _arriving(self, fault: str, response: Response, sent: int, timeout_s: float) -> Response:
        """The answer, as far as it arrives."""
        if fault == "answer lost":
            await asyncio.sleep(timeout_s)
            raise LinkBroken("time_out", sent)
        if fault in {"answer cut", "answer cut unnoticed"}:
            at = self.random.randrange(len(response.body) + 1)
            if fault == "answer cut":
                raise LinkBroken("cut", sent, at)
            return Response(response.status, response.headers, response.body[:at])
        leaving, self._leaving = self._leaving, False
        if leaving or (self.fades and self.random.random() < self.fades):
            self.seen["coverage ends"] += 1
            self._dark_until = asyncio.get_running_loop().time() + self.random.uniform(300, 7_200)
        return response

    def leave(self) -> None:
        """The next answer that arrives is the last for a while."""
        self._leaving = True

    def _without_a_server(self, fault: str) -> Response | None:
        """What answers before any server is reached."""
        match fault:
            case "captive portal":
                return Response(200, {"content-type": "text/html"}, _PAGE)
            case "portal that speaks JSON":
                return Response(200, {"content-type": "application/json"}, b'{"ok":true}')
            case "proxy serves an old answer" if self._last is not None:
                return self._last
            case "bad gateway":
                return Response(502, {"content-type": "text/html"}, _PAGE)
            case "server busy":
                return Response(503, {"content-type": "text/plain", "retry-after": "7"}, b"")
        return None

    async def _served(
        self, method: str, path: str, headers: dict[str, str], body: bytes, hang_up: int | None
    ) -> Response:
        try:
            return await self.serve(method, path, headers, body, hang_up)
        except CrashError as error:
            raise LinkBroken("cut", len(body)) from error

    def _again(self, method: str, path: str, headers: dict[str, str], body: bytes, after_s: float) -> None:
        """The same request reaches a server once more, when nobody waits for the answer."""

        async def later() -> None:
            await asyncio.sleep(after_s)
            try:
                await self._served(method, path, headers, body, None)
            except LinkBroken:
                return

        task = asyncio.create_task(later())
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    @property
    def under_way(self) -> bool:
        """Whether a request is still to arrive for which nobody waits any more."""
        return bool(self._later)

    async def quiet(self) -> None:
        """Waits until nothing is under way any more; from here on the link is perfect."""
        self.chance = self.fades = self._dark_until = 0.0
        self._leaving = False
        while self._later:
            await asyncio.wait(self._later)

    async def close(self) -> None:
        """See AsyncTransport."""
