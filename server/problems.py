"""Errors over HTTP: RFC 9457 problem documents with a stable code from sync_protocol.codes.

A problem says what was expected, what came (its size, its type, its name: never its content) and the next
step. What nobody expected becomes `internal`: the log has the trace, the answer has nothing of it.
"""

import random
import secrets
from traceback import extract_tb
from typing import Any, Final

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.status_codes import HTTP_401_UNAUTHORIZED, HTTP_500_INTERNAL_SERVER_ERROR
from litestar.types import ExceptionHandlersMap

from server.security import challenge
from server.storage.engine import Unavailable
from server.vault.master import KeyMissing
from sync_protocol.codec import Malformed
from sync_protocol.codes import CODES

PROBLEM_TYPE: Final = "application/problem+json"
RETRY_AFTER_S_MAX: Final = 20
PAUSE: Final = "retry_after_s_max"
"""The option of the application that says how long whoever is sent away may be told to wait."""
_BY_STATUS: Final = {
    400: "malformed",
    401: "unauthorised",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "too_slow",
    413: "too_large_request",
    415: "unsupported_media",
    429: "too_many_requests",
    503: "unavailable",
}
_log = structlog.get_logger(__name__)


class Problem(Exception):  # noqa: N818 (RFC 9457 calls it a problem)
    """A request that is refused, with its code; `extra` are members of the problem document."""

    def __init__(
        self, code: str, detail: str = "", *, retry_after_s: int | None = None, **extra: Any
    ) -> None:
        """`code` is a key of CODES; `detail` a sentence about this occurrence; `retry_after_s` for 429 and 503."""
        super().__init__(code)
        self.code = code
        self.detail = detail
        self.retry_after_s = retry_after_s
        self.extra = extra


def retry_after_s(most: int) -> int:
    """A pause in seconds, another one each time: those who were sent away do not come back all at once."""
    return random.randint(1, most)  # noqa: S311 (no secret)


def problem_response(problem: Problem) -> Response[bytes]:
    """The problem document of one refusal."""
    code = CODES[problem.code]
    body = {
        "type": "about:blank",
        "title": code.en,
        "title_zh": code.zh,
        "status": code.status,
        "code": code.name,
        "detail": problem.detail or code.en,
        "next": code.next_en,
        "next_zh": code.next_zh,
        **problem.extra,
    }
    headers = {}
    if code.status in {429, 503}:
        headers["retry-after"] = str(problem.retry_after_s or retry_after_s(RETRY_AFTER_S_MAX))
    return Response(
        msgspec.json.encode(body), status_code=code.status, media_type=PROBLEM_TYPE, headers=headers
    )


def _on_problem(request: Request[Any, Any, Any], problem: Problem) -> Response[bytes]:
    return challenging(request, problem_response(problem))


def challenging(request: Request[Any, Any, Any], response: Response[bytes]) -> Response[bytes]:
    """The answer, which names the way in when it is a 401."""
    if response.status_code == HTTP_401_UNAUTHORIZED:
        response.headers["www-authenticate"] = challenge(request)
    return response


def _on_malformed(_: Request[Any, Any, Any], error: Malformed) -> Response[bytes]:
    return problem_response(Problem("malformed", str(error)))


def _on_http(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    server_error = error.status_code >= HTTP_500_INTERNAL_SERVER_ERROR
    code = _BY_STATUS.get(error.status_code, "internal" if server_error else "malformed")
    return _on_anything(request, error) if code == "internal" else problem_response(Problem(code))


def _on_unavailable(request: Request[Any, Any, Any], error: Unavailable) -> Response[bytes]:
    _log.warning("unavailable", reason=str(error))
    return _later(request)


def _on_key_missing(request: Request[Any, Any, Any], error: KeyMissing) -> Response[bytes]:
    # It names keys by their ids only. Whoever asked may send the same again once the key is back.
    _log.error("key_missing", reason=str(error))
    return _later(request)


def _later(request: Request[Any, Any, Any]) -> Response[bytes]:
    most: int = request.app.opt.get(PAUSE, RETRY_AFTER_S_MAX)
    return problem_response(Problem("unavailable", retry_after_s=retry_after_s(most)))


def _on_anything(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    # The type and the way there only: a driver's text, or the locals of a frame, may quote what a citizen
    # said, or a token.
    trace = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in extract_tb(error.__traceback__)]
    # Whoever reports it can name it, and whoever reads the log finds it.
    incident = secrets.token_hex(8)
    _log.error(
        "internal",
        incident=incident,
        method=request.method,
        path=request.url.path,
        error=type(error).__name__,
        trace=trace,
    )
    return problem_response(Problem("internal", incident=incident))


HANDLERS: Final[ExceptionHandlersMap] = {
    Problem: _on_problem,
    Malformed: _on_malformed,
    Unavailable: _on_unavailable,
    KeyMissing: _on_key_missing,
    HTTPException: _on_http,
    Exception: _on_anything,
}
