"""/v1/records/{id}/contact and /v1/contact-lookup: thin handlers. What they do is in service.py."""

from typing import Final

from litestar import Router, post
from litestar.params import FromPath, JSONBody

from server.access import Calling, Given, guarded, problems
from server.contact import service
from server.contact.service import Asked, ContactView, Numbers, Reason
from server.security import SESSION

_TAGS: Final = ["contact"]


@post(
    "/v1/records/{record:str}/contact",
    status_code=200,
    opt={"action": "contact.show"},
    tags=_TAGS,
    responses=problems(404, 422, 429),
    summary="Show a record's contact in full",
)
async def show_contact(
    services: Given, caller: Calling, record: FromPath[str], data: JSONBody[Reason]
) -> ContactView:
    """Contact in full, for the reason that is stated and recorded; to be hidden again at `until_ms`."""
    return await service.show(services, caller, record, data)


@post(
    "/v1/contact-lookup",
    status_code=200,
    opt={"action": "contact.look_up"},
    tags=_TAGS,
    responses=problems(422, 429),
    summary="Find the numbers of a caller's matters",
)
async def look_up_contact(services: Given, caller: Calling, data: JSONBody[Asked]) -> Numbers:
    """The registration numbers of the matters in which exactly this telephone number stands. Recorded."""
    return await service.look_up(services, caller, data)


route_handlers: Final[list[Router]] = [guarded([show_contact, look_up_contact], SESSION)]
