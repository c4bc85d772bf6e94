"""How callers show who they are, as the OpenAPI description and the challenge of a 401 say it.

A handler names one of the two with `security=`; one without is open to everybody.
"""

from typing import Any, Final

from litestar import Request
from litestar.openapi.spec import Components, SecurityScheme

from sync_protocol.signing import DEVICE_HEADER, SERIAL_HEADER, SIGNATURE_HEADER

APPLICATION: Final[list[dict[str, list[str]]]] = [{"application": []}]
"""The token of an application."""
DEVICE: Final[list[dict[str, list[str]]]] = [{"device": [], "serial": [], "signature": []}]
"""The three headers of a device, all of them."""
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
COMPONENTS: Final = Components(
    security_schemes={
        "application": SecurityScheme(
            type="http", scheme="bearer", description="A token that `roundbook application add` gave."
        ),
        **{
            name: SecurityScheme(type="apiKey", name=header, security_scheme_in="header", description=says)
            for name, (header, says) in _HEADERS.items()
        },
    }
)


def challenge(request: Request[Any, Any, Any]) -> str:
    """What a 401 names as the way in (RFC 9110, section 11.6.1)."""
    return _SIGNATURE if request.route_handler.security == DEVICE else _BEARER
