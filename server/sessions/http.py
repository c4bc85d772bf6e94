"""/v1/sign-in, /v1/session and /v1/link: thin handlers. What they do is in service.py and links.py."""

from typing import Any, Final

import msgspec
from litestar import Request, Response, Router, delete, get, post
from litestar.datastructures import State
from litestar.params import FromPath, JSONBody

from server.access import Calling, Given, Signed, guarded, opened, problems
from server.bodies import JSON_TYPE
from server.declined import Declined
from server.problems import Problem
from server.records.writing import actor_of
from server.rights import Person, rights
from server.security import SESSION, clear_session_cookie, cookie_of, session_cookie
from server.services import Services
from server.sessions import links, service
from server.sessions.links import LinkUse, Offer, Recovery
from server.sessions.pages import part_of_page, sign_in_page, welcome_page
from server.sessions.service import SignIn
from server.sessions.tokens import csrf_of
from server.staff.roles import TITLES

_TAGS: Final = ["people"]
_GUESSED: Final = frozenset({"sign_in_failed", "link_invalid"})


class SessionView(msgspec.Struct, frozen=True):
    """Who has signed in, and what they may do."""

    id: str
    name: str
    role: str
    title: str
    """The role in Chinese."""
    township: str
    actions: list[str]
    csrf: str
    """To be sent as the header Roundbook-CSRF with whatever changes something."""


class LinkRead(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The secret of a one-time link: what follows the #."""

    link: str


class NewPassword(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Another password, and the present one."""

    old: str
    new: str


@post(
    "/v1/sign-in",
    status_code=200,
    opt={"action": "session.begin"},
    tags=_TAGS,
    responses=problems(429),
    summary="Sign in",
)
async def begin_session(
    request: Request[Any, Any, State], services: Given, data: JSONBody[SignIn]
) -> Response[SessionView]:
    """Begins a session, under a new id each time; the answer sets its cookie."""
    with Bounded(services, request):
        session = await service.begin(services, data, cookie_of(request))
    view = _view(session.person, session.secret)
    return Response(view, cookies=[session_cookie(request, session.secret)])


@post(
    "/v1/link",
    status_code=200,
    opt={"action": "link.read"},
    tags=_TAGS,
    responses=problems(429),
    summary="See what a one-time link is for",
)
async def read_link(request: Request[Any, Any, State], services: Given, data: JSONBody[LinkRead]) -> Offer:
    """Whose link it is, and the second factor that it offers. It stays valid."""
    with Bounded(services, request):
        return await links.read(services, data.link)


@post(
    "/v1/link/password",
    status_code=200,
    opt={"action": "link.use"},
    tags=_TAGS,
    responses=problems(422, 429),
    summary="Set a password with a one-time link",
)
async def use_link(request: Request[Any, Any, State], services: Given, data: JSONBody[LinkUse]) -> Recovery:
    """Sets password and second factor, and uses the link up. Recovery codes are shown this once."""
    with Bounded(services, request):
        return await links.use(services, data)


class Bounded:
    """Counts what goes wrong inside it as a guess of the address; refuses an address that guesses too much."""

    def __init__(self, services: Services, request: Request[Any, Any, State]) -> None:
        if JSON_TYPE not in request.headers.get("content-type", ""):
            # A form of another site can send anything but this without asking first.
            raise Problem("unsupported_media", "send JSON")
        self._failures, self._clock = services.counted.sign_ins, services.clock
        self._address = request.client.host if request.client is not None else ""

    def __enter__(self) -> None:
        if self._failures.too_many(self._address, self._clock()):
            raise Problem("too_many_requests", "too many failures from this address; wait a minute")

    def __exit__(self, _type: object, error: object, _trace: object) -> None:
        if isinstance(error, Declined) and error.code in _GUESSED:
            self._failures.add(self._address, self._clock())


@get(
    "/v1/session",
    opt={"action": "session.read"},
    tags=_TAGS,
    responses=problems(),
    summary="Who has signed in",
)
async def get_session(request: Request[Any, Any, State], person: Signed) -> SessionView:
    """The person, what they may do, and the value of Roundbook-CSRF."""
    return _view(person, cookie_of(request) or "")


@delete("/v1/session", opt={"action": "session.end"}, tags=_TAGS, responses=problems(), summary="Sign out")
async def end_session(request: Request[Any, Any, State], services: Given) -> Response[None]:
    """Ends the session."""
    await service.end(services, cookie_of(request) or "")
    return Response(None, status_code=204, cookies=[clear_session_cookie(request)])


@post(
    "/v1/session/password",
    status_code=204,
    opt={"action": "password.change"},
    tags=_TAGS,
    responses=problems(422, 429),
    summary="Change one's password",
)
async def change_password(services: Given, person: Signed, data: JSONBody[NewPassword]) -> None:
    """Sets another password, and ends every session of the person, this one too."""
    await service.change_password(services, person, data.old, data.new)


@post(
    "/v1/staff/{staff:str}/sign-out",
    status_code=204,
    opt={"action": "staff.sign_out"},
    tags=_TAGS,
    responses=problems(404),
    summary="End somebody's sessions",
)
async def sign_out(services: Given, caller: Calling, staff: FromPath[str]) -> None:
    """Ends every session of a person of the own township."""
    await service.end_all(services, caller.townships[0], staff, actor_of(caller))


def _view(person: Person, secret: str) -> SessionView:
    may = [name for name, rule in rights().actions.items() if rule.scope_of(person.role) is not None]
    title = TITLES.get(person.role, person.role)
    return SessionView(
        person.staff_id, person.name, person.role, title, person.township, may, csrf_of(secret)
    )


_SIGNED: Final = [get_session, end_session, change_password, sign_out]
route_handlers: Final[list[Router]] = [
    opened([begin_session, read_link, use_link, welcome_page, sign_in_page, part_of_page]),
    guarded(_SIGNED, SESSION),
]
