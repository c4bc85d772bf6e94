"""The server, wired: the only place that knows every feature."""

import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from litestar import Litestar
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, SwaggerRenderPlugin

from server import problems
from server.kinds.registry import Registry
from server.services import Services
from server.settings import Settings
from server.storage.engine import open_engine
from server.sync.http import sync_handler

VERSION: Final = "0.1.0"


def create_app(settings: Settings, services: Services | None = None) -> Litestar:
    """The application. Tests hand in services with a clock and randomness of their own."""
    given = services if services is not None else open_services(settings)

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        await given.registry.refresh()
        try:
            yield
        finally:
            await given.engine.dispose()

    return Litestar(
        route_handlers=[sync_handler],
        dependencies={"services": Provide(lambda: given, sync_to_thread=False, use_cache=True)},
        exception_handlers=problems.HANDLERS,
        lifespan=[lifespan],
        openapi_config=OpenAPIConfig(
            "Roundbook", VERSION, path="/schema", render_plugins=[SwaggerRenderPlugin(), JsonRenderPlugin()]
        ),
        request_max_body_size=None,  # server/bodies.py bounds every body as it streams in
        logging_config=None,
    )


def open_services(settings: Settings) -> Services:
    """The services of a real server: the system's clock and randomness."""
    engine = open_engine(settings.database, pool_size=settings.pool_size)
    clock = _system_ms
    return Services(engine, Registry(engine, clock), clock, secrets.token_bytes, settings.limits)


def _system_ms() -> int:
    return time.time_ns() // 1_000_000
