"""Who is let in: how many requests a process works on at once, and how many bytes of bodies it holds.

    a request's head arrives
      |  full, or its township has its share, or its body would not fit   -> 503 unavailable, nothing was read
      |  the body is read, within its time                                -> 408 too_slow
      v
    the body is whole: only now the application sees the request, and only now a database is asked
      |  decompressed, it would not fit                                   -> 503 unavailable

So a slow body costs its bytes and nothing else: no connection, no transaction, no lock. While it dawdles, not
even the place of its request is kept: whoever has sent its whole body is let in, whatever the count says.

A township may hold at most as many places as are free (dynamic thresholds: Choudhury and Hahne, "Dynamic queue
length thresholds for shared-memory packet switches", 1998). Alone it gets half of all; of n busy ones each gets one
part in n + 1, and one part stays free for whoever comes next. Programs of offices count as one more township.
The name is taken from a head that nobody has checked yet: it decides who waits, never who may do what.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

import msgspec
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, HTTPReceiveMessage, Receive, Scope, Send

from server.problems import Problem, retry_after_s
from sync_protocol.signing import DEVICE_HEADER

ALWAYS: Final = "answered_always"
"""The option of a handler that is answered however busy the process is."""
_DAWDLES_S: Final = 0.25
"""A body that takes longer gives the place of its request back until it is whole."""
_DEVICE: Final = DEVICE_HEADER.encode()
_TOWNSHIP_CHARS: Final = 9


class Bounds(msgspec.Struct, frozen=True):
    """Of one process. settings.py says what each is for."""

    requests_max: int
    bodies_bytes_max: int
    body_bytes_max: int
    body_patience_s: float
    body_bytes_per_s: float
    retry_after_s_max: int


class _Visit(msgspec.Struct):
    """One request under way."""

    admission: "Admission"
    township: str
    placed: bool = False
    bytes_held: int = 0


_visit: Final[ContextVar[_Visit | None]] = ContextVar("visit", default=None)


def weigh(size: int) -> None:
    """Counts bytes that the present request holds from now on; raises Problem when they do not fit."""
    visit = _visit.get()
    if visit is not None:
        visit.admission.hold(visit, size)


class Admission(ASGIMiddleware):
    """The bounds of one process, kept before every handler that is not marked with ALWAYS."""

    scopes = (ScopeType.HTTP,)
    exclude_opt_key = ALWAYS

    def __init__(self, bounds: Bounds) -> None:
        """Nobody is in."""
        self._bounds = bounds
        self._places: Counter[str] = Counter()
        self._taken = 0
        self._bytes = 0

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Lets one request in, or raises Problem."""
        with self._visiting(scope) as visit:
            announced = _announced(scope)
            if announced != 0:
                self._check_room(visit, announced or 0)
                receive = await self._whole(visit, receive, announced)
            await next_app(scope, receive, send)

    def hold(self, visit: _Visit, size: int) -> None:
        """Counts bytes of a request; raises Problem when they do not fit beside those of others."""
        self._check_room(visit, size)
        self._bytes += size
        visit.bytes_held += size

    @contextmanager
    def _visiting(self, scope: Scope) -> Iterator[_Visit]:
        visit = _Visit(self, _township(scope))
        if self._places[visit.township] >= self._bounds.requests_max - self._taken:
            raise self._busy("this server has as many requests as it can work on")
        self._place(visit)
        token = _visit.set(visit)
        try:
            yield visit
        finally:
            _visit.reset(token)
            self._leave(visit)
            self._bytes -= visit.bytes_held

    def _check_room(self, visit: _Visit, size: int) -> None:
        """Whoever is alone is let in: the limit of one body holds anyway, and it would never fit otherwise."""
        others = self._bytes > visit.bytes_held
        if others and self._bytes + size > self._bounds.bodies_bytes_max:
            raise self._busy("this server holds as much as it can of other requests")

    def _busy(self, detail: str) -> Problem:
        return Problem("unavailable", detail, retry_after_s=retry_after_s(self._bounds.retry_after_s_max))

    def _place(self, visit: _Visit) -> None:
        if not visit.placed:
            visit.placed = True
            self._places[visit.township] += 1
            self._taken += 1

    def _leave(self, visit: _Visit) -> None:
        if visit.placed:
            visit.placed = False
            self._taken -= 1
            self._places[visit.township] -= 1
            if not self._places[visit.township]:
                del self._places[visit.township]

    async def _whole(self, visit: _Visit, receive: Receive, announced: int | None) -> Receive:
        """The body read up to its limit, and a `receive` that gives it; raises Problem when it takes too long."""
        bounds, loop = self._bounds, asyncio.get_running_loop()
        if announced is not None and announced > bounds.body_bytes_max:
            return receive  # the handler refuses it unread
        began = loop.time()
        dawdling = loop.call_later(_DAWDLES_S, self._leave, visit)
        parts: list[HTTPReceiveMessage] = []
        try:
            async with asyncio.timeout_at(began + bounds.body_patience_s) as limit:
                while visit.bytes_held <= bounds.body_bytes_max and not (parts and _last(parts[-1])):
                    parts.append(await receive())  # type: ignore[arg-type]  # no WebSocket comes here
                    self.hold(visit, _size(parts[-1]))
                    earned_s = visit.bytes_held / bounds.body_bytes_per_s
                    limit.reschedule(began + bounds.body_patience_s + earned_s)
        except TimeoutError as error:
            raise Problem("too_slow", f"{visit.bytes_held} bytes of the body came in time") from error
        finally:
            dawdling.cancel()
        self._place(visit)
        return _replayed(parts, receive)


def _replayed(parts: list[HTTPReceiveMessage], receive: Receive) -> Receive:
    """Gives what was received once more, then what comes after it."""
    left = iter(parts)

    async def replay() -> HTTPReceiveMessage:
        part = next(left, None)
        return part if part is not None else await receive()  # type: ignore[return-value]  # as above

    return replay


def _size(part: HTTPReceiveMessage) -> int:
    return len(part["body"]) if part["type"] == "http.request" else 0


def _last(part: HTTPReceiveMessage) -> bool:
    """Whether nothing comes after this message, because the body is whole or its sender gone."""
    return part["type"] == "http.disconnect" or not part.get("more_body", False)


def _announced(scope: Scope) -> int | None:
    """The length of the body in bytes; None when it is not known beforehand."""
    headers = dict(scope["headers"])
    length = headers.get(b"content-length", b"")
    if length.isdigit():
        return int(length)
    return None if b"transfer-encoding" in headers else 0


def _township(scope: Scope) -> str:
    """The township that a device says it is of; of everybody else none."""
    for name, value in scope["headers"]:
        if name == _DEVICE:
            return value[:_TOWNSHIP_CHARS].decode("latin-1")
    return ""
