"""AsyncFieldClient: the same device under asyncio.

The store is the blocking one, in threads; only the network is really asynchronous. Every method is the
blocking one's, awaited: same names, same arguments, same errors, taken from FieldClient and not written
again.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from functools import partial, wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from client_sdk import enrolling, syncing
from client_sdk.field import Clock, FieldClient, Random, system_clock
from client_sdk.invited import place_and_code
from client_sdk.problem import Answer, AsyncProblem, Told
from client_sdk.record import Record
from client_sdk.syncing import OnProgress, Steps
from client_sdk.transport import AsyncHttpTransport, AsyncTransport, LinkBroken
from client_sdk.trust import Address
from sync_protocol.session import Policy, SyncSession
from sync_protocol.session_report import SyncReport

Given = ParamSpec("Given")
Result = TypeVar("Result")
Sleep = Callable[[float], Awaitable[object]]


def _awaited(
    method: Callable[Concatenate[FieldClient, Given], Result],
) -> Callable[Concatenate["AsyncFieldClient", Given], Coroutine[Any, Any, Result]]:
    """The same method, run in a thread."""

    async def run(self: "AsyncFieldClient", /, *given: Given.args, **named: Given.kwargs) -> Result:
        return await asyncio.to_thread(partial(method, self.blocking, *given, **named))

    return wraps(method)(run)


class AsyncFieldClient:
    """One device under asyncio; see FieldClient. `await AsyncFieldClient.open(...)`, or `async with` it."""

    def __init__(self, blocking: FieldClient, *, transport: AsyncTransport | None, sleep: Sleep) -> None:
        """Use `AsyncFieldClient.open`."""
        self.blocking = blocking
        self._given, self._sleep = transport, sleep
        self._connected: tuple[Address, AsyncTransport] | None = None

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        passphrase: str,
        clock: Clock = system_clock,
        random: Random = secrets.token_bytes,
        transport: AsyncTransport | None = None,
        sleep: Sleep = asyncio.sleep,
        to_sync: bool = False,
    ) -> "_Opening":
        """See FieldClient.open."""

        async def opened() -> AsyncFieldClient:
            blocking = await asyncio.to_thread(
                partial(
                    FieldClient.open, path, passphrase=passphrase, clock=clock, random=random, to_sync=to_sync
                )
            )
            return cls(blocking, transport=transport, sleep=sleep)

        return _Opening(opened)

    async def close(self) -> None:
        """See FieldClient.close."""
        if self._connected is not None:
            await self._connected[1].close()
            self._connected = None
        await asyncio.to_thread(self.blocking.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def enrol(self, url: str, *, code: str | None = None, ca: str | Path | None = None) -> None:
        """See FieldClient.enrol."""
        at, given = await asyncio.to_thread(place_and_code, url, code, ca)
        body = await asyncio.to_thread(self.blocking.ask_to_enrol, given)
        transport = await self._transport(at)
        try:
            response = await transport.exchange("POST", enrolling.ENROL_PATH, syncing.json_headers(), body)
        except LinkBroken as error:
            raise syncing.failure("offline", error.reason) from error
        await asyncio.to_thread(self.blocking.enrolled, at, response)

    async def sync(self, progress: OnProgress | None = None, *, policy: Policy | None = None) -> SyncReport:
        """See FieldClient.sync."""
        with self.blocking.sync_lock():
            steps: Steps = await asyncio.to_thread(self.blocking.steps)
            transport = await self._transport(steps.address)
            return await syncing.run_async(SyncSession(policy), steps, transport, self._sleep, progress)

    async def problems(self) -> Sequence[AsyncProblem]:
        """See FieldClient.problems; the answers are awaited."""
        arguments = await asyncio.to_thread(self.blocking.troubles)
        return [AsyncProblem(**told, _answer=self.answer) for told in arguments]

    async def answer(
        self, problem: Told, answer: Answer, note: str | None = None, fields: dict[str, Any] | None = None
    ) -> Record | None:
        """See Problem.answer."""
        return await asyncio.to_thread(self.blocking.answer, problem, answer, note, fields)

    replace_key = _awaited(FieldClient.replace_key)
    set_server = _awaited(FieldClient.set_server)
    create = _awaited(FieldClient.create)
    submit = _awaited(FieldClient.submit)
    update = _awaited(FieldClient.update)
    append = _awaited(FieldClient.append)
    edit_entry = _awaited(FieldClient.edit_entry)
    remove_entry = _awaited(FieldClient.remove_entry)
    add = _awaited(FieldClient.add)
    discard = _awaited(FieldClient.discard)
    increment = _awaited(FieldClient.increment)
    act = _awaited(FieldClient.act)
    delete = _awaited(FieldClient.delete)
    get = _awaited(FieldClient.get)
    list = _awaited(FieldClient.list)
    queue = _awaited(FieldClient.queue)
    news = _awaited(FieldClient.news)
    digest = _awaited(FieldClient.digest)
    kinds = _awaited(FieldClient.kinds)
    codes = _awaited(FieldClient.codes)
    grids = _awaited(FieldClient.grids)
    me = _awaited(FieldClient.me)
    actions = _awaited(FieldClient.actions)
    set_passphrase = _awaited(FieldClient.set_passphrase)
    wipe = _awaited(FieldClient.wipe)
    rescue = _awaited(FieldClient.rescue)
    take_in = _awaited(FieldClient.take_in)
    write_request = _awaited(FieldClient.write_request)
    take_answer = _awaited(FieldClient.take_answer)

    async def _transport(self, at: Address) -> AsyncTransport:
        if self._given is not None:
            return self._given
        if self._connected is None or self._connected[0] != at:
            if self._connected is not None:
                await self._connected[1].close()
            context = await asyncio.to_thread(self.blocking.context, at)
            self._connected = (at, AsyncHttpTransport(at.url, context))
        return self._connected[1]


class _Opening:
    """What `open` gives: it may be awaited, or entered with `async with`."""

    def __init__(self, opened: Callable[[], Coroutine[Any, Any, AsyncFieldClient]]) -> None:
        self._opened = opened
        self._client: AsyncFieldClient | None = None

    def __await__(self) -> Generator[Any, None, AsyncFieldClient]:
        return self._opened().__await__()

    async def __aenter__(self) -> AsyncFieldClient:
        self._client = await self._opened()
        return self._client

    async def __aexit__(self, *_: object) -> None:
        if self._client is not None:
            await self._client.close()
