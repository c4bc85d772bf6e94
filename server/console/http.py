"""/office: every page of the console, wired. A feature's pages lie in a module of its own."""

from typing import Final

from litestar import Router
from litestar.connection import ASGIConnection
from litestar.datastructures import CacheControlHeader
from litestar.di import Provide
from litestar.handlers import BaseRouteHandler
from litestar.static_files import create_static_files_router
from litestar.types import ControllerRouterHandler

from server.access import calling, signed
from server.console import (
    affairs,
    casefile,
    devices,
    differences,
    duplicates,
    inbox,
    intake,
    ledger,
    people,
    places,
    quarantined,
)
from server.console.page import STATIC
from server.console.refusing import PAGE_HANDLERS
from server.problems import Problem
from server.security import SESSION

_YEAR_S: Final = 31_536_000


async def people_alone(connection: ASGIConnection, _: BaseRouteHandler) -> None:  # type: ignore[type-arg]
    """Pages are for people: an application that may do the same has the interface for programs."""
    if "person" not in connection.state:
        raise Problem("forbidden", "pages are for people who sign in")


PAGES: Final[tuple[ControllerRouterHandler, ...]] = (
    *inbox.HANDLERS,
    *ledger.HANDLERS,
    *intake.HANDLERS,
    *differences.PAGES,
    *duplicates.PAGES,
    *quarantined.PAGES,
    *affairs.PAGES,
    *casefile.PAGES,
    *people.HANDLERS,
    *devices.HANDLERS,
    *places.HANDLERS,
)


_PAGES: Final = Router(
    "/office",
    route_handlers=PAGES,
    guards=[people_alone],
    security=SESSION,
    include_in_schema=False,
    dependencies={
        "caller": Provide(calling, sync_to_thread=False),
        "person": Provide(signed, sync_to_thread=False),
    },
    exception_handlers=PAGE_HANDLERS,
)
_FILES: Final = create_static_files_router(
    "/office/static",
    [STATIC],
    opt={"action": "page.part"},
    # The address of a file has its content's hash in it.
    cache_control=CacheControlHeader(public=True, max_age=_YEAR_S, immutable=True),
)
route_handlers: Final[list[Router]] = [_PAGES, _FILES]
"""The pages, and the files that they load."""
