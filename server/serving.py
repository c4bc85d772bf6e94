"""What a worker process starts: the application, with the settings that its parent left in the environment."""

import asyncio
import contextlib
import gc
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

from litestar import Litestar
from litestar.types import ASGIApp

from server.app import create_app
from server.deadlines.running import keep_running
from server.duplicates.keeping import PAIRS
from server.following import keep_following
from server.ledger.making import LEDGER
from server.privacy.sweeping import keep_sweeping
from server.services import Services
from server.settings import Settings, read
from server.sockets import bound_unread
from server.transport import guarded

_YOUNG_OBJECTS: Final = 50_000
"""A push makes some twenty objects a change and keeps none: looking for cycles after every 700 cost an eighth."""
Lifespan = Callable[[Litestar], AbstractAsyncContextManager[None]]


def application() -> ASGIApp:
    """The application of this process, as the network sees it."""
    settings = read(os.environ)
    lifespan = [
        _bounded(settings),
        _beside(lambda services: keep_sweeping(services, settings.retention_minutes)),
        _beside(lambda services: keep_running(services, settings.deadlines_s)),
        _beside(lambda services: keep_following(services, [LEDGER, PAIRS], settings.deadlines_s)),
    ]
    app = guarded(create_app(settings, lifespan=lifespan), settings)
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 20, 20)
    return app


def _beside(work: Callable[[Services], Coroutine[None, None, None]]) -> Lifespan:
    """What is done beside the requests, for as long as the process lives."""

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        services = await app.dependencies["services"]()
        task = asyncio.create_task(work(services))
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    return lifespan


def _bounded(settings: Settings) -> Lifespan:
    """What the operating system does for a process that listens, for as long as it lives."""

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        task = asyncio.create_task(bound_unread(settings.unread_s))
        try:
            yield
        finally:
            task.cancel()

    return lifespan
