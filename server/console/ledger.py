"""/office/ledger: the ledger, its saved views and exports, and the two ways to look further for a stated reason."""

from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode

import msgspec
from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.response import Stream
from litestar.types import ControllerRouterHandler

from server.access import Calling, Given, Signed
from server.console.forms import filled
from server.console.page import Asked, go_to, page, part, words_of
from server.console.words import Words
from server.contact import service as contact
from server.declined import Declined
from server.ledger import exporting, service, views
from server.ledger.asking import CODED, OPEN, OVER, Question, question_of, says
from server.ledger.columns import TITLES, cells
from server.ledger.files import FORMS
from server.ledger.naming import Names
from server.ledger.service import COUNT_MAX, Choices, Listed
from server.privacy import searching
from sync_protocol.kinds import Kind

LINES: Final = 50
_PATH: Final = "/office/ledger"
_OTHER: Final = {"number": ("编号", "Number"), "words": ("标题含", "Title has")}


class _NewView(msgspec.Struct, frozen=True):
    view: str
    query: str = ""


class _Narratives(msgspec.Struct, frozen=True):
    text: str
    reason: str


class _Lookup(msgspec.Struct, frozen=True):
    contact: str
    reason: str


@get("/ledger", opt={"action": "records.list"})
async def show_ledger(request: Asked, services: Given, caller: Calling, person: Signed) -> Response[str]:
    """The ledger as it is filtered, or for htmx the next rows of it."""
    words, after = words_of(request), request.query_params.get("after")
    kind, problem = await service.kind_of(services), ""
    question, listed = Question(), Listed([], None, 0, kind, Names(), services.clock())
    try:
        question = _asked(request)
        listed = await service.listed(services, caller, question, after, LINES)
    except Declined as declined:
        if after is not None:
            raise
        problem = declined.detail
    given: dict[str, Any] = {
        "lines": _lines(listed, words),
        "onward": _address({**says(question), "after": listed.next}) if listed.next else None,
        "titles": TITLES,
    }
    if after is not None:
        return part(request, person, "ledger/rows.html", **given)
    choices = await service.choices(services, caller)
    return page(
        request, person, "ledger/list.html", **given,
        problem=problem, asked=_given(request), chips=_chips(question, kind, choices, words),
        fields=_fields(kind, choices, question, words), count=listed.count, count_max=COUNT_MAX,
        query=urlencode(says(question)), forms=list(FORMS),
        saved=[(one.name, _address(says(one.question))) for one in await views.saved(services, person)],
    )  # fmt: skip


@get("/ledger/export", opt={"action": "ledger.export"})
async def export_ledger(request: Asked, services: Given, caller: Calling) -> Stream:
    """Exactly what is filtered, as a file. Recorded."""
    form = request.query_params.get("form", "")
    made = await exporting.export(services, caller, _asked(request), form, words_of(request))
    disposition = f"attachment; filename=\"ledger.{form}\"; filename*=UTF-8''{quote(made.name)}"
    return Stream(made.chunks(), media_type=made.media_type, headers={"content-disposition": disposition})


@post("/ledger/views", status_code=200, opt={"action": "records.list"})
async def save_view(request: Asked, services: Given, person: Signed) -> Response[Any]:
    """Keeps the filter under a name."""
    given = await filled(request, _NewView)
    question = question_of(dict(parse_qsl(given.query)))
    await views.save(services, person, given.view, question)
    return go_to(_address(says(question)))


@post("/ledger/views/forget", status_code=200, opt={"action": "records.list"})
async def forget_view(request: Asked, services: Given, person: Signed) -> Response[Any]:
    """Forgets a view."""
    given = await filled(request, _NewView)
    await views.forget(services, person, given.view)
    return go_to(_PATH)


@post("/ledger/narratives", status_code=200, opt={"action": "narratives.search"})
async def search_narratives(
    request: Asked, services: Given, caller: Calling, person: Signed
) -> Response[str]:
    """Looks for words in narratives, for a reason that is recorded."""
    given = await filled(request, _Narratives)
    found = await searching.search(services, caller, searching.Search(given.text, given.reason))
    return part(request, person, "ledger/narratives.html", found=found.found, more=found.more)


