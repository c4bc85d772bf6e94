"""Who calls from outside, and what they may do: one guard before every handler of the application.

A handler says `opt={"action": "records.read"}`, and `"by_itself": True` where pages ask without anybody's
doing, which keeps no session open. The guard looks the action up in the one table (rights.toml), and refuses a
route that names none, so a handler that forgot is closed, not open. It hands on a `Caller` with its reach; what
lies outside does not exist for the services (server/reach.py).
"""

import hmac
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import msgspec
from litestar import Request, Response, Router
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.exceptions import ValidationException
from litestar.handlers import BaseRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.types import ControllerRouterHandler, ExceptionHandlersMap

from server.applications.service import authenticate
from server.declined import Declined
from server.problems import PROBLEM_TYPE, Problem, challenging, problem_response
from server.reach import Caller
from server.rights import Application, Person, Rule, person_caller, rights
from server.security import CSRF_HEADER, EITHER, Connection, cookie_of
from server.services import Services
from server.sessions import service as sessions
from server.sessions.tokens import csrf_of
from sync_protocol.codes import CODES

Given: TypeAlias = NamedDependency[Services]
"""The parameter by which a handler gets the services."""
Calling: TypeAlias = NamedDependency[Caller]
"""The parameter by which a handler behind the guard learns who calls."""
Signed: TypeAlias = NamedDependency[Person]
"""The same for a handler that is for people alone."""
_SCHEME: Final = "bearer "
_ANYWHERE: Final = (400, 401, 403, 408, 413, 415, 503)
"""What a request may be answered with before its handler sees it, or while its body is read."""
_CALLER: Final = "caller"
_PERSON: Final = "person"
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class ProblemDocument(msgspec.Struct, frozen=True, kw_only=True):
    """RFC 9457: what was refused, why, and the next step. `code` is stable; further members depend on it."""

    type: str
    title: str
    title_zh: str
    status: int
    code: str
    detail: str
    next: str
    next_zh: str
    field: str | None = None
    """The field or path concerned."""
    incident: str | None = None
    """Of `internal`: the id under which the server's log has it."""
    cause: str | None = None
    """The code that a device's change would have got."""


def problems(*statuses: int) -> dict[int, ResponseSpec]:
    """The problem documents that a handler may answer with, for the OpenAPI description."""
    return {
        status: ResponseSpec(ProblemDocument, description=_described(status), media_type=PROBLEM_TYPE)
        for status in sorted({*_ANYWHERE, *statuses})
    }


def _described(status: int) -> str:
    return "; ".join(f"{code.name}: {code.en}" for code in CODES.values() if code.status == status)


def guarded(
    handlers: Sequence[ControllerRouterHandler], security: list[dict[str, list[str]]] = EITHER
) -> Router:
    """The handlers that are not for everybody; each may take `caller` or `person` as a dependency."""
    return Router(
        "/",
        route_handlers=handlers,
        security=security,
        dependencies={
            _CALLER: Provide(calling, sync_to_thread=False),
            _PERSON: Provide(signed, sync_to_thread=False),
        },
        exception_handlers=_HANDLERS,
    )


def opened(handlers: Sequence[ControllerRouterHandler]) -> Router:
    """Handlers that are open to everybody by name, in the table."""
    return Router("/", route_handlers=handlers, exception_handlers=_HANDLERS)


async def require_rule(connection: Connection, handler: BaseRouteHandler) -> None:
    """Lets pass whoever the rule of the handler's action names; a handler without a rule is closed."""
    table, action = rights(), handler.opt.get("action")
    if action in table.open:
        return
    # The provider that handlers get their services from; a guard has no dependencies of its own.
    services: Services = await connection.app.dependencies["services"]()
    who = await _who(connection, services, at_work=not handler.opt.get("by_itself", False))
    rule = table.actions.get(action) if isinstance(action, str) else None
    if rule is None:
        raise Problem("forbidden", "this address declares no action of the table, so it is closed")
    if isinstance(who, Person):
        connection.state[_CALLER], connection.state[_PERSON] = _allowed(who, rule), who
        return
    if rule.application is None:
        raise Problem("forbidden", "this is for people who sign in, not for applications")
    if rule.application not in who.scopes:
        raise Problem("forbidden", f"this needs the scope {rule.application}", scope=rule.application)
    connection.state[_CALLER] = who.caller()


async def _who(connection: Connection, services: Services, *, at_work: bool) -> Person | Application:
    """The application of a token, or the person of a session. A token outranks a cookie."""
    token, secret = _bearer(connection.headers.get("authorization", "")), cookie_of(connection)
    if token or not secret:
        application = await authenticate(services.engine, token, services.clock()) if token else None
        if application is None:
            raise Problem("unauthorised", "sign in, or send a token as Authorization: Bearer")
        return application
    person = await sessions.who(services, secret, at_work=at_work)
    if person is None:
        raise Problem("unauthorised", "the session is over: sign in again")
    sent = connection.headers.get(CSRF_HEADER, "")
    if connection.scope.get("method") not in _SAFE and not hmac.compare_digest(
        sent.encode(), csrf_of(secret).encode()
    ):
        raise Problem("csrf_invalid")
    return person


def _allowed(person: Person, rule: Rule) -> Caller:
    caller = person_caller(person, rule, rights())
    if caller is None:
        raise Problem("forbidden", f"the role {person.role} may not {rule.says}", role=person.role)
    return caller


def _bearer(header: str) -> str:
    return header[len(_SCHEME) :].strip() if header[: len(_SCHEME)].lower() == _SCHEME else ""


def calling(request: Request[Any, Any, State]) -> Caller:
    """Who calls, with the reach of the action: provides `Calling`."""
    caller: Caller = request.state[_CALLER]
    return caller


def signed(request: Request[Any, Any, State]) -> Person:
    """Who has signed in: provides `Signed`."""
    person: Person = request.state[_PERSON]
    return person


def _on_declined(request: Request[Any, Any, Any], declined: Declined) -> Response[bytes]:
    return challenging(request, problem_response(Problem(declined.code, declined.detail, **declined.extra)))


def _on_invalid(_: Request[Any, Any, Any], error: ValidationException) -> Response[bytes]:
    """What did not fit, by name and expected type. Nothing of these says what came."""
    found = error.extra if isinstance(error.extra, list) else []
    said = [f"{one.get('key', 'body')}: {one.get('message', '')}" for one in found if isinstance(one, dict)]
    return problem_response(Problem("malformed", "; ".join(said)))


def _on_nested(_: Request[Any, Any, Any], _error: RecursionError) -> Response[bytes]:
    """A body nested so deeply that reading it ran out of stack."""
    return problem_response(Problem("malformed", "the body is nested too deeply"))


def _on_no_text(_: Request[Any, Any, Any], _error: UnicodeDecodeError) -> Response[bytes]:
    """A text of the body that is not UTF-8."""
    return problem_response(Problem("malformed", "the body is not text in UTF-8"))


_HANDLERS: Final[ExceptionHandlersMap] = {
    Declined: _on_declined,
    ValidationException: _on_invalid,
    RecursionError: _on_nested,
    UnicodeDecodeError: _on_no_text,
}
