"""/office/new, /office/import, /office/unplaced: what reaches the office by itself, and finds its place."""

import io
from typing import Any, Final

import msgspec
from litestar import Response, get, post
from litestar.datastructures import UploadFile
from litestar.types import ControllerRouterHandler

from server.access import Calling, Given, Signed
from server.console.duplicates import reason_words
from server.console.forms import filled
from server.console.page import Asked, go_to, page, part, words_of
from server.console.words import Words
from server.declined import invalid
from server.intake.importing import import_sheet
from server.intake.placing import place_all
from server.intake.registering import Registration, register
from server.intake.sheets import HEADINGS, LINES_MAX
from server.intake.similar import similar
from server.ledger import service
from server.ledger.asking import Question
from server.ledger.columns import cells
from server.records.writing import new_id
from sync_protocol.kinds import Kind

_LINES: Final = 50
_SOURCE: Final = "walk_in"
_NATURE: Final = "dispute"
_UNPLACED: Final = Question(place="none", state="open", sort="oldest")


class _Form(Registration, frozen=True, kw_only=True):
    """What the form of a new matter sends; `key` and `began_ms` came with it when it was empty."""

    began_ms: int = 0


class _Typing(msgspec.Struct, frozen=True):
    title: str = ""
    narrative: str = ""
    village: str | None = None
    category: str | None = None
    earlier_matter: str | None = None


class _Placing(msgspec.Struct, frozen=True):
    place: str
    record: list[str] = []


@get("/new", opt={"action": "records.create"})
async def new_matter(request: Asked, services: Given, caller: Calling, person: Signed) -> Response[str]:
    """An empty form. The key in it makes one matter of it, however often it is sent."""
    kind, choices, now_ms = (
        await service.kind_of(services),
        await service.choices(services, caller),
        services.clock(),
    )
    return page(
        request, person, "intake/new.html",
        key=new_id(services, now_ms), began_ms=now_ms, choices=_choices(kind, words_of(request)),
        titles={name: words_of(request).title(field.title) for name, field in _fields_of(kind).items()},
        villages=choices.villages, grids=choices.grids, source=_SOURCE, nature=_NATURE,
        needs_village=caller.reach.places is not None,
    )  # fmt: skip


@post("/new", status_code=200, opt={"action": "records.create"})
async def register_matter(request: Asked, services: Given, caller: Calling) -> Response[Any]:
    """Registers it, and leads to its file."""
    given = await filled(request, _Form)
    made = await register(services, caller, given, given.began_ms)
    return go_to(f"/office/matters/{made.id}")


@post("/new/similar", status_code=200, opt={"action": "records.create"})
async def similar_matters(request: Asked, services: Given, caller: Calling, person: Signed) -> Response[str]:
    """Matters that may be about the same, while the form is being filled in."""
    typed = await filled(request, _Typing)
    found = await similar(services, caller, typed.title, typed.narrative, typed.village, typed.category)
    return part(
        request,
        person,
        "intake/similar.html",
        found=found,
        chosen=typed.earlier_matter,
        reason_words=reason_words,
    )


@get("/import", opt={"action": "matters.import"})
async def import_page(request: Asked, person: Signed) -> Response[str]:
    """Where an old ledger is handed in."""
    headings = [(name, words[0], "、".join(words[1:-1])) for name, words in HEADINGS.items()]
    return page(request, person, "intake/import.html", headings=headings, lines_max=LINES_MAX)


@post("/import", status_code=200, opt={"action": "matters.import"})
async def import_ledger(request: Asked, services: Given, caller: Calling, person: Signed) -> Response[str]:
    """What would come of a file, or what came of it."""
    sent = await request.form()
    file = sent.get("file")
    if not isinstance(file, UploadFile) or not file.filename:
        raise invalid(
            "file", words_of(request)("请选择一个 Excel 文件（.xlsx）", "choose an Excel file (.xlsx)")
        )
    content = io.BytesIO(await file.read())
    done = await import_sheet(services, caller, content, dry_run=sent.get("deed") != "take")
    return part(request, person, "intake/imported.html", done=done)


@get("/unplaced", opt={"action": "records.create"})
async def unplaced(request: Asked, services: Given, caller: Calling, person: Signed) -> Response[str]:
    """Open matters that came without a place, the oldest first."""
    words, after = words_of(request), request.query_params.get("after")
    listed = await service.listed(services, caller, _UNPLACED, after, _LINES)
    choices = await service.choices(services, caller)
    lines = [
        {
            "id": line.row.record_id,
            "cells": cells(line.row, listed.kind, listed.names, listed.now_ms, words),
        }
        for line in listed.lines
    ]
    onward = f"/office/unplaced?after={listed.next}" if listed.next else None
    return page(
        request, person, "intake/unplaced.html",
        lines=lines, onward=onward, villages=choices.villages, grids=choices.grids, count=listed.count,
    )  # fmt: skip


@post("/unplaced", status_code=200, opt={"action": "records.edit"})
async def place_matters(request: Asked, services: Given, caller: Calling) -> Response[Any]:
    """Puts matters into a village or a grid: an ordinary edit of each."""
    given = await filled(request, _Placing)
    await place_all(services, caller, given.record, given.place)
    return go_to("/office/unplaced")


def _fields_of(kind: Kind) -> dict[str, Any]:
    """Fields of the kind, and the sub-fields of its parties, by the names that the form has for them."""
    parties = kind.field("parties")
    subs = {sub.name: sub for sub in parties.of} if parties is not None else {}
    return {**subs, **kind.fields}


def _choices(kind: Kind, words: Words) -> dict[str, list[tuple[str, str]]]:
    return {
        name: [(choice.code, words(choice.zh, choice.en)) for choice in field.choices]
        for name, field in _fields_of(kind).items()
    }


HANDLERS: Final[tuple[ControllerRouterHandler, ...]] = (
    new_matter,
    register_matter,
    similar_matters,
    import_page,
    import_ledger,
    unplaced,
    place_matters,
)
