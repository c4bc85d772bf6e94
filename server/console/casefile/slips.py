"""Slips of a matter: made, printed as PDF and DOCX; and the settings of slips and of villages."""

from typing import Final

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath, FromQuery
from litestar.plugins.htmx import ClientRedirect
from litestar.types import ControllerRouterHandler

from server.access import Calling, Given, Signed
from server.casefile import undertaking
from server.casefile.forms import VALUE
from server.console.casefile.answers import PDF_TYPE, attachment, unfit
from server.console.casefile.sent import first, sent, target
from server.console.casefile.speaking import Speaking
from server.console.casefile.stepping import handling_of
from server.console.forms import filled
from server.console.page import Asked, go_to, page, part, words_of
from server.records import reading
from server.slips import service as slips
from server.slips import wording
from server.slips.documents import DOCX_TYPE, slip_docx
from server.slips.printing import slip_pdf
from server.slips.service import NewSlip, Ticket
from server.slips.templates import VALUES, sort_of

Done = Response[str] | ClientRedirect
_WHY: Final = "reason"


class _Why(msgspec.Struct, frozen=True):
    """Why a slip is printed in full."""

    reason: str = ""


class _Words(msgspec.Struct, frozen=True):
    """A template as it was typed, and the revision that its form showed."""

    text: str = ""
    seen: int = 0


@get("/matters/{record:str}/slips/new/{sort:str}", opt={"action": "slips.make"})
async def open_slip(
    request: Asked,
    services: Given,
    caller: Calling,
    person: Signed,
    record: FromPath[str],
    sort: FromPath[str],
) -> Response[str]:
    """The form of a new slip, with what the matter says already."""
    view = await reading.get(services, caller, record, None)
    return page(
        request,
        person,
        "casefile/slip.html",
        record=view,
        s=Speaking(services.registry.latest(view.kind), words_of(request)),
        draft=await slips.draft(services, caller, record, sort),
        key=services.random(16).hex(),
    )


@post("/matters/{record:str}/slips/new/{sort:str}", status_code=200, opt={"action": "slips.make"})
async def make_slip(
    request: Asked, services: Given, caller: Calling, record: FromPath[str], sort: FromPath[str]
) -> Done:
    """Makes a slip and numbers it."""
    given = await sent(request)
    its = sort_of(sort)
    said = {name: first(given, VALUE + name) for name in its.asks}
    lacking = [asked for name, asked in its.asks.items() if asked.required and not said[name]]
    if lacking:
        return unfit(request, f"请填写“{lacking[0].zh}”", f"{lacking[0].en} is needed")
    addressee = first(given, "addressee") or None
    if addressee is not None and not first(given, _WHY):
        return unfit(request, "要写上收件人，请填写查阅事由", "State a reason, since somebody is named")
    new = NewSlip(sort, said, addressee, first(given, _WHY) if addressee is not None else "")
    await slips.make(services, caller, target(record, given), new)
    return go_to(f"/office/matters/{record}#slips")


@post("/slips/{slip:str}/leave/{record:str}", status_code=200, opt={"action": "contact.show"})
async def leave_for_slip(
    request: Asked,
    services: Given,
    caller: Calling,
    person: Signed,
    slip: FromPath[str],
    record: FromPath[str],
) -> Response[str]:
    """Links under which a slip is printed with whom it names, for a limited time."""
    why = await filled(request, _Why)
    ticket = await slips.leave(services, caller, record, slip, why.reason)
    links = [(f"/office/slips/{slip}/pdf", "PDF"), (f"/office/slips/{slip}/docx", "DOCX")]
    return part(request, person, "casefile/leave.html", ticket=ticket, links=links)


@get("/slips/{slip:str}/pdf", opt={"action": "slips.read"})
async def slip_as_pdf(
    services: Given,
    caller: Calling,
    slip: FromPath[str],
    until: FromQuery[int | None] = None,
    proof: FromQuery[str | None] = None,
) -> Response[bytes]:
    """A slip as PDF; whom it names is hidden without a ticket."""
    view, paper = await slips.printed(services, caller, slip, _ticket(until, proof))
    return attachment(await slip_pdf(paper), f"{view.title.zh} {view.number}.pdf", PDF_TYPE)


@get("/slips/{slip:str}/docx", opt={"action": "slips.read"})
async def slip_as_docx(
    services: Given,
    caller: Calling,
    slip: FromPath[str],
    until: FromQuery[int | None] = None,
    proof: FromQuery[str | None] = None,
) -> Response[bytes]:
    """A slip as DOCX; whom it names is hidden without a ticket."""
    view, paper = await slips.printed(services, caller, slip, _ticket(until, proof))
    return attachment(slip_docx(paper), f"{view.title.zh} {view.number}.docx", DOCX_TYPE)


@get("/settings/slips", opt={"action": "slips.set_words"})
async def open_words(request: Asked, services: Given, caller: Calling, person: Signed) -> Response[str]:
    """The words of every sort of slip."""
    templates = await wording.listed(services, caller)
    return page(request, person, "casefile/words.html", templates=templates, values=VALUES, sort_of=sort_of)


@post("/settings/slips/{sort:str}", status_code=200, opt={"action": "slips.set_words"})
async def set_words(request: Asked, services: Given, caller: Calling, sort: FromPath[str]) -> ClientRedirect:
    """Sets the words of a sort; without any, the shipped ones count again."""
    said = await filled(request, _Words)
    await wording.put(services, caller, sort, said.text, said.seen)
    return go_to("/office/settings/slips")


@get("/settings/villages", opt={"action": "villages.set_defaults"})
async def open_villages(request: Asked, services: Given, caller: Calling, person: Signed) -> Response[str]:
    """To whom the matters of each village are given, unless somebody says otherwise."""
    return page(
        request,
        person,
        "casefile/villages.html",
        villages=await undertaking.villages(services, caller),
        leaders=await undertaking.leaders(services, caller),
        units=await undertaking.units(services, caller),
    )


@post("/settings/villages/{village:str}", status_code=200, opt={"action": "villages.set_defaults"})
async def set_village(
    request: Asked, services: Given, caller: Calling, village: FromPath[str]
) -> ClientRedirect:
    """Says it for one village."""
    await undertaking.put_defaults(services, caller, village, handling_of(await sent(request)))
    return go_to("/office/settings/villages")


def _ticket(until: int | None, proof: str | None) -> Ticket | None:
    return Ticket(until, proof) if until is not None and proof is not None else None


PAGES: Final[tuple[ControllerRouterHandler, ...]] = (
    open_slip,
    make_slip,
    leave_for_slip,
    slip_as_pdf,
    slip_as_docx,
    open_words,
    set_words,
    open_villages,
    set_village,
)
