"""/v1/records/{id}/contact and /v1/contact-lookup: thin handlers. What they do is in service.py."""

from collections.abc import Callable
from typing import Final, TypeAlias

from litestar import Router, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from server.access import Calling, Given, guarded, problems
from server.contact import service
from server.contact.service import Asked, ContactView, Numbers, Reason
from server.devices.failures import Failures
from server.problems import Problem
from server.security import SESSION

TOTAL: Final = 10_000
"""Asked for by everybody together, in a minute and process."""
Counting: TypeAlias = NamedDependency[Failures]
"""The parameter by which a page gets what counts how often each person has asked, here and there together."""
_TAGS: Final = ["contact"]


def route_handlers(asked: Failures) -> list[Router]:
    """The handlers; `asked` counts how often each person has asked in the last minute."""

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
        count_asking(asked, caller.id, services.clock)
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
        count_asking(asked, caller.id, services.clock)
        return await service.look_up(services, caller, data)

    return [guarded([show_contact, look_up_contact], SESSION)]


def count_asking(asked: Failures, who: str, clock: Callable[[], int]) -> None:
    """Counts that somebody asks for contact; sends away whoever has asked too often in the last minute."""
    if asked.too_many(who, clock()):
        raise Problem("too_many_requests", "contact was asked for too often in a minute; wait a minute")
    asked.add(who, clock())
