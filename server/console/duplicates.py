"""/office/duplicates: pairs that may be one matter, side by side; joined, split, or marked as different."""

from typing import Any, Final

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath, FromQuery
from litestar.plugins.htmx import ClientRedirect
from litestar.types import ControllerRouterHandler

from server.access import Calling, Given, Signed
from server.console.forms import filled
from server.console.page import Asked, go_to, page, words_of
from server.console.saying import facts, said, title_of
from server.console.words import Words
from server.duplicates import service
from server.duplicates.likeness import Reason
from server.duplicates.service import PairView
from server.records.views import RecordView
from server.records.writing import Target, new_id
from server.services import Services
from sync_protocol.history import STATE

LISTED: Final = 50


class Line(msgspec.Struct, frozen=True):
    """One field of both matters."""

    title: str
    one: str
    other: str


class Joining(msgspec.Struct):
    """The form of a join: which of the two stays."""

    survivor: str
    key: str
    version: int
    reason: str = ""


class Telling(msgspec.Struct):
    """The form of what needs a reason and a key alone."""

    key: str
    reason: str = ""


@get("/duplicates", opt={"action": "records.join"})
async def pairs(
    request: Asked,
    services: Given,
    person: Signed,
    caller: Calling,
    status: FromQuery[str] = "open",
    after: FromQuery[str | None] = None,
) -> Response[str]:
    """Pairs, the oldest first."""
    found = await service.listed(services, caller, status, after, LISTED)
    w = words_of(request)
    rows = [(pair, [reason_words(reason, w) for reason in pair.reasons]) for pair in found.pairs]
    return page(request, person, "duplicates/list.html", rows=rows, status=status, next=found.next)


@get("/duplicates/{one:str}/{other:str}", opt={"action": "records.join"})
async def pair(
    request: Asked, services: Given, person: Signed, caller: Calling, one: FromPath[str], other: FromPath[str]
) -> Response[str]:
    """Two matters side by side."""
    found = await service.get(services, caller, one, other)
    w = words_of(request)
    joined = [view for view in (found.one, found.other) if view.joined_into in {found.one.id, found.other.id}]
    given: dict[str, Any] = {
        "pair": found,
        "reasons": [reason_words(reason, w) for reason in found.reasons],
        "lines": _lines(services, found, w),
        "stub": joined[0] if joined else None,
        "key": new_id(services, services.clock()),
    }
    return page(request, person, "duplicates/pair.html", **given)


@post("/duplicates/{one:str}/{other:str}/join", opt={"action": "records.join"}, status_code=200)
async def join(
    request: Asked, services: Given, caller: Calling, one: FromPath[str], other: FromPath[str]
) -> ClientRedirect:
    """Joins the one that does not stay into the one that does."""
    form = await filled(request, Joining)
    absorbed = other if form.survivor == one else one
    reason = form.reason or words_of(request)("同一事项", "the same matter")
    await service.join(services, caller, Target(absorbed, form.version, form.key), form.survivor, reason)
    return go_to(f"/office/duplicates/{one}/{other}")


@post("/duplicates/{one:str}/{other:str}/different", opt={"action": "records.join"}, status_code=200)
async def different(
    request: Asked, services: Given, caller: Calling, one: FromPath[str], other: FromPath[str]
) -> ClientRedirect:
    """Says that these are two matters."""
    form = await filled(request, Telling)
    await service.mark_different(services, caller, one, other, form.reason)
    return go_to("/office/duplicates")


@post("/matters/{record:str}/split", opt={"action": "records.join"}, status_code=200)
async def split(request: Asked, services: Given, caller: Calling, record: FromPath[str]) -> ClientRedirect:
    """Splits a joined matter off again."""
    form = await filled(request, Telling)
    done = await service.split(services, caller, Target(record, None, form.key), form.reason)
    return go_to(f"/office/duplicates/{done.absorbed.id}/{done.survivor.id}")


def reason_words(reason: Reason, w: Words) -> str:
    """One reason why two matters may be one."""
    n = reason.figure
    match reason.code:
        case "words":
            return w(f"文字相近 {n}%", f"{n}% of the words")
        case "category":
            return w("同一类别", "same category")
        case "grid":
            return w("同一网格", "same grid")
        case "metres":
            return w(f"相距 {n} 米", f"{n} m apart")
        case "days":
            return w("同一天" if n == 0 else f"相隔 {n} 天", "same day" if n == 0 else f"{n} d apart")
        case _:
            return reason.code


def _lines(services: Services, found: PairView, w: Words) -> list[Line]:
    """Every field that either has, in the order of the declaration."""
    one, other = (dict(_said(services, view, w)) for view in (found.one, found.other))
    return [
        Line(title, one.get(title, "—"), other.get(title, "—")) for title in dict.fromkeys([*one, *other])
    ]


def _said(services: Services, view: RecordView, w: Words) -> list[tuple[str, str]]:
    kind = services.registry.latest(view.kind)
    state = (title_of(kind, STATE, w), said(kind, STATE, view.state, w))
    return [state, *((fact.title, fact.text) for fact in facts(kind, view.fields, w))]


PAGES: Final[tuple[ControllerRouterHandler, ...]] = (pairs, pair, join, different, split)
