"""Who calls from outside, and what the token covers: one guard before every handler of an application.

A handler says `opt={"scope": "records:read"}` and nothing more. The guard refuses a route that says nothing,
so a handler that forgot is closed, not open. Which townships the token names is the services' business:
what lies in others does not exist for them.
"""

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import msgspec
from litestar import Request, Response, Router
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.exceptions import ValidationException
from litestar.handlers import BaseRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.types import ControllerRouterHandler

from server.applications.service import SCOPES, Application, authenticate
from server.declined import Declined
from server.problems import PROBLEM_TYPE, Problem, problem_response
from server.security import APPLICATION
from server.services import Services
from sync_protocol.codes import CODES

Given: TypeAlias = NamedDependency[Services]
"""The parameter by which a handler gets the services."""
Caller: TypeAlias = NamedDependency[Application]
"""The parameter by which a handler behind the guard learns whose token it is."""
_SCHEME: Final = "bearer "
_KEY: Final = "application"
_ANYWHERE: Final = (400, 401, 403, 408, 413, 415, 503)
"""What a request may be answered with before its handler sees it, or while its body is read."""


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


def guarded(handlers: Sequence[ControllerRouterHandler]) -> Router:
    """The handlers behind the guard; each may take `application` as a dependency."""
    return Router(
        "/",
        route_handlers=handlers,
        guards=[require_scope],
        security=APPLICATION,
        dependencies={_KEY: Provide(_application, sync_to_thread=False)},
        exception_handlers={
            Declined: _on_declined,
            ValidationException: _on_invalid,
            RecursionError: _on_nested,
            UnicodeDecodeError: _on_no_text,
        },
    )


async def require_scope(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Lets a genuine token pass that has the scope which the handler declares."""
    # The provider that handlers get their services from; a guard has no dependencies of its own.
    services: Services = await connection.app.dependencies["services"]()
    token = _bearer(connection.headers.get("authorization", ""))
    application = await authenticate(services.engine, token) if token else None
    if application is None:
        raise Problem("unauthorised", "send the token of an application as Authorization: Bearer")
    scope = handler.opt.get("scope")
    if scope not in SCOPES:
        raise Problem("forbidden", "this address declares no scope, so it is closed")
    if scope not in application.scopes:
        raise Problem("forbidden", f"this needs the scope {scope}", scope=scope)
    connection.state[_KEY] = application


def _bearer(header: str) -> str:
    return header[len(_SCHEME) :].strip() if header[: len(_SCHEME)].lower() == _SCHEME else ""


def _application(request: Request[Any, Any, State]) -> Application:
    application: Application = request.state[_KEY]
    return application


def _on_declined(_: Request[Any, Any, Any], declined: Declined) -> Response[bytes]:
    return problem_response(Problem(declined.code, declined.detail, **declined.extra))


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
