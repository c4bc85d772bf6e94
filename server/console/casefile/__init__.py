"""Pages of the case file: the matter, what is done with it, its slips."""

from typing import Final

from litestar.types import ControllerRouterHandler

from server.console.casefile import beside, editing, pages, slips, stepping

PAGES: Final[tuple[ControllerRouterHandler, ...]] = (
    *pages.PAGES,
    *stepping.PAGES,
    *editing.PAGES,
    *beside.PAGES,
    *slips.PAGES,
)
