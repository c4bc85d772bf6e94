"""OfficeClient and AsyncOfficeClient: two drivers of the same operations (office_operations.py).

    with OfficeClient("http://127.0.0.1:8000", token="...") as office:
        ticket = office.create("matter", key="12345:2026-884213", village="321283104203", title="...")

    async with AsyncOfficeClient("http://127.0.0.1:8000", token="...") as office:
        async for change in office.changes(since=cursor, wait_s=30): ...

What an operation takes, gives and raises is written at the operation; the names here only say which.
"""

import asyncio
import secrets
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from client_sdk.office_exchange import Call, Flow, Heard, Item, Pause, Random, Stream
from client_sdk.office_operations import Operations
from client_sdk.transport import AsyncHttpTransport, AsyncTransport, HttpTransport, LinkBroken, Transport
from client_sdk.trust import address, pinned

Given = ParamSpec("Given")
Result = TypeVar("Result")


def _clock_ms() -> int:
    return time.time_ns() // 1_000_000


def _context(url: str, ca: str | Path | None) -> ssl.SSLContext | None:
    authority = address(url, ca).authority
    return None if authority is None else pinned(authority)


def _run(
    operation: Callable[Concatenate[Operations, Given], Flow[Result]],
) -> Callable[Concatenate["OfficeClient", Given], Result]:
    @wraps(operation)
    def run(self: "OfficeClient", /, *given: Given.args, **named: Given.kwargs) -> Result:
        flow = operation(self.operations, *given, **named)
        heard: Heard = None
        while True:
            try:
                step = flow.send(heard)
            except StopIteration as done:
                result: Result = done.value
                return result
            heard = self.carry_out(step)

    return run


def _each(
    operation: Callable[Concatenate[Operations, Given], Stream[Result]],
) -> Callable[Concatenate["OfficeClient", Given], Iterator[Result]]:
    @wraps(operation)
    def each(self: "OfficeClient", /, *given: Given.args, **named: Given.kwargs) -> Iterator[Result]:
        stream = operation(self.operations, *given, **named)
        heard: Heard = None
        while True:
            try:
                step = stream.send(heard)
            except StopIteration:
                return
            if isinstance(step, Item):
                heard = None
                yield step.value
            else:
                heard = self.carry_out(step)

    return each


def _awaited(
    operation: Callable[Concatenate[Operations, Given], Flow[Result]],
) -> Callable[Concatenate["AsyncOfficeClient", Given], Coroutine[Any, Any, Result]]:
    @wraps(operation)
    async def run(self: "AsyncOfficeClient", /, *given: Given.args, **named: Given.kwargs) -> Result:
        flow = operation(self.operations, *given, **named)
        heard: Heard = None
        while True:
            try:
                step = flow.send(heard)
            except StopIteration as done:
                result: Result = done.value
                return result
            heard = await self.carry_out(step)

    return run


def _each_awaited(
    operation: Callable[Concatenate[Operations, Given], Stream[Result]],
) -> Callable[Concatenate["AsyncOfficeClient", Given], AsyncIterator[Result]]:
    @wraps(operation)
    async def each(
        self: "AsyncOfficeClient", /, *given: Given.args, **named: Given.kwargs
    ) -> AsyncIterator[Result]:
        stream = operation(self.operations, *given, **named)
        heard: Heard = None
        while True:
            try:
                step = stream.send(heard)
            except StopIteration:
                return
            if isinstance(step, Item):
                heard = None
                yield step.value
            else:
                heard = await self.carry_out(step)

    return each


class OfficeClient:
    """An application of the townships that its token names. May be used from several threads."""

    def __init__(
        self,
        url: str,
        *,
        token: str,
        ca: str | Path | None = None,
        transport: Transport | None = None,
        random: Random = secrets.token_bytes,
        clock: Callable[[], int] = _clock_ms,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """`ca` names a PEM file: a server of that authority alone is believed, by the system's clock.

        `transport` replaces HTTP and stays the caller's to close; `clock` gives milliseconds. Raises Refused for a
        `ca` that is no authority's, or an address without https beside it.
        """
        self.operations = Operations(random, clock)
        self._token, self._sleep = token, sleep
        self._link: Transport = HttpTransport(url, _context(url, ca)) if transport is None else transport
        self._owned = transport is None

    def carry_out(self, step: Call | Pause) -> Heard:
        """Does what an operation asks for: sends, or waits."""
        if isinstance(step, Pause):
            self._sleep(step.seconds)
            return None
        headers = {**step.headers, "authorization": f"Bearer {self._token}"}
        try:
            return self._link.exchange(step.method, step.path, headers, step.body, step.timeout_s)
        except LinkBroken as broken:
            return broken

    def close(self) -> None:
        """Lets go of connections."""
        if self._owned:
            self._link.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    create = _run(Operations.create)
    get = _run(Operations.get)
    records = _each(Operations.records)
    update = _run(Operations.update)
    append = _run(Operations.append)
    edit_entry = _run(Operations.edit_entry)
    remove_entry = _run(Operations.remove_entry)
    act = _run(Operations.act)
    actions = _run(Operations.actions)
    history = _run(Operations.history)
    conflicts = _run(Operations.conflicts)
    conflict = _run(Operations.conflict)
    resolve = _run(Operations.resolve)
    quarantine = _run(Operations.quarantine)
    replay = _run(Operations.replay)
    figures = _run(Operations.figures)
    position = _run(Operations.position)
    changes = _each(Operations.changes)


class AsyncOfficeClient:
    """The same under asyncio: same names, awaited; `records` and `changes` with `async for`."""

    def __init__(
        self,
        url: str,
        *,
        token: str,
        ca: str | Path | None = None,
        transport: AsyncTransport | None = None,
        random: Random = secrets.token_bytes,
        clock: Callable[[], int] = _clock_ms,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """See OfficeClient."""
        self.operations = Operations(random, clock)
        self._token, self._sleep = token, sleep
        self._link: AsyncTransport = (
            AsyncHttpTransport(url, _context(url, ca)) if transport is None else transport
        )
        self._owned = transport is None

    async def carry_out(self, step: Call | Pause) -> Heard:
        """See OfficeClient."""
        if isinstance(step, Pause):
            await self._sleep(step.seconds)
            return None
        headers = {**step.headers, "authorization": f"Bearer {self._token}"}
        try:
            return await self._link.exchange(step.method, step.path, headers, step.body, step.timeout_s)
        except LinkBroken as broken:
            return broken

    async def close(self) -> None:
        """Lets go of connections."""
        if self._owned:
            await self._link.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    create = _awaited(Operations.create)
    get = _awaited(Operations.get)
    records = _each_awaited(Operations.records)
    update = _awaited(Operations.update)
    append = _awaited(Operations.append)
    edit_entry = _awaited(Operations.edit_entry)
    remove_entry = _awaited(Operations.remove_entry)
    act = _awaited(Operations.act)
    actions = _awaited(Operations.actions)
    history = _awaited(Operations.history)
    conflicts = _awaited(Operations.conflicts)
    conflict = _awaited(Operations.conflict)
    resolve = _awaited(Operations.resolve)
    quarantine = _awaited(Operations.quarantine)
    replay = _awaited(Operations.replay)
    figures = _awaited(Operations.figures)
    position = _awaited(Operations.position)
    changes = _each_awaited(Operations.changes)
