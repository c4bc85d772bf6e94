"""/v1/conflicts: thin handlers. What they do is in service.py."""

from typing import Annotated, Final

from litestar import Response, Router, get, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from server.access import Calling, Given, guarded, problems
from server.conflicts import service
from server.conflicts.deciding import Choice
from server.conflicts.views import ConflictDetail, ConflictPage
from server.records.http import After, IfMatch, Key, Limit, seen_version
from server.records.writing import Target

_TAGS: Final = ["conflicts"]

Status = Annotated[str, QueryParameter(description="open, by_rule or decided.")]


@get(
    "/v1/conflicts",
    opt={"action": "conflicts.list"},
    tags=_TAGS,
    responses=problems(),
    summary="List conflicts",
)
async def list_conflicts(
    services: Given,
    caller: Calling,
    status: Status = "open",
    record: FromQuery[str | None] = None,
    after: After = None,
    limit: Limit = None,
) -> ConflictPage:
    """Conflicts of a status, oldest first; of one record when it is named."""
    return await service.listed(services, caller, status, record, after, limit)


@get(
    "/v1/conflicts/{conflict:str}",
    opt={"action": "conflicts.read"},
    tags=_TAGS,
    responses=problems(404),
    summary="Show a conflict",
)
async def get_conflict(services: Given, caller: Calling, conflict: FromPath[str]) -> Response[ConflictDetail]:
    """Base and every value with author and times, what stands now, the rest of the record."""
    return _with_etag(await service.get(services, caller, conflict))


@post(
    "/v1/conflicts/{conflict:str}/resolve",
    status_code=200,
    opt={"action": "conflicts.decide"},
    tags=_TAGS,
    responses=problems(404, 409, 412, 422),
    summary="Decide a conflict",
)
async def resolve_conflict(
    services: Given,
    caller: Calling,
    conflict: FromPath[str],
    data: JSONBody[Choice],
    if_match: IfMatch = None,
    idempotency_key: Key = None,
) -> Response[ConflictDetail]:
    """Decides for a value or for one of those that differ. Every author is told what became of theirs."""
    target = Target(conflict, seen_version(if_match), idempotency_key)
    return _with_etag(await service.resolve(services, caller, target, data))


def _with_etag(detail: ConflictDetail) -> Response[ConflictDetail]:
    return Response(detail, headers={"etag": f'"{detail.version}"'})


route_handlers: Final[list[Router]] = [guarded([list_conflicts, get_conflict, resolve_conflict])]
