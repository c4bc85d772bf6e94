"""POST /v1/devices/enrol: a new device shows its one-time code and its public key."""

from typing import Any, Final

from litestar import Request, Response, post
from litestar.datastructures import State
from litestar.di import NamedDependency

from server.access import problems
from server.bodies import JSON_TYPE, decompress, read_body
from server.devices.service import KEY_BYTES, CodeInvalid, enrol
from server.problems import Problem
from server.services import Services
from sync_protocol import codec, signing
from sync_protocol.messages import EnrolRequest
from sync_protocol.versions import spoken

PATH: Final = "/v1/devices/enrol"
_CLIENT_CHARS_MAX: Final = 200


@post(
    PATH,
    status_code=200,
    responses=problems(429),
    opt={"action": "devices.enrol"},
    summary="Enrol a device with a one-time code",
    tags=["devices"],
)
async def enrol_handler(
    request: Request[Any, Any, State], services: NamedDependency[Services]
) -> Response[bytes]:
    """Answers who the device is now, or `code_invalid` for a wrong, used or expired code alike."""
    wrong, address = services.counted.codes, request.client.host if request.client is not None else ""
    if wrong.too_many(address, services.clock()):
        raise Problem("too_many_requests", "too many one-time codes were wrong; wait a minute")
    message = await _message(request, services)
    try:
        answer = await enrol(services, message)
    except CodeInvalid as error:
        wrong.add(address, services.clock())
        raise Problem("code_invalid") from error
    return Response(codec.encode(answer), media_type=JSON_TYPE)


async def _message(request: Request[Any, Any, State], services: Services) -> EnrolRequest:
    body = await read_body(request)
    plain = decompress(body, request.headers.get("content-encoding"), services.limits)
    message = codec.read_enrol_request(plain)
    if not spoken(message.protocol):
        raise Problem("unsupported_protocol")
    if "\0" in message.client or len(message.client) > _CLIENT_CHARS_MAX:
        raise Problem("malformed", f"client is a text of at most {_CLIENT_CHARS_MAX} characters")
    try:
        key = signing.decode_bytes(message.public_key)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise Problem("malformed", f"public_key is an Ed25519 key: {KEY_BYTES} bytes in base64url")
    return message
