"""/v1/deadlines, and what belongs to one record: thin handlers. What they do is in service.py and deciding.py."""

from typing import Annotated, Final

from litestar import Router, get, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from server.access import Calling, Given, guarded, problems
from server.deadlines import deciding, service
from server.deadlines.deciding import Explanation, Wish, Word
from server.deadlines.service import Question
from server.deadlines.views import DeadlinePage, EventPage, RecordDeadlines
from server.records.http import After, Key, Limit
from server.records.writing import Target
from server.security import SESSION

_TAGS: Final = ["deadlines"]

Status = Annotated[
    str | None, QueryParameter(name="status", description="running, met or dropped; any when left out.")
]
Sort = Annotated[
    str | None, QueryParameter(description="warning, explanation or escalation; any when left out.")
]
Within = Annotated[
    int | None, QueryParameter(description="Due within so many hours from now, overdue ones included.")
]
Overdue = Annotated[bool, QueryParameter(description="Only those that are, or were, not met in time.")]
Since = Annotated[int, QueryParameter(description="The `last` of the page before; 0 for the beginning.")]


@get(
    "/v1/deadlines",
    opt={"action": "deadlines.list"},
    tags=_TAGS,
    responses=problems(422),
    summary="List deadlines",
)
async def list_deadlines(
    services: Given,
    caller: Calling,
    *,
    in_status: Status = None,
    rule: FromQuery[str | None] = None,
    record: FromQuery[str | None] = None,
    overdue: Overdue = False,
    within_h: Within = None,
    after: After = None,
    limit: Limit = None,
) -> DeadlinePage:
    """Deadlines, those due first: `status=running&within_h=72` is due soon, `status=running&overdue=true` overdue."""
    question = Question(in_status, rule, record, overdue, within_h)
    return await service.listed(services, caller, question, after, limit)


@get(
    "/v1/deadlines/events",
    opt={"action": "deadlines.follow"},
    tags=_TAGS,
    responses=problems(422),
    summary="Follow warnings and escalations",
)
async def list_events(
    services: Given,
    caller: Calling,
    *,
    township: FromQuery[str | None] = None,
    sort: Sort = None,
    since: Since = 0,
    limit: Limit = None,
) -> EventPage:
    """Warnings, requests to explain and escalations of one township, each once, in the order of their numbers."""
    return await service.told(services, caller, township, sort, since, limit)


@get(
    "/v1/records/{record:str}/deadlines",
    opt={"action": "deadlines.read"},
    tags=_TAGS,
    responses=problems(404),
    summary="The deadlines of a record",
)
async def record_deadlines(services: Given, caller: Calling, record: FromPath[str]) -> RecordDeadlines:
    """Its deadlines, what was told of them, and what people wrote about them."""
    return await service.of_record(services, caller, record)


@post(
    "/v1/records/{record:str}/explanations",
    status_code=200,
    opt={"action": "deadlines.explain"},
    tags=_TAGS,
    responses=problems(404, 422),
    summary="Explain a date that was not kept",
)
async def explain_deadline(
    services: Given,
    caller: Calling,
    record: FromPath[str],
    data: JSONBody[Explanation],
    idempotency_key: Key = None,
) -> RecordDeadlines:
    """The newest deadline of the rule is meant."""
    return await deciding.explain(services, caller, Target(record, key=idempotency_key), data)


@post(
    "/v1/records/{record:str}/extensions",
    status_code=200,
    opt={"action": "deadlines.ask"},
    tags=_TAGS,
    responses=problems(404, 422),
    summary="Ask for an extension",
)
async def ask_extension(
    services: Given,
    caller: Calling,
    record: FromPath[str],
    data: JSONBody[Wish],
    idempotency_key: Key = None,
) -> RecordDeadlines:
    """Of a deadline that runs, as far as its rule allows."""
    return await deciding.ask(services, caller, Target(record, key=idempotency_key), data)


@post(
    "/v1/records/{record:str}/extensions/{extension:str}/decide",
    status_code=200,
    opt={"action": "deadlines.decide"},
    tags=_TAGS,
    responses=problems(404, 409, 422),
    summary="Approve or refuse an extension",
)
async def decide_extension(
    services: Given,
    caller: Calling,
    record: FromPath[str],
    extension: FromPath[str],
    data: JSONBody[Word],
) -> RecordDeadlines:
    """By the role that the rule names. An approved one moves the date at once."""
    return await deciding.decide(services, caller, record, extension, data)


route_handlers: Final[list[Router]] = [
    guarded([list_deadlines, list_events, record_deadlines]),
    guarded([explain_deadline, ask_extension, decide_extension], SESSION),
]
