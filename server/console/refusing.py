"""How the pages tell what was refused, or what went wrong: in the language of the page, with the next step.

Whoever opens an address without a session is led to the page where they sign in, and back afterwards. A form
whose session has ended is told 401: console.js asks for the password in place, so nothing typed is lost.
"""

from typing import Any, Final
from urllib.parse import quote

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.response import Redirect
from litestar.status_codes import HTTP_303_SEE_OTHER, HTTP_401_UNAUTHORIZED
from litestar.types import ExceptionHandlersMap

from server.console.page import Refusal, refusal_page, words_of
from server.declined import Declined
from server.problems import HANDLERS, Problem
from server.refused import RefusedError
from sync_protocol.codes import CODES

Answer = Response[str] | Redirect


class _Said(msgspec.Struct):
    """What is read of a problem document."""

    code: str
    detail: str = ""
    incident: str | None = None


def _told(request: Request[Any, Any, Any], code: str, detail: str = "", detail_zh: str = "") -> Answer:
    known, words = CODES[code], words_of(request)
    if known.status == HTTP_401_UNAUTHORIZED and not request.headers.get("hx-request"):
        return Redirect(f"/sign-in#next={quote(request.url.path)}", status_code=HTTP_303_SEE_OTHER)
    refusal = Refusal(
        known.status, words(known.zh, known.en), words(known.next_zh, known.next_en), words(detail_zh, detail)
    )
    return refusal_page(request, refusal)


def _on_declined(request: Request[Any, Any, Any], declined: Declined) -> Answer:
    return _told(request, declined.code, declined.detail, declined.extra.get("detail_zh", ""))


def _on_problem(request: Request[Any, Any, Any], problem: Problem) -> Answer:
    return _told(request, problem.code, problem.detail)


def _on_refused(request: Request[Any, Any, Any], refused: RefusedError) -> Answer:
    """What a service that commands use, too, will not do; it says so in one language."""
    words = words_of(request)
    next_ = words("请按说明更正后再试", "mend it and try again")
    return refusal_page(request, Refusal(422, words("没有办成", "It was not done"), next_, str(refused)))


def _on_invalid(request: Request[Any, Any, Any], _: ValidationException) -> Answer:
    return _told(request, "malformed")


def _on_unreadable(request: Request[Any, Any, Any], error: msgspec.ValidationError) -> Answer:
    """A form that lacks something, or has what cannot be read; msgspec names the place and no value."""
    return _told(request, "malformed", str(error))


def _on_other(request: Request[Any, Any, Any], error: Exception) -> Answer:
    """Whatever else the interface for programs has an answer to, log included."""
    handler = HANDLERS[next(kind for kind in type(error).__mro__ if kind in HANDLERS)]
    said = msgspec.json.decode(handler(request, error).content, type=_Said)
    return _told(request, said.code, f"{said.detail} {said.incident or ''}".strip())


PAGE_HANDLERS: Final[ExceptionHandlersMap] = {
    Declined: _on_declined,
    RefusedError: _on_refused,
    Problem: _on_problem,
    ValidationException: _on_invalid,
    msgspec.ValidationError: _on_unreadable,
    HTTPException: _on_other,
    Exception: _on_other,
}
