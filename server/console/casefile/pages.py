"""/office/matters/RECORD: the case file, contact in it, and the print. What they do is in server/casefile."""

from functools import partial
from typing import Any, Final

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath, FromQuery
from litestar.types import ControllerRouterHandler

from server.access import Calling, Given, Signed
from server.casefile.bundle import bundle
from server.casefile.facts import facts_of, lists_of
from server.casefile.service import case_file, parties
from server.casefile.steps import simple
from server.console.casefile.answers import PDF_TYPE, attachment
from server.console.casefile.speaking import Speaking
from server.console.forms import filled
from server.console.page import Asked, page, part, words_of
from server.contact import service as contact
from server.contact.service import Reason
from server.rights import Person, acting
from server.services import Services
from server.slips import service as slips
from server.slips.printing import typeset
from server.slips.service import Ticket
from server.slips.templates import shipped

_SHOWN: Final = 50
"""Lines of the timeline that are open; older ones lie under a fold."""


@get("/matters/{record:str}", opt={"action": "records.read"})
async def open_case(request: Asked, services: Given, person: Signed, record: FromPath[str]) -> Response[str]:
    """The case file of one matter."""
    words = words_of(request)
    found = await case_file(services, partial(acting, person), record, words.language)
    state = found.record.state or ""
    return page(
        request,
        person,
        "casefile/case.html",
        case=found,
        s=Speaking(found.kind, words),
        facts=facts_of(found.kind, found.record.fields, words.language),
        lists=lists_of(found.kind, found.record.fields, words.language),
        simple={one.name: simple(one.name, state) for one in found.actions if simple(one.name, state)},
        sorts=shipped(),
        shown=_SHOWN,
        now_ms=services.clock(),
        key=services.random(16).hex(),
    )


@get("/matters/{record:str}/contact", opt={"action": "records.read"})
async def masked_parties(
    request: Asked, services: Given, caller: Calling, person: Signed, record: FromPath[str]
) -> Response[str]:
    """The parties with contact masked: what the page goes back to when its time is over."""
    return _parties(request, person, services, record, await parties(services, caller, record), None)


@post("/matters/{record:str}/contact", status_code=200, opt={"action": "contact.show"})
async def parties_in_full(
    request: Asked, services: Given, caller: Calling, person: Signed, record: FromPath[str]
) -> Response[str]:
    """The parties in full, for the reason that is stated and recorded."""
    why = await filled(request, _Why)
    found = await contact.show(services, caller, record, Reason(why.reason))
    return _parties(request, person, services, record, found.fields.get("parties", {}), found.until_ms)


@post("/matters/{record:str}/print", status_code=200, opt={"action": "contact.show"})
async def leave_to_print(
    request: Asked, services: Given, caller: Calling, person: Signed, record: FromPath[str]
) -> Response[str]:
    """A link under which the case file is printed with its parties in full, for a limited time."""
    why = await filled(request, _Why)
    ticket = await slips.leave(services, caller, record, record, why.reason)
    path = f"/office/matters/{record}/print"
    return part(request, person, "casefile/leave.html", ticket=ticket, links=[(path, "PDF")])


@get("/matters/{record:str}/print", opt={"action": "records.read"})
async def print_case(
    services: Given,
    person: Signed,
    record: FromPath[str],
    until: FromQuery[int | None] = None,
    proof: FromQuery[str | None] = None,
) -> Response[bytes]:
    """The case file as one PDF: cover, contents, page numbers."""
    found = await case_file(services, partial(acting, person), record, "zh")
    ticket = Ticket(until, proof) if until is not None and proof is not None else None
    data = await bundle(services, partial(acting, person), found, ticket)
    return attachment(
        await typeset("casefile.typ", data), f"案卷 {found.record.number or record}.pdf", PDF_TYPE
    )


def _parties(
    request: Asked, person: Person, services: Services, record: str, shown: Any, until_ms: int | None
) -> Response[str]:
    lasts_s = max(1, (until_ms - services.clock()) // 1000) if until_ms is not None else 0
    # Parties are a list of the matter's kind alone.
    speaking = Speaking(services.registry.latest("matter"), words_of(request))
    return part(
        request,
        person,
        "casefile/parties.html",
        record=record,
        parties=shown,
        until_ms=until_ms,
        lasts_s=lasts_s,
        s=speaking,
    )


class _Why(msgspec.Struct, frozen=True):
    """Why somebody needs contact in full."""

    reason: str = ""


PAGES: Final[tuple[ControllerRouterHandler, ...]] = (
    open_case,
    masked_parties,
    parties_in_full,
    leave_to_print,
    print_case,
)
