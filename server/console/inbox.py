"""/office and /office/mine: what waits for whoever has signed in, and the pulse by which pages stay fresh."""

from typing import Any, Final

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect
from litestar.status_codes import HTTP_204_NO_CONTENT
from litestar.types import ControllerRouterHandler

from server.access import Calling, Given, Signed
from server.console.forms import filled
from server.console.page import Asked, page, part, words_of
from server.console.waiting import shown
from server.figures import service as figures
from server.figures.service import MEASURES
from server.inbox import accepting, service
from server.inbox.queues import OFFICE
from server.inbox.service import Line
from server.records.writing import new_id
from server.rights import Person, acting
from server.services import Services

FEW: Final = 3
SOME: Final = 20
_MINE: Final = "/office/mine"
_BULK: Final = "reported"


class _Ticked(msgspec.Struct, frozen=True):
    record: list[str] = []
    key: str = ""


@get("/", opt={"action": "console.open"})
async def home(request: Asked, services: Given, person: Signed) -> Response[str] | Redirect:
    """The inbox of an office; who handles matters elsewhere is led to their own small part."""
    if person.role not in OFFICE:
        return Redirect(_MINE, status_code=303)
    lines = await service.lines(services, person)
    mark = await service.mark(services, person)
    return page(
        request, person, "inbox/inbox.html", lines=_few(request, services, lines, FEW), mark=mark.text
    )


@get("/inbox", opt={"action": "inbox.open"})
async def cards(request: Asked, services: Given, person: Signed) -> Response[str]:
    """The cards of the inbox, for a page that stands open."""
    lines = await service.lines(services, person)
    return part(request, person, "inbox/cards.html", lines=_few(request, services, lines, FEW))


@get("/mine", opt={"action": "mine.open"})
async def mine(request: Asked, services: Given, person: Signed) -> Response[str]:
    """What is somebody's own: assigned, waiting for an opinion, to be settled in the village, passed up; figures."""
    mark = await service.mark(services, person)
    lines = await service.lines(services, person)
    return page(
        request, person, "inbox/mine.html", mark=mark.text, lines=_few(request, services, lines, SOME),
        figures=await _figures(services, person),
    )  # fmt: skip


@get("/inbox/{name:str}", opt={"action": "console.open"})
async def queue(request: Asked, services: Given, person: Signed, name: FromPath[str]) -> Response[str]:
    """One queue in full, within its bound."""
    mark = await service.mark(services, person)
    line = await service.line(services, person, name)
    caller = acting(person, "records.act")
    return page(
        request, person, "inbox/list.html", mark=mark.text, line=_few(request, services, [line], service.MOST)[0],
        bulk=name == _BULK and caller is not None, at_once=accepting.AT_ONCE,
    )  # fmt: skip


@post("/inbox/reported/preview", status_code=200, opt={"action": "records.act"})
async def preview_accepting(
    request: Asked, services: Given, caller: Calling, person: Signed
) -> Response[str]:
    """What accepting the ticked ones would do, line by line."""
    given = await filled(request, _Ticked)
    foreseen = await accepting.preview(services, caller, accepting.chosen_of(given.record))
    key = new_id(services, services.clock())
    return part(request, person, "inbox/accepting.html", outcomes=foreseen, key=key, done=False)


@post("/inbox/reported/accept", status_code=200, opt={"action": "records.act"})
async def accept(request: Asked, services: Given, caller: Calling, person: Signed) -> Response[str]:
    """Accepts them, each for itself."""
    given = await filled(request, _Ticked)
    done = await accepting.accept(services, caller, accepting.chosen_of(given.record), given.key)
    return part(request, person, "inbox/accepting.html", outcomes=done, key="", done=True)


class Pulse(msgspec.Struct, frozen=True):
    """What a page that stands open is told when something has moved."""

    mark: str
    counts: dict[str, str]
    """By queue."""
    pages: dict[str, str]
    """By the address of a section."""
    newer: int
    """Of the list that the page shows: how many came or changed since it was made."""


@get("/pulse", opt={"action": "console.open", "by_itself": True})
async def pulse(request: Asked, services: Given, person: Signed) -> Response[Pulse | None]:
    """204 as long as nothing has moved since the mark that the page has."""
    asked = request.query_params
    mark = await service.mark(services, person)
    if asked.get("since", "") == mark.text:
        return Response(None, status_code=HTTP_204_NO_CONTENT)
    lines = await service.lines(services, person)
    seen, newer = mark.then(asked.get("seen", "")), 0
    for one in lines:
        if seen is not None and one.queue.name == asked.get("queue"):
            newer = one.newer(seen)
    told = Pulse(
        mark.text,
        {one.queue.name: one.count for one in lines},
        {one.queue.page: one.count for one in lines if one.queue.page is not None and one.items},
        newer,
    )
    return Response(told)


def _few(request: Asked, services: Services, lines: list[Line], most: int) -> list[dict[str, Any]]:
    words, now_ms = words_of(request), services.clock()
    kind = services.registry.latest("matter")
    return [
        {
            "queue": one.queue,
            "count": one.count,
            "path": one.queue.page or f"/office/inbox/{one.queue.name}",
            "items": [shown(item.waiting, one.queue, kind, words, now_ms) for item in one.items[:most]],
            "more": len(one.items) > most,
        }
        for one in lines
    ]


async def _figures(services: Services, person: Person) -> list[dict[str, Any]]:
    """How many matters there were this year, by township, for who sees nothing else."""
    caller = acting(person, "figures.read") if person.role == "county_observer" else None
    if caller is None:
        return []
    found = {
        name: await figures.count(services, caller, figures.Asked(name, "township")) for name in MEASURES
    }
    by_code = {name: {cell.code: cell.matters for cell in one.cells} for name, one in found.items()}
    return [
        {"name": cell.name or cell.code, **{name: by_code[name].get(cell.code, 0) for name in MEASURES}}
        for cell in found[MEASURES[0]].cells
    ]


HANDLERS: Final[tuple[ControllerRouterHandler, ...]] = (
    home, cards, mine, queue, preview_accepting, accept, pulse,
)  # fmt: skip
