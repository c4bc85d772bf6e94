"""POST /v1/sync: who signed it, what it says, what is answered."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from litestar import Request, Response, post
from litestar.datastructures import State
from litestar.di import NamedDependency

from server.access import problems
from server.bodies import JSON_TYPE, answered, decompress, read_body
from server.problems import Problem
from server.security import DEVICE
from server.services import Services
from server.sync.service import Caller, UnknownDevice, every_key, public_key, sync
from sync_protocol import codec, signing
from sync_protocol.dictionary import CODING
from sync_protocol.ids import is_id, place_level
from sync_protocol.versions import spoken

PATH: Final = "/v1/sync"


@post(
    PATH,
    status_code=200,
    opt={"action": "devices.sync"},
    security=DEVICE,
    responses=problems(),
    summary="Queue up, verdicts and page down",
    tags=["devices"],
)
async def sync_handler(
    request: Request[Any, Any, State], services: NamedDependency[Services]
) -> Response[bytes]:
    """The one exchange of a device, docs/protocol.md."""
    body = await read_body(request)
    plain, answer = await exchange(services, request.url.path, request.headers, body)
    if request.headers.get("content-encoding") != CODING:
        return Response(answer, media_type=JSON_TYPE)
    sparing = request.headers.get("save-data", "").lower() == "on"
    packed = await answered(plain, answer, sparing=sparing)
    return Response(packed, media_type=JSON_TYPE, headers={"content-encoding": CODING})


async def exchange(
    services: Services, path: str, headers: Mapping[str, str], body: bytes
) -> tuple[bytes, bytes]:
    """A request as it travelled: itself and its answer in JSON; raises Problem. `headers` by names in lower case."""
    caller = await authenticate(services, path, headers, body)
    plain = decompress(body, headers.get("content-encoding"), services.limits)
    message = codec.read_request(plain, services.limits)
    if not spoken(message.protocol):
        raise Problem("unsupported_protocol")
    try:
        answer = await sync(services, caller, message)
    except UnknownDevice as error:
        raise Problem("unauthorised") from error
    return plain, codec.encode(answer)


async def authenticate(services: Services, path: str, headers: Mapping[str, str], body: bytes) -> Caller:
    """The device that signed the request; the same answer for an unknown device as for a wrong signature."""
    credentials = signing.read_headers(
        headers.get(signing.DEVICE_HEADER),
        headers.get(signing.SERIAL_HEADER),
        headers.get(signing.SIGNATURE_HEADER),
    )
    if (
        credentials is None
        or not is_id(credentials.device)
        or place_level(credentials.township) != "township"
    ):
        raise Problem("unauthorised", "the request is not signed by a device")
    known = await public_key(services, credentials.township, credentials.device)
    if known is None:
        raise Problem("signature_invalid")
    signed = signing.signed_bytes("POST", path, credentials.serial, body)
    key = _signer([known], credentials.signature, signed)
    if key is None:
        # The key was replaced, maybe by another process, or somebody makes signatures up.
        every = await every_key(services, credentials.township, credentials.device)
        key = _signer(every, credentials.signature, signed)
    if key is None:
        raise Problem("signature_invalid")
    return Caller(credentials.township, credentials.device, credentials.serial, key)


def _signer(keys: Sequence[bytes], signature: bytes, signed: bytes) -> bytes | None:
    """The key that a signature was made with; None when it is none of these."""
    for key in keys:
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(signature, signed)
        except InvalidSignature:
            continue
        return key
    return None
