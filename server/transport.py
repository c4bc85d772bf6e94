"""What stands between the sockets and the application: who is called the client, and no plain HTTP.

Plain HTTP is for this machine alone. A server is reached by others in one of three ways: with a certificate
of its own; behind proxies that are named by their addresses and end TLS; or openly, which a setting has to say.

A forwarded header is believed from a named proxy only. The address that it tells is what limits of rate
count by, so from anybody else it must change nothing.
"""

from typing import Final

from granian.utils.proxies import wrap_asgi_with_proxy_headers
from litestar.types import ASGIApp, Receive, Scope, Send

from server.addresses import is_loopback, trusted
from server.problems import Problem, problem_response
from server.settings import Settings

_HEALTH: Final = "/v1/health/"
"""Asked by a proxy itself, without forwarded headers; says nothing worth hiding."""


def guarded(app: ASGIApp, settings: Settings) -> ASGIApp:
    """The application as it is served: forwarded headers of named proxies applied, plain HTTP refused."""
    inner = _encrypted(app, allowed=settings.plain_http)
    return wrap_asgi_with_proxy_headers(inner, trusted(settings.proxies)) if settings.proxies else inner


def _encrypted(app: ASGIApp, *, allowed: bool) -> ASGIApp:
    """Lets through what came encrypted, or from this machine; security.py tells browsers to stay with TLS."""

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        if (
            scope.get("scheme") == "https"
            or allowed
            or _is_lifespan(scope)
            or _is_near(scope)
            or scope["path"].startswith(_HEALTH)
        ):
            await app(scope, receive, send)
        else:
            await _refuse(send)

    return served


def _is_lifespan(scope: Scope) -> bool:
    return str(scope["type"]) == "lifespan"


def _is_near(scope: Scope) -> bool:
    client = scope.get("client")
    return client is not None and is_loopback(client[0])


async def _refuse(send: Send) -> None:
    answer = problem_response(Problem("https_required"))
    size = str(len(answer.content)).encode()
    headers = [(b"content-type", str(answer.media_type).encode()), (b"content-length", size)]
    await send({"type": "http.response.start", "status": answer.status_code or 403, "headers": headers})
    await send({"type": "http.response.body", "body": answer.content, "more_body": False})
