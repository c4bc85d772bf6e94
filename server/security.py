"""How callers show who they are, and what every answer tells a browser about itself.

The OpenAPI description and the challenge of a 401 say the first. A handler names its way in with `security=`;
one without is open to everybody.
"""

from typing import Any, Final

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie, MutableScopeHeaders
from litestar.openapi.spec import Components, SecurityScheme
from litestar.status_codes import HTTP_200_OK
from litestar.types import Message, Scope

from sync_protocol.signing import DEVICE_HEADER, SERIAL_HEADER, SIGNATURE_HEADER

Connection = ASGIConnection[Any, Any, Any, Any]
APPLICATION: Final[list[dict[str, list[str]]]] = [{"application": []}]
"""The token of an application."""
SESSION: Final[list[dict[str, list[str]]]] = [{"session": []}]
"""The cookie of a person who has signed in; what changes something needs CSRF_HEADER too."""
EITHER: Final = [*APPLICATION, *SESSION]
DEVICE: Final[list[dict[str, list[str]]]] = [{"device": [], "serial": [], "signature": []}]
"""The three headers of a device, all of them."""
CSRF_HEADER: Final = "roundbook-csrf"
_BEARER: Final = 'Bearer realm="roundbook"'
_SIGNATURE: Final = 'Roundbook-Signature realm="roundbook"'
_HEADERS: Final = {
    "device": (DEVICE_HEADER, "Township and id of the device: `321283104.01900000-...`."),
    "serial": (SERIAL_HEADER, "A whole number from 1 to 2^53 that grows with every request."),
    "signature": (
        SIGNATURE_HEADER,
        "Ed25519 over method, path, serial and body: docs/protocol.md, section 4.",
    ),
}
_COOKIE: Final = "__Host-roundbook"
"""The prefix makes browsers refuse one that another host, or plain HTTP, has set."""
_PLAIN_COOKIE: Final = "roundbook"
"""On plain HTTP, which is for this machine alone."""
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
COMPONENTS: Final = Components(
    security_schemes={
        "application": SecurityScheme(
            type="http", scheme="bearer", description="A token that `roundbook application add` gave."
        ),
        "session": SecurityScheme(
            type="apiKey",
            name=_COOKIE,
            security_scheme_in="cookie",
            description=f"Of POST /v1/sign-in. What changes something sends its `csrf` as {CSRF_HEADER}, too.",
        ),
        **{
            name: SecurityScheme(type="apiKey", name=header, security_scheme_in="header", description=says)
            for name, (header, says) in _HEADERS.items()
        },
    }
)
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_PROTECTING: Final = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}
_TRANSPORT: Final = "max-age=31536000"
"""A year, without subdomains: others may live there."""


async def protect(message: Message, scope: Scope) -> None:
    """Adds to every answer, whoever made it, what keeps a browser from being turned against its user.

    To what a device has signed nothing is added: no browser can, and its link may take a tenth of a second for it.
    """
    if message["type"] != "http.response.start" or (
        message["status"] == HTTP_200_OK and _for_a_device(scope)
    ):
        return
    headers = MutableScopeHeaders.from_message(message)
    for name, value in _PROTECTING.items():
        headers.setdefault(name, value)
    if scope["scheme"] == "https":
        headers.setdefault("strict-transport-security", _TRANSPORT)


def _for_a_device(scope: Scope) -> bool:
    return getattr(scope.get("route_handler"), "security", None) == DEVICE


def challenge(request: Request[Any, Any, Any]) -> str:
    """What a 401 names as the way in (RFC 9110, section 11.6.1)."""
    return _SIGNATURE if request.route_handler.security == DEVICE else _BEARER


def cookie_of(connection: Connection) -> str | None:
    """The secret of the session that a browser brought along."""
    return connection.cookies.get(_name(connection))


def session_cookie(connection: Connection, secret: str) -> Cookie:
    """The cookie of a session. It goes with the browser's window: the server says when it is over."""
    return Cookie(
        key=_name(connection),
        value=secret,
        path="/",
        secure=not _plain(connection),
        httponly=True,
        samesite="lax",
    )


def clear_session_cookie(connection: Connection) -> Cookie:
    """The cookie that ends another."""
    gone = session_cookie(connection, "")
    gone.max_age = 0
    return gone


def _name(connection: Connection) -> str:
    return _PLAIN_COOKIE if _plain(connection) else _COOKIE


def _plain(connection: Connection) -> bool:
    """Whether this is plain HTTP on this machine, where browsers take no cookie that asks for TLS."""
    return connection.url.scheme == "http" and connection.url.hostname in _LOOPBACK
