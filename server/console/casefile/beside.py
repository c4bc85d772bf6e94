"""What stands beside a matter: who handles it, deadlines, urgings. Each form sends to an address of its own."""

from typing import Final

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.plugins.htmx import ClientRedirect
from litestar.types import ControllerRouterHandler

from server.access import Calling, Given, Signed
from server.casefile import undertaking, urging
from server.casefile.urging import NewUrging
from server.console.casefile.answers import unfit
from server.console.casefile.sent import first, sent, target
from server.console.casefile.stepping import handling_of
from server.console.forms import filled
from server.console.page import Asked, go_to, page
from server.deadlines import deciding
from server.deadlines.deciding import Explanation, Wish, Word
from server.records import reading

_WORDS_MAX: Final = 2_000
_AMOUNT_MAX: Final = 1_000
Done = Response[str] | ClientRedirect


class _Words(msgspec.Struct, frozen=True):
    """Words about a deadline."""

    rule: str = ""
    text: str = ""
    amount: int = 0
    approved: bool = False


@get("/matters/{record:str}/handling", opt={"action": "assignments.set"})
async def open_handling(
    request: Asked, services: Given, caller: Calling, person: Signed, record: FromPath[str]
) -> Response[str]:
    """The form of who handles a matter, without a step."""
    return page(
        request,
        person,
        "casefile/handling.html",
        record=await reading.get(services, caller, record, None),
        handling=await undertaking.proposed(services, caller, record),
        leaders=await undertaking.leaders(services, caller),
        units=await undertaking.units(services, caller),
    )


@post("/matters/{record:str}/handling", status_code=200, opt={"action": "assignments.set"})
async def put_handling(
    request: Asked, services: Given, caller: Calling, record: FromPath[str]
) -> ClientRedirect:
    """Writes it."""
    await undertaking.put(services, caller, record, handling_of(await sent(request)))
    return _back(record)


@post("/matters/{record:str}/explanations", status_code=200, opt={"action": "deadlines.explain"})
async def explain(request: Asked, services: Given, caller: Calling, record: FromPath[str]) -> Done:
    """Explains a date that was not kept."""
    given, said = await sent(request), await filled(request, _Words)
    if not 0 < len(said.text) <= _WORDS_MAX:
        return unfit(request, "请写明原因，2000 字以内", "Say why, in at most 2,000 characters")
    await deciding.explain(services, caller, target(record, given), Explanation(said.rule, said.text))
    return _back(record)


@post("/matters/{record:str}/extensions", status_code=200, opt={"action": "deadlines.ask"})
async def ask_extension(request: Asked, services: Given, caller: Calling, record: FromPath[str]) -> Done:
    """Asks for an extension."""
    given, said = await sent(request), await filled(request, _Words)
    if not (0 < len(said.text) <= _WORDS_MAX and 1 <= said.amount <= _AMOUNT_MAX):
        return unfit(request, "请写明延长多少和理由", "Say by how much, and why")
    await deciding.ask(services, caller, target(record, given), Wish(said.rule, said.amount, said.text))
    return _back(record)


@post(
    "/matters/{record:str}/extensions/{extension:str}/decide",
    status_code=200,
    opt={"action": "deadlines.decide"},
)
async def decide_extension(
    request: Asked, services: Given, caller: Calling, record: FromPath[str], extension: FromPath[str]
) -> Done:
    """Approves an extension, or refuses it."""
    said = await filled(request, _Words)
    if not 0 < len(said.text) <= _WORDS_MAX:
        return unfit(request, "请写明审批意见", "Say why")
    await deciding.decide(services, caller, record, extension, Word(said.approved, said.text))
    return _back(record)


@post("/matters/{record:str}/urgings", status_code=200, opt={"action": "urgings.make"})
async def urge(request: Asked, services: Given, caller: Calling, record: FromPath[str]) -> Done:
    """Urges whoever handles the matter, or supervises it."""
    given = await sent(request)
    words = first(given, "words")
    if not 0 < len(words) <= _WORDS_MAX:
        return unfit(request, "请写明要求，2000 字以内", "Say what is required, in at most 2,000 characters")
    await urging.make(services, caller, target(record, given), NewUrging(first(given, "sort"), words))
    return _back(record)


@post("/matters/{record:str}/urgings/{urged:str}/answer", status_code=200, opt={"action": "urgings.answer"})
async def answer_urging(
    request: Asked, services: Given, caller: Calling, record: FromPath[str], urged: FromPath[str]
) -> Done:
    """Answers an urging."""
    words = first(await sent(request), "words")
    if not 0 < len(words) <= _WORDS_MAX:
        return unfit(request, "请写明办理情况，2000 字以内", "Say what was done, in at most 2,000 characters")
    await urging.answer(services, caller, record, urged, words)
    return _back(record)


def _back(record: str) -> ClientRedirect:
    return go_to(f"/office/matters/{record}")


PAGES: Final[tuple[ControllerRouterHandler, ...]] = (
    open_handling,
    put_handling,
    explain,
    ask_extension,
    decide_extension,
    urge,
    answer_urging,
)
