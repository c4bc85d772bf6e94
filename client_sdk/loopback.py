"""Transports that drive an application in the same process: for tests, examples and simulations.

    LoopbackTransport(app)         blocking; the application runs on an event loop of its own thread
    AsyncLoopbackTransport(app)    in the caller's event loop

Both start the application's lifespan when they are entered and end it when they are left. Several clients
may share one; a client never closes a transport that was handed to it.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from typing import Any, Final, Self, TypeVar

import httpx2

from client_sdk.transport import RESPONSE_BYTES_MAX, TOTAL_S, LinkBroken, Response

App = Callable[
    [
        MutableMapping[str, Any],
        Callable[[], Awaitable[MutableMapping[str, Any]]],
        Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ],
    Awaitable[None],
]
Result = TypeVar("Result")
_URL: Final = "http://loopback"


class AsyncLoopbackTransport:
    """An application behind the asynchronous seam."""

    def __init__(self, app: Any) -> None:
        """`app` is an ASGI application."""
        self._client = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=app), base_url=_URL, follow_redirects=False
        )
        self._lifespan = _Lifespan(app)

    async def __aenter__(self) -> Self:
        try:
            await self._lifespan.start()
        except BaseException:
            await self._client.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def exchange(
        self, method: str, path: str, headers: dict[str, str], body: bytes, timeout_s: float = TOTAL_S
    ) -> Response:
        """See AsyncTransport."""
        try:
            async with (
                asyncio.timeout(timeout_s),
                self._client.stream(method, path, headers=headers, content=body) as response,
            ):
                raw = b"".join([chunk async for chunk in response.aiter_raw()])
        except (httpx2.HTTPError, TimeoutError) as error:
            raise LinkBroken("cut", len(body)) from error
        if len(raw) > RESPONSE_BYTES_MAX:
            raise LinkBroken("response_too_large", len(body), len(raw))
        named = {name.lower(): value for name, value in response.headers.items()}
        return Response(response.status_code, named, raw)

    async def close(self) -> None:
        """Ends the application's lifespan."""
        await self._client.aclose()
        await self._lifespan.stop()


class LoopbackTransport:
    """An application behind the blocking seam."""

    def __init__(self, app: Any) -> None:
        """`app` is an ASGI application."""
        self._app = app
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="loopback", daemon=True)
        self._inner: AsyncLoopbackTransport | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._inner = self.run(self._begin())
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def exchange(
        self, method: str, path: str, headers: dict[str, str], body: bytes, timeout_s: float = TOTAL_S
    ) -> Response:
        """See Transport."""
        if self._inner is None:
            raise LinkBroken("no_connection")
        return self.run(self._inner.exchange(method, path, headers, body, timeout_s))

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Runs something on the application's event loop, and waits for it: for tests that look inside."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def close(self) -> None:
        """Ends the application's lifespan and its thread."""
        if self._inner is not None:
            self.run(self._inner.close())
            self._inner = None
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        if not self._loop.is_closed():
            self._loop.close()

    async def _begin(self) -> AsyncLoopbackTransport:
        inner = AsyncLoopbackTransport(self._app)
        return await inner.__aenter__()


class _Lifespan:
    """The lifespan of an ASGI application: started and ended in one task, as the specification asks."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._inbox: asyncio.Queue[MutableMapping[str, Any]] = asyncio.Queue()
        self._outbox: asyncio.Queue[str] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run())
        await self._ask("lifespan.startup")

    async def stop(self) -> None:
        if self._task is not None:
            if not self._task.done():
                await self._ask("lifespan.shutdown")
            await self._task
            self._task = None

    async def _ask(self, what: str) -> None:
        await self._inbox.put({"type": what})
        said = asyncio.create_task(self._outbox.get())
        await asyncio.wait(
            {said, *({self._task} if self._task is not None else set())}, return_when="FIRST_COMPLETED"
        )
        if not said.done():  # the application has ended instead: let its error out
            said.cancel()
            if self._task is not None:
                await self._task
            return
        if said.result() == f"{what}.failed":
            await self._give_up()
            message = f"the application said {what}.failed"
            raise RuntimeError(message)

    async def _give_up(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
            self._task = None

    async def _run(self) -> None:
        async def send(message: MutableMapping[str, Any]) -> None:
            await self._outbox.put(str(message["type"]))

        await self._app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, self._inbox.get, send)
