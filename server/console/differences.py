"""/office/differences: what differs and waits for a person, and the decision about it."""

from typing import Any, Final

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath, FromQuery
from litestar.plugins.htmx import ClientRedirect
from litestar.types import ControllerRouterHandler

from server.access import Calling, Given, Signed
from server.casefile.forms import choices_of, value_of
from server.conflicts import service, undoing
from server.conflicts.deciding import Choice
from server.conflicts.views import ConflictDetail, ConflictView, SideView
from server.console.differing import Piece, pieces
from server.console.forms import filled
from server.console.page import Asked, go_to, page, part, words_of
from server.console.saying import Fact, facts, said, title_of
from server.console.typed import INPUTS, field_at
from server.declined import Declined, invalid
from server.directory.naming import place_name
from server.records import service as records
from server.records.creating import NewRecord
from server.records.writing import Target, new_id
from server.rights import acting
from server.services import Services
from sync_protocol.kinds import Kind

LISTED: Final = 50
GRID_DIGITS: Final = 15
TASK: Final = "task"
Row = tuple[ConflictView, str, list[str]]
"""A difference, what it is about, and what each value says."""


class Side(msgspec.Struct, frozen=True):
    """One of the values that differ, as the page shows it."""

    view: SideView
    text: str
    pieces: list[Piece]
    """How it came from what both had seen before; empty where that would say nothing."""


class Decided(msgspec.Struct):
    """The form of a decision: one of the values, or another one that was typed."""

    version: int
    key: str
    pick: str | None = None
    value: str = ""
    empty: bool = False
    """Said in so many words: a box that was left empty means nothing."""
    reason: str = ""


class Asking(msgspec.Struct):
    """The form by which the worker is asked."""

    key: str
    what: str


class Undoing(msgspec.Struct):
    """The form by which a decision is taken back."""

    key: str
    reason: str = ""


class Chosen(msgspec.Struct):
    """The form of a list: which ones, each as `id version`."""

    chosen: list[str] = []
    reason: str = ""


@get("/differences", opt={"action": "conflicts.list"})
async def differences(
    request: Asked,
    services: Given,
    person: Signed,
    caller: Calling,
    status: FromQuery[str] = "open",
    after: FromQuery[str | None] = None,
) -> Response[str]:
    """What differs, the oldest first."""
    found = await service.listed(services, caller, status, None, after, LISTED)
    rows = _rows(request, services, found.conflicts)
    return page(request, person, "differences/list.html", rows=rows, status=status, next=found.next)


@get("/differences/{conflict:str}", opt={"action": "conflicts.read"})
async def difference(
    request: Asked, services: Given, person: Signed, caller: Calling, conflict: FromPath[str]
) -> Response[str]:
    """One difference: base, every value, the rest of the record, and what can be done."""
    shown = await service.get(services, caller, conflict)
    kind, w = services.registry.latest(shown.kind), words_of(request)
    field = field_at(kind, shown.path)
    given: dict[str, Any] = {
        "shown": shown,
        "place": await place_name(services, shown.township, shown.place),
        "what": title_of(kind, shown.path, w),
        "base": said(kind, shown.path, shown.base, w),
        "stands": said(kind, shown.path, shown.stands, w),
        "sides": [_side(kind, shown, side, request) for side in shown.values],
        "rest": _rest(kind, shown, request),
        "field": field,
        "sort": INPUTS[field.type] if field is not None else "",
        "choices": choices_of(field, words_of(request).language) if field is not None else [],
        "key": new_id(services, services.clock()),
        "may_ask": len(shown.place) == GRID_DIGITS,
        "undoable": await undoing.can_be_undone(services, shown),
    }
    return page(request, person, "differences/one.html", **given)


@post("/differences/{conflict:str}", opt={"action": "conflicts.decide"}, status_code=200)
async def decide(request: Asked, services: Given, caller: Calling, conflict: FromPath[str]) -> ClientRedirect:
    """Decides for one of the values, or for another one."""
    form = await filled(request, Decided)
    picked = Choice(pick=form.pick, reason=form.reason or None) if form.pick else None
    choice = picked or await _third(services, caller, conflict, form)
    await service.resolve(services, caller, Target(conflict, form.version, form.key), choice)
    return go_to(f"/office/differences/{conflict}")


