"""/v1/matters/{number}/… and /v1/narrative-search: thin handlers, for people alone.

A registration number is no personal data and may stand in an address. Reasons and texts stand in bodies, which
nobody logs.
"""

from typing import Final

import msgspec
from litestar import Router, post
from litestar.params import FromPath, JSONBody

from server.access import Calling, Given, guarded, problems
from server.privacy import matters, searching, showing
from server.privacy.matters import Erased, Holding
from server.privacy.searching import Results, Search
from server.privacy.showing import Held
from server.security import SESSION

_TAGS: Final = ["privacy"]


class Reason(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why something is done, in 4 to 500 characters and without names."""

    reason: str


@post(
    "/v1/matters/{number:str}/held",
    opt={"action": "matters.show"},
    tags=_TAGS,
    responses=problems(404, 422),
    status_code=200,
    summary="What is held about a matter",
)
async def show_matter(
    services: Given, caller: Calling, number: FromPath[str], data: JSONBody[Reason]
) -> Held:
    """Everything, contact masked, to be handed to whoever it is about. That it was made is written down."""
    return await showing.show(services, caller, number, data.reason)


@post(
    "/v1/matters/{number:str}/erase",
    opt={"action": "matters.erase"},
    tags=_TAGS,
    responses=problems(404, 409, 422),
    status_code=200,
    summary="Erase a matter for good",
)
async def erase_matter(
    services: Given, caller: Calling, number: FromPath[str], data: JSONBody[Reason]
) -> Erased:
    """Its values go, wherever they are; id, number and outcome stay. Nothing brings them back."""
    return await matters.erase_matter(services, caller, number, data.reason)


@post(
    "/v1/matters/{number:str}/hold",
    opt={"action": "matters.hold"},
    tags=_TAGS,
    responses=problems(404, 409, 410, 422),
    status_code=200,
    summary="Set a legal hold",
)
async def hold_matter(
    services: Given, caller: Calling, number: FromPath[str], data: JSONBody[Reason]
) -> Holding:
    """While it stands, nothing of the matter is erased, neither by retention nor on request."""
    return await matters.hold(services, caller, number, data.reason)


@post(
    "/v1/matters/{number:str}/lift",
    opt={"action": "matters.lift"},
    tags=_TAGS,
    responses=problems(404, 409, 422),
    status_code=200,
    summary="Lift the legal hold",
)
async def lift_matter(
    services: Given, caller: Calling, number: FromPath[str], data: JSONBody[Reason]
) -> Holding:
    """Retention and erasure may go on."""
    return await matters.lift(services, caller, number, data.reason)


@post(
    "/v1/narrative-search",
    opt={"action": "narratives.search"},
    tags=_TAGS,
    responses=problems(422),
    status_code=200,
    summary="Look for words in narratives",
)
async def search_narratives(services: Given, caller: Calling, data: JSONBody[Search]) -> Results:
    """In narratives alone, never in names or contact; the search and its reason are written down."""
    return await searching.search(services, caller, data)


route_handlers: Final[list[Router]] = [
    guarded([show_matter, erase_matter, hold_matter, lift_matter, search_narratives], SESSION)
]
