"""/office/quarantine: changes that could not be applied: why, what they wanted; taken in again, or closed."""

from typing import Any, Final

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath, FromQuery
from litestar.plugins.htmx import ClientRedirect
from litestar.types import ControllerRouterHandler

from server.access import Calling, Given, Signed
from server.casefile.forms import choices_of, shown_as, value_of
from server.console.forms import filled, one_line_ending
from server.console.page import Asked, go_to, page, words_of
from server.console.saying import facts, limits_of, said, title_of
from server.console.typed import INPUTS, field_at
from server.console.words import Words
from server.directory.naming import place_name
from server.ledger import service as ledger
from server.quarantine import service
from server.quarantine.replaying import Correction
from server.quarantine.views import QuarantinedView
from server.reach import Caller
from server.records.writing import Target, new_id
from server.services import Services
from sync_protocol.codes import CODES
from sync_protocol.history import STATE
from sync_protocol.kinds import Field, Kind

LISTED: Final = 50


class Input(msgspec.Struct, frozen=True):
    """One value of the change that may be corrected."""

    field: Field
    title: str
    sort: str
    value: str
    choices: list[tuple[str, str]]
    limits: str
    wrong: bool
    """Whether it is the one that the change was refused for."""


class Taking(msgspec.Struct):
    """The form by which a change is taken in; the corrected values are read beside it."""

    key: str
    place: str | None = None
    reason: str = ""


class Closing(msgspec.Struct):
    """The form by which a change is closed."""

    key: str
    reason: str = ""


@get("/quarantine", opt={"action": "quarantine.list"})
async def quarantine(
    request: Asked, services: Given, person: Signed, caller: Calling, after: FromQuery[str | None] = None
) -> Response[str]:
    """What waits, the oldest first."""
    found = await service.listed(services, caller, after, LISTED)
    w = words_of(request)
    rows = [(one, _why(services, one, w), _kind_title(services, one, w)) for one in found.changes]
    return page(request, person, "quarantine/list.html", rows=rows, next=found.next)


@get("/quarantine/{change:str}", opt={"action": "quarantine.list"})
async def quarantined(
    request: Asked, services: Given, person: Signed, caller: Calling, change: FromPath[str]
) -> Response[str]:
    """One of them: why, whose, what it wanted, and what can be done."""
    one = await service.get(services, caller, change)
    w = words_of(request)
    kind = _kind(services, one)
    wanted = one.wanted
    given: dict[str, Any] = {
        "one": one,
        "place": await place_name(services, one.township, wanted.place) if wanted and wanted.place else "",
        "why": _why(services, one, w),
        "kind": _kind_title(services, one, w),
        "wanted": list(facts(kind, wanted.fields, w)) if wanted is not None else [],
        "operations": [_operation(kind, op, w) for op in wanted.operations] if wanted is not None else [],
        "step": said(kind, STATE, wanted.to, w) if wanted is not None and wanted.to else "",
        "inputs": _inputs(kind, one, w),
        "grids": await _grids(services, caller, one),
        "key": new_id(services, services.clock()),
    }
    return page(request, person, "quarantine/one.html", **given)


async def _grids(services: Services, caller: Caller, one: QuarantinedView) -> list[tuple[str, str]]:
    """Where a new record may go; the place that it wanted stays a choice, whatever it is."""
    if one.wanted is None or one.wanted.do != "create":
        return []
    grids, wanted = (await ledger.choices(services, caller)).grids, one.wanted.place
    known = wanted is None or any(code == wanted for code, _ in grids)
    return grids if known else [(str(wanted), str(wanted)), *grids]


@post("/quarantine/{change:str}/take", opt={"action": "quarantine.replay"}, status_code=200)
async def take(request: Asked, services: Given, caller: Calling, change: FromPath[str]) -> ClientRedirect:
    """Takes it in again, corrected where something was corrected."""
    form = await filled(request, Taking)
    one = await service.get(services, caller, change)
    corrected = await _corrected(request, services, one)
    chosen = form.place or None
    place = chosen if one.wanted is not None and chosen != one.wanted.place else None
    correction = Correction(corrected, place, reason=form.reason or None)
    await service.replay(services, caller, Target(change, None, form.key), correction)
    return go_to("/office/quarantine")


@post("/quarantine/{change:str}/close", opt={"action": "quarantine.replay"}, status_code=200)
async def close(request: Asked, services: Given, caller: Calling, change: FromPath[str]) -> ClientRedirect:
    """Closes it without applying it; the reason goes to the worker."""
    form = await filled(request, Closing)
    correction = Correction(discard=True, reason=form.reason or None)
    await service.replay(services, caller, Target(change, None, form.key), correction)
    return go_to("/office/quarantine")


async def _corrected(request: Asked, services: Services, one: QuarantinedView) -> dict[str, Any]:
    """The values that were typed anew; one that says what the change said is none."""
    sent = await request.form()
    found: dict[str, Any] = {}
    for shown in _inputs(_kind(services, one), one, words_of(request)):
        text = sent.get(f"field.{shown.field.name}")
        if isinstance(text, str) and one_line_ending(text) != shown.value:
            found[shown.field.name] = value_of(shown.field, one_line_ending(text).strip())
    return found


def _inputs(kind: Kind | None, one: QuarantinedView, w: Words) -> list[Input]:
    """The single values that the change says, and the one that it lacks; masked contact is not among them."""
    wanted = one.wanted
    names = dict.fromkeys(
        [*(wanted.fields if wanted is not None else ()), *([one.field] if one.field else ())]
    )
    found = []
    for name in names if wanted is not None and wanted.do != "delete" else ():
        field = field_at(kind, name)
        if field is not None and field.privacy != "contact":
            value = wanted.fields.get(name) if wanted is not None else None
            limits = limits_of(field, w)
            shown = Input(
                field,
                title_of(kind, name, w),
                INPUTS[field.type],
                shown_as(field, value),
                choices_of(field, w.language),
                limits,
                name == one.field,
            )
            found.append(shown)
    return found


def _operation(kind: Kind | None, op: dict[str, Any], w: Words) -> str:
    title = title_of(kind, str(op.get("field", "")), w)
    match op.get("op"):
        case "add":
            return f"{title}：+ {said(kind, op['field'], [op['value']], w)}"
        case "remove":
            return f"{title}：- {said(kind, op['field'], [op['value']], w)}"
        case "increment":
            return f"{title}：{op['by']:+}"
        case "put":
            return f"{title}：{said(kind, '/'.join((op['field'], op['entry'])), op['values'], w)}"
        case _:
            return f"{title}：{w('删去一条', 'an entry is removed')}"


def _why(services: Services, one: QuarantinedView, w: Words) -> str:
    code = CODES.get(one.code)
    words = w(code.zh, code.en) if code is not None else one.code
    field = title_of(_kind(services, one), one.field, w) if one.field else ""
    return f"{words}：{field}" if field else words


def _kind(services: Services, one: QuarantinedView) -> Kind | None:
    return services.registry.latest(one.wanted.kind) if one.wanted is not None else None


def _kind_title(services: Services, one: QuarantinedView, w: Words) -> str:
    kind = _kind(services, one)
    return w.title(kind.title) if kind is not None else ""


PAGES: Final[tuple[ControllerRouterHandler, ...]] = (quarantine, quarantined, take, close)