async def _third(services: Services, caller: Calling, conflict: str, form: Decided) -> Choice:
    shown = await service.get(services, caller, conflict)
    field = field_at(services.registry.latest(shown.kind), shown.path)
    if field is None:
        raise invalid("value", "choose one of the values")
    if bool(form.value.strip()) == form.empty:
        said = (
            "write what is right, or keep one of the values; to empty the field, tick that it should be empty"
        )
        said_zh = "请写上正确的内容，或采用其中一个；确实应为空的，请勾选“此栏应为空”"
        raise invalid("value", said, detail_zh=said_zh)
    return Choice(value=value_of(field, form.value.strip()), reason=form.reason or None)


@post("/differences/{conflict:str}/undo", opt={"action": "conflicts.decide"}, status_code=200)
async def undo(request: Asked, services: Given, caller: Calling, conflict: FromPath[str]) -> ClientRedirect:
    """Takes a decision back."""
    form = await filled(request, Undoing)
    await undoing.undo(services, caller, Target(conflict, None, form.key), form.reason)
    return go_to(f"/office/differences/{conflict}")


@post("/differences/{conflict:str}/ask", opt={"action": "records.create"}, status_code=200)
async def ask(
    request: Asked, services: Given, person: Signed, caller: Calling, conflict: FromPath[str]
) -> Response[str]:
    """Asks the worker: a task in the record's grid, which their next sync brings."""
    form = await filled(request, Asking)
    reading = acting(person, "conflicts.read")
    if reading is None:
        raise Declined("forbidden")
    shown = await service.get(services, reading, conflict)
    about = {"matter": shown.record} if shown.kind == "matter" else {}
    new = NewRecord(TASK, f"ask:{conflict}:{form.key}", shown.place, {"what": form.what, **about})
    await records.create(services, caller, new)
    return part(request, person, "differences/asked.html")


@post("/differences-preview", opt={"action": "conflicts.list"}, status_code=200)
async def preview(request: Asked, services: Given, person: Signed, caller: Calling) -> Response[str]:
    """What would come of deciding all the chosen ones as the rules propose."""
    form = await filled(request, Chosen)
    shown = [await service.get(services, caller, one.partition(" ")[0]) for one in form.chosen[:LISTED]]
    undecided = [one for one in shown if one.status != "decided"]
    rows = _rows(request, services, undecided)
    return part(
        request,
        person,
        "differences/preview.html",
        rows=rows,
        proposals=_proposals(request, services, undecided),
    )


@post("/differences-decide", opt={"action": "conflicts.decide"}, status_code=200)
async def decide_all(request: Asked, services: Given, person: Signed, caller: Calling) -> Response[str]:
    """Decides each of the chosen ones as its rule proposes; what somebody else has touched is left and named."""
    form = await filled(request, Chosen)
    done, left = 0, []
    for one in form.chosen[:LISTED]:
        conflict, _, version = one.partition(" ")
        seen = int(version) if version.isdecimal() else None
        try:
            shown = await service.get(services, caller, conflict)
            choice = Choice(value=shown.stands, reason=form.reason or None)
            await service.resolve(services, caller, Target(conflict, seen), _picked(shown, choice))
            done += 1
        except Declined as declined:
            left.append((conflict, declined.code))
    return part(request, person, "differences/done.html", done=done, left=left)


def _picked(shown: ConflictView, choice: Choice) -> Choice:
    """The value that stands, named by its change where it is one of those that differ: it may be masked here."""
    standing = next((side.change for side in shown.values if side.stands), None)
    return Choice(pick=standing, reason=choice.reason) if standing is not None else choice


def _rows(request: Asked, services: Services, found: list[Any]) -> list[Row]:
    rows: list[Row] = []
    for one in found:
        kind, w = services.registry.latest(one.kind), words_of(request)
        texts = [said(kind, one.path, side.value, w) for side in one.values]
        rows.append((one, title_of(kind, one.path, w), texts))
    return rows


def _proposals(request: Asked, services: Services, found: list[ConflictDetail]) -> list[str]:
    w = words_of(request)
    return [said(services.registry.latest(one.kind), one.path, one.stands, w) for one in found]


def _side(kind: Kind | None, shown: ConflictDetail, side: SideView, request: Asked) -> Side:
    texts = isinstance(side.value, str) and isinstance(shown.base, str)
    field = field_at(kind, shown.path)
    compared = texts and field is not None and field.type == "text"
    found = pieces(shown.base, side.value) if compared else []
    return Side(side, said(kind, shown.path, side.value, words_of(request)), found)


def _rest(kind: Kind | None, shown: ConflictDetail, request: Asked) -> list[Fact]:
    return list(facts(kind, shown.rest.fields, words_of(request), skip=shown.path.partition("/")[0]))


PAGES: Final[tuple[ControllerRouterHandler, ...]] = (
    differences,
    difference,
    decide,
    undo,
    ask,
    preview,
    decide_all,
)
