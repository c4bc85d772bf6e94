"""What a worker process starts: the application, with the settings that its parent left in the environment."""

import asyncio
import gc
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

from litestar import Litestar
from litestar.types import ASGIApp

from server.app import create_app
from server.privacy.sweeping import keep_sweeping
from server.settings import Settings, read
from server.sockets import bound_unread
from server.transport import guarded

_YOUNG_OBJECTS: Final = 50_000
"""A push makes some twenty objects a change and keeps none: looking for cycles after every 700 cost an eighth."""


def application() -> ASGIApp:
    """The application of this process, as the network sees it."""
    settings = read(os.environ)
    app = guarded(create_app(settings, lifespan=[_bounded(settings), _sweeping(settings)]), settings)
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 20, 20)
    return app


def _sweeping(settings: Settings) -> Callable[[Litestar], AbstractAsyncContextManager[None]]:
    """Retention is carried out beside the requests, for as long as the process lives."""

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        services = await app.dependencies["services"]()
        task = asyncio.create_task(keep_sweeping(services, settings.retention_minutes))
        try:
            yield
        finally:
            task.cancel()

    return lifespan


def _bounded(settings: Settings) -> Callable[[Litestar], AbstractAsyncContextManager[None]]:
    """What the operating system does for a process that listens, for as long as it lives."""

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        task = asyncio.create_task(bound_unread(settings.unread_s))
        try:
            yield
        finally:
            task.cancel()

    return lifespan
