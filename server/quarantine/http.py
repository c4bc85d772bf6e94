"""/v1/quarantine: thin handlers. What they do is in service.py."""

from typing import Final

from litestar import Router, get, post
from litestar.params import FromPath, JSONBody

from server.access import Calling, Given, guarded, problems
from server.quarantine import service
from server.quarantine.replaying import Correction
from server.quarantine.views import QuarantinePage, Replayed
from server.records.http import After, Key, Limit
from server.records.writing import Target

_TAGS: Final = ["quarantine"]


@get(
    "/v1/quarantine",
    opt={"action": "quarantine.list"},
    tags=_TAGS,
    responses=problems(),
    summary="List the quarantine",
)
async def list_quarantine(
    services: Given, caller: Calling, after: After = None, limit: Limit = None
) -> QuarantinePage:
    """Changes that wait, oldest first: why, whose, and what they wanted as far as it can be read."""
    return await service.listed(services, caller, after, limit)


@post(
    "/v1/quarantine/{change:str}/replay",
    status_code=200,
    opt={"action": "quarantine.replay"},
    tags=_TAGS,
    responses=problems(404, 409, 422),
    summary="Take a quarantined change in again, or close it",
)
async def replay_change(
    services: Given,
    caller: Calling,
    change: FromPath[str],
    data: JSONBody[Correction],
    idempotency_key: Key = None,
) -> Replayed:
    """Merges what the device sent, corrected if need be, as the device's own; the device is told."""
    return await service.replay(services, caller, Target(change, None, idempotency_key), data)


route_handlers: Final[list[Router]] = [guarded([list_quarantine, replay_change])]
