"""/office/people: who works in the township, how far, and their one-time links."""

import io
from typing import Any, Final

import msgspec
from litestar import Response, get, post
from litestar.datastructures import UploadFile
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from server.access import Calling, Given, Signed
from server.console.forms import filled
from server.console.page import Asked, Refusal, go_to, page, part, refusal_page, words_of
from server.ledger import service as ledger
from server.staff import managing
from server.staff.managing import ROLES, Scope
from server.staff.roles import TITLES
from server.staff.service import NAME_CHARS_MAX
from server.staff.sheet import HEADINGS

_PATH: Final = "/office/people"
_REFUSED: Final = 422


class _NewPerson(msgspec.Struct, frozen=True):
    name: str = ""
    role: str = ""
    village: str | None = None
    unit: str | None = None


class _Change(msgspec.Struct, frozen=True):
    enabled: bool


class _ScopeForm(msgspec.Struct, frozen=True):
    village: str | None = None
    unit: str | None = None
    sees_restricted: bool = False


@get("/people", opt={"action": "people.list"})
async def show_people(request: Asked, services: Given, caller: Calling, person: Signed) -> Response[str]:
    """Everybody of the township, who was disabled too."""
    rows = await managing.listed(services, caller)
    places = dict((await ledger.choices(services, caller)).villages)
    return page(
        request, person, "people/list.html",
        people=rows, titles=TITLES, villages=places, roles=ROLES, chars_max=NAME_CHARS_MAX,
        headings=[words[0] for words in HEADINGS.values()],
    )  # fmt: skip


@get("/people/{who:str}", opt={"action": "people.list"})
async def show_person(
    request: Asked, services: Given, caller: Calling, person: Signed, who: FromPath[str]
) -> Response[str]:
    """One person, with what can be changed of them."""
    row = await managing.one(services, caller, who)
    places = dict((await ledger.choices(services, caller)).villages)
    return page(request, person, "people/person.html", one=row, titles=TITLES, villages=places)


@post("/people", status_code=200, opt={"action": "people.change"})
async def add_person(request: Asked, services: Given, caller: Calling) -> Response[Any]:
    """Adds somebody, and leads to them."""
    given, words = await filled(request, _NewPerson), words_of(request)
    name = " ".join(given.name.split())
    wrong = None
    if not name or given.role not in ROLES:
        wrong = words("请填写姓名并选择角色", "Write a name and choose a role")
    elif name in {row.name for row in await managing.listed(services, caller)}:
        wrong = words(f"已有叫“{name}”的人", f"Somebody is called {name} already")
    elif given.role == "village_officer" and given.village is None:
        wrong = words("村干部要选村（社区）", "A village officer needs a village")
    elif given.role == "unit_handler" and given.unit is None:
        wrong = words("单位人员要填单位", "A unit handler needs a unit")
    if wrong is not None:
        next_ = words(
            "同名的人请加注区分，如 王芳（潘元）", "Tell people of one name apart, such as 王芳（潘元）"
        )
        return refusal_page(request, Refusal(_REFUSED, wrong, next_))
    scope = Scope(
        given.village if given.role == "village_officer" else None,
        given.unit if given.role == "unit_handler" else None,
    )
    row = await managing.add(services, caller, name, given.role, scope)
    return go_to(f"{_PATH}/{row.staff_id}")


@post("/people/import", status_code=200, opt={"action": "people.change"})
async def import_people(request: Asked, services: Given, caller: Calling, person: Signed) -> Response[str]:
    """What would come of a list, or what came of it."""
    sent, words = await request.form(), words_of(request)
    file = sent.get("file")
    if not isinstance(file, UploadFile) or not file.filename:
        chosen = words("请选择一个 Excel 文件（.xlsx）", "Choose an Excel file (.xlsx)")
        return refusal_page(request, Refusal(_REFUSED, chosen, words("再点一次", "Press the button again")))
    content = io.BytesIO(await file.read())
    done = await managing.import_people(services, caller, content, dry_run=sent.get("deed") != "take")
    return part(request, person, "people/imported.html", done=done, titles=TITLES)


@post("/people/{who:str}/work", status_code=200, opt={"action": "people.change"})
async def set_enabled(request: Asked, services: Given, caller: Calling, who: FromPath[str]) -> Response[Any]:
    """Ends somebody's work, or lets them work again."""
    given = await filled(request, _Change)
    await managing.set_enabled(services, caller, who, enabled=given.enabled)
    return go_to(f"{_PATH}/{who}")


@post("/people/{who:str}/scope", status_code=200, opt={"action": "people.change"})
async def set_scope(request: Asked, services: Given, caller: Calling, who: FromPath[str]) -> Response[Any]:
    """Says how far somebody's work reaches."""
    given = await filled(request, _ScopeForm)
    scope = Scope(given.village, given.unit, given.sees_restricted)
    await managing.set_scope(services, caller, who, scope)
    return go_to(f"{_PATH}/{who}")


@post("/people/{who:str}/link", status_code=200, opt={"action": "people.change"})
async def make_link(
    request: Asked, services: Given, caller: Calling, person: Signed, who: FromPath[str]
) -> Response[str]:
    """A one-time link, shown this once."""
    path = await managing.link(services, caller, who)
    origin = str(request.base_url).rstrip("/")
    hours = services.sign_in.link_hours
    return part(request, person, "people/link.html", address=f"{origin}{path}", hours=hours)


HANDLERS: Final[tuple[ControllerRouterHandler, ...]] = (
    show_people, show_person, add_person, import_people, set_enabled, set_scope, make_link,
)  # fmt: skip
