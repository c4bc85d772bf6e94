"""/office/affairs: one affair of many people, as a parent matter with members and one answer for all."""

from typing import Final

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath, FromQuery
from litestar.plugins.htmx import ClientRedirect
from litestar.types import ControllerRouterHandler

from server.access import Calling, Given, Signed
from server.affairs import service
from server.affairs.service import Affair, Answer
from server.console.forms import filled
from server.console.page import Asked, go_to, page, words_of
from server.console.saying import said
from server.records.views import RecordView
from server.records.writing import new_id
from sync_protocol.history import STATE


class Gathering(msgspec.Struct):
    """The form of a new parent: its title, and the numbers of its members, one a line."""

    key: str
    title: str
    numbers: str
    reason: str = ""


class Adding(msgspec.Struct):
    """The form by which members are added."""

    key: str
    numbers: str


class Answering(msgspec.Struct):
    """The form of the one answer."""

    key: str
    text: str
    channel: str | None = None
    by: str | None = None


@get("/affairs/new", opt={"action": "matters.gather"})
async def gather(
    request: Asked, services: Given, person: Signed, caller: Calling, of: FromQuery[list[str] | None] = None
) -> Response[str]:
    """The form of a new parent; `of` are the numbers that were chosen elsewhere."""
    members = await service.named(services, caller, of) if of else []
    key = new_id(services, services.clock())
    return page(request, person, "affairs/new.html", members=members, key=key)


@post("/affairs", opt={"action": "matters.gather"}, status_code=200)
async def begin(request: Asked, services: Given, caller: Calling) -> ClientRedirect:
    """Makes the parent and its members."""
    form = await filled(request, Gathering)
    made = await service.begin(services, caller, form.key, form.title, form.numbers.split(), form.reason)
    return go_to(f"/office/affairs/{made.parent.id}")


@get("/affairs/{parent:str}", opt={"action": "matters.gather"})
async def affair(
    request: Asked, services: Given, person: Signed, caller: Calling, parent: FromPath[str]
) -> Response[str]:
    """A parent with its members, and the answer for all."""
    found = await service.get(services, caller, parent)
    w = words_of(request)
    kind = services.registry.latest(service.KIND)
    states = [said(kind, STATE, one.state, w) for one in (found.parent, *found.members)]
    field = kind.field("answers") if kind is not None else None
    channel = field.sub_field("channel") if field is not None else None
    given = {
        "affair": found,
        "rows": list(zip(found.members, states[1:], strict=True)),
        "state": states[0],
        "answers": _answers(found.parent),
        "answered": sum(bool(one.fields.get("answers")) for one in found.members),
        "channels": [(one.code, w(one.zh, one.en)) for one in channel.choices] if channel is not None else [],
        "key": new_id(services, services.clock()),
    }
    return page(request, person, "affairs/one.html", **given)


@post("/affairs/{parent:str}/members", opt={"action": "matters.gather"}, status_code=200)
async def add(request: Asked, services: Given, caller: Calling, parent: FromPath[str]) -> ClientRedirect:
    """Adds members."""
    form = await filled(request, Adding)
    return _shown(await service.add(services, caller, form.key, parent, form.numbers.split(), ""))


@post("/affairs/{parent:str}/answer", opt={"action": "matters.gather"}, status_code=200)
async def answer(request: Asked, services: Given, caller: Calling, parent: FromPath[str]) -> ClientRedirect:
    """Answers all of them."""
    form = await filled(request, Answering)
    said_to_all = Answer(form.text, form.channel, form.by)
    return _shown(await service.answer_all(services, caller, form.key, parent, said_to_all))


def _shown(found: Affair) -> ClientRedirect:
    return go_to(f"/office/affairs/{found.parent.id}")


def _answers(parent: RecordView) -> list[str]:
    return [str(entry.get("text", "")) for entry in (parent.fields.get("answers") or {}).values()]


PAGES: Final[tuple[ControllerRouterHandler, ...]] = (gather, begin, affair, add, answer)