@post("/ledger/lookup", status_code=200, opt={"action": "contact.look_up"})
async def look_up(request: Asked, services: Given, caller: Calling, person: Signed) -> Response[str]:
    """The numbers of a caller's matters, and nothing else of them. Recorded."""
    given = await filled(request, _Lookup)
    found = await contact.look_up(services, caller, contact.Asked(given.contact, given.reason))
    return part(request, person, "ledger/numbers.html", numbers=found.numbers)


def _asked(request: Request[Any, Any, State]) -> Question:
    beside = {"after", "form"}
    return question_of({name: text for name, text in request.query_params.items() if name not in beside})


def _given(request: Request[Any, Any, State]) -> dict[str, str]:
    """What was asked for, as it was typed; "" for what was not."""
    typed = request.query_params
    return {name: str(typed.get(name, "")) for name in Question.__struct_fields__}


def _address(asked: dict[str, Any]) -> str:
    return f"{_PATH}?{urlencode(asked)}" if asked else _PATH


def _lines(listed: Listed, words: Words) -> list[dict[str, Any]]:
    """What the page shows of each row."""
    return [
        {
            "id": line.row.record_id,
            "cells": cells(line.row, listed.kind, listed.names, listed.now_ms, words),
            "left": words.left(line.row.due_ms, listed.now_ms) if line.row.due_ms is not None else "",
            "is_overdue": line.row.due_ms is not None and line.row.due_ms < listed.now_ms,
            "is_closed": line.row.closed_ms is not None,
        }
        for line in listed.lines
    ]


def _fields(
    kind: Kind, choices: Choices, question: Question, words: Words
) -> dict[str, list[tuple[str, str]]]:
    """Each select of the filters with its choices."""
    states = kind.workflow.states if kind.workflow is not None else ()
    in_village = [
        one for one in choices.grids if question.village is None or one[0].startswith(question.village)
    ]
    fields = {
        name: [(choice.code, words(choice.zh, choice.en)) for choice in declared.choices]
        for name, field in CODED.items()
        if (declared := kind.field(field)) is not None
    }
    return {
        **fields,
        "village": choices.villages,
        "grid": in_village,
        "state": [
            (OPEN, words("未办结", "Open")),
            (OVER, words("已办结及以后", "Closed or later")),
            *((state.name, words.title(state.title)) for state in states if state.numbered),
        ],
        "due": [
            ("overdue", words("超期", "Overdue")),
            ("soon", words("临期（三天内）", "Due within 3 days")),
        ],
        "charge": [
            *((f"leader:{one}", f"{words('包案', 'Leader')} {name}") for one, name in choices.leaders),
            *((f"unit:{name}", f"{words('主办', 'Unit')} {name}") for name in choices.units),
        ],
        "place": [("none", words("没有位置的", "Without a place"))],
        "sort": [
            ("newest", words("最新登记在前", "Newest first")),
            ("oldest", words("最早登记在前", "Oldest first")),
            ("due", words("时限最近在前", "Due first")),
            ("number", words("按编号", "By number")),
        ],
    }


def _chips(question: Question, kind: Kind, choices: Choices, words: Words) -> list[tuple[str, str]]:
    """What is filtered by, in words, each with the address of the list without it."""
    asked, fields = says(question), _fields(kind, choices, question, words)
    chips = []
    for name, value in asked.items():
        if name == "sort":
            continue
        shown = dict(fields.get(name, ())).get(value, value)
        label = f"{words(*_OTHER[name])} {shown}" if name in _OTHER else shown
        if name in {"since", "until"}:
            label = f"{words('自', 'From') if name == 'since' else words('至', 'To')} {shown}"
        chips.append((label, _address({other: text for other, text in asked.items() if other != name})))
    return chips


HANDLERS: Final[tuple[ControllerRouterHandler, ...]] = (
    show_ledger,
    export_ledger,
    save_view,
    forget_view,
    search_narratives,
    look_up,
)
