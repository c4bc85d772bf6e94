"""GET /v1/changes: a thin handler. What it does is in service.py."""

from typing import Annotated, Final

from litestar import Router, get
from litestar.params import FromQuery, QueryParameter

from server.access import Calling, Given, guarded, problems
from server.feed import service
from server.feed.events import Feed
from server.feed.service import Wish
from server.records.http import Limit

Since = Annotated[
    str | None,
    QueryParameter(description="A cursor; `now` for the head alone; from the beginning when it is left out."),
]
WaitS = Annotated[float, QueryParameter(description="Seconds to wait when there is nothing new, at most 60.")]


@get(
    "/v1/changes",
    opt={"action": "changes.follow"},
    tags=["changes"],
    responses=problems(410),
    summary="Follow what happens",
)
async def list_changes(
    services: Given,
    caller: Calling,
    *,
    since: Since = None,
    wait_s: WaitS = 0,
    limit: Limit = None,
    own: FromQuery[bool] = False,
) -> Feed:
    """Events since a cursor, own ones left out unless asked for. Save the cursor of each event, or of the page."""
    return await service.changes(services, caller, Wish(since, wait_s, limit, own))


route_handlers: Final[list[Router]] = [guarded([list_changes])]
