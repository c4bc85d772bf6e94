"""The server, wired: the only place that knows every feature."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import chain
from typing import Final

from litestar import Litestar, Router
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.types import ControllerRouterHandler

from server import problems
from server.access import require_rule
from server.admission import Admission, Bounds
from server.bodies import COMPRESSION, BoundedRequest
from server.conflicts import http as conflicts
from server.console import http as console
from server.contact import http as contact
from server.deadlines import http as deadlines
from server.devices.http import enrol_handler
from server.feed import http as feed
from server.figures import http as figures
from server.health.http import live_handler, ready_handler
from server.privacy import http as privacy
from server.quarantine import http as quarantine
from server.records import http as records
from server.rescue import http as rescue
from server.security import COMPONENTS, protect
from server.services import Services, open_services
from server.sessions import http as sessions
from server.settings import Settings
from server.sync.http import sync_handler

VERSION: Final = "0.1.0"
Lifespan = Callable[[Litestar], AbstractAsyncContextManager[None]]


def create_app(
    settings: Settings, services: Services | None = None, lifespan: Sequence[Lifespan] = ()
) -> Litestar:
    """The application. Tests hand in services with a clock and randomness of their own."""
    given = services if services is not None else open_services(settings)

    @asynccontextmanager
    async def living(_: Litestar) -> AsyncIterator[None]:
        await given.registry.refresh()
        try:
            yield
        finally:
            await given.engine.dispose()

    return Litestar(
        route_handlers=_handlers(),
        dependencies={"services": Provide(lambda: given, sync_to_thread=False, use_cache=True)},
        exception_handlers=problems.HANDLERS,
        opt={problems.PAUSE: settings.retry_after_s_max},
        guards=[require_rule],
        before_send=[protect],
        lifespan=[living, *lifespan],
        openapi_config=_described(),
        request_class=BoundedRequest,
        middleware=[Admission(_bounds(settings, given))],
        request_max_body_size=given.limits.body_bytes_max,
        compression_config=COMPRESSION,
        logging_config=None,
    )


def _described() -> OpenAPIConfig:
    schema = Router("/schema", route_handlers=[], include_in_schema=False, opt={"action": "schema"})
    return OpenAPIConfig(
        "Roundbook",
        VERSION,
        openapi_router=schema,
        render_plugins=[JsonRenderPlugin()],
        components=COMPONENTS,
    )


def _bounds(settings: Settings, services: Services) -> Bounds:
    return Bounds(
        settings.requests_max,
        settings.bodies_bytes_max,
        services.limits.body_bytes_max,
        settings.body_patience_s,
        settings.body_bytes_per_s,
        settings.retry_after_s_max,
    )


_FEATURES: Final = (
    records,
    conflicts,
    quarantine,
    feed,
    figures,
    rescue,
    privacy,
    deadlines,
    sessions,
    contact,
    console,
)


def _handlers() -> Sequence[ControllerRouterHandler]:
    office = chain.from_iterable(feature.route_handlers for feature in _FEATURES)
    return [sync_handler, enrol_handler, live_handler, ready_handler, *office]
