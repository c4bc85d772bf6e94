"""POST /v1/rescue: the file of a device's request, handed in by a program of the office; the file of its answer.

What is inside is the request of a sync, signed by the device, and it is taken in by the sync itself: the same
limits, the same codes, the same effect once. Whoever hands it in can neither read nor alter it.
"""

from typing import Any, Final

import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from litestar import Request, Response, Router, post
from litestar.datastructures import State

from server.access import Calling, Given, guarded, problems
from server.bodies import read_body
from server.problems import Problem
from server.services import Services
from server.sync.http import PATH, exchange
from server.sync.service import file_key
from sync_protocol.files import (
    NONCE_BYTES,
    Carried,
    Envelope,
    NotAFile,
    pack,
    pack_carried,
    unpack,
    unpack_carried,
)
from sync_protocol.signing import DEVICE_HEADER

FILE_TYPE: Final = "application/vnd.roundbook.file"


@post(
    "/v1/rescue",
    status_code=200,
    opt={"action": "rescue.hand_in"},
    tags=["devices"],
    media_type=FILE_TYPE,
    responses=problems(404, 413),
    summary="Hand in the file of a device that cannot reach the server",
)
async def rescue_handler(
    request: Request[Any, Any, State], services: Given, caller: Calling
) -> Response[bytes]:
    """Takes a request file in and gives the answer file, to be carried back. Handing it in twice does no harm."""
    data = await read_body(request)
    return Response(await answer_file(services, data, caller.townships), media_type=FILE_TYPE)


async def answer_file(services: Services, data: bytes, townships: tuple[str, ...] | None = None) -> bytes:
    """The file of the answer to the request in `data`; raises Problem. `townships` are those of the caller."""
    try:
        envelope = unpack(data, "request")
        if townships is not None and envelope.township not in townships:
            raise Problem("not_found")
        key = await file_key(services, envelope.township, envelope.device)
        if key is None:
            raise Problem("unauthorised", "the file is of a device that this server does not know")
        carried = unpack_carried(AESGCM(key).decrypt(envelope.nonce, envelope.sealed, envelope.bound))
    except InvalidTag as error:
        raise Problem("malformed", "the file is damaged, or was altered: copy it again") from error
    except NotAFile as error:
        raise Problem("malformed", str(error)) from error
    if carried.headers.get(DEVICE_HEADER) != f"{envelope.township}.{envelope.device}":
        raise Problem("malformed", "the request in the file is that of another device")
    _, answer = await exchange(services, PATH, carried.headers, carried.body)
    plain = pack_carried(Carried({"content-encoding": "zstd"}, zstandard.compress(answer)))
    bare = Envelope("answer", envelope.township, envelope.device, services.random(NONCE_BYTES), b"")
    sealed = AESGCM(key).encrypt(bare.nonce, plain, bare.bound)
    return pack(Envelope("answer", envelope.township, envelope.device, bare.nonce, sealed))


route_handlers: Final[list[Router]] = [guarded([rescue_handler])]
