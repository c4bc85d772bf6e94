"""/v1/records: thin handlers. What they do is in service.py and reading.py."""

from typing import Annotated, Any, Final

import msgspec
from litestar import Response, Router, get, patch, post, put
from litestar.params import FromPath, FromQuery, HeaderParameter, JSONBody, QueryParameter

from server.access import Calling, Given, guarded, problems
from server.declined import Declined, invalid
from server.records import assigning, reading, service
from server.records.assigning import Leaders, Units
from server.records.creating import NewRecord
from server.records.editing import Edit, EntriesEdit
from server.records.reading import Wanted
from server.records.service import Action, Step
from server.records.views import HistoryPage, RecordPage, RecordView
from server.records.writing import Target
from server.security import SESSION
from sync_protocol.ids import PlaceLevel, place_level

_TAGS: Final = ["records"]

IfMatch = Annotated[
    str | None, HeaderParameter(name="If-Match", description="The version seen, as in ETag; * for any.")
]
Key = Annotated[
    str | None,
    HeaderParameter(name="Idempotency-Key", description="Makes the request repeatable: 1 to 200 characters."),
]
After = Annotated[str | None, QueryParameter(description="The `next` of the page before.")]
Limit = Annotated[int | None, QueryParameter(description="1 to 500, default 100.")]

State = Annotated[str | None, QueryParameter(name="state", description="A state of the workflow.")]


class ActBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A step of the workflow, and what belongs to it."""

    action: str
    note: str | None = None
    reason: str | None = None
    fields: dict[str, Any] = {}
    entries: dict[str, EntriesEdit] = {}


class Actions(msgspec.Struct, frozen=True):
    """The steps that are open to the caller now."""

    actions: list[Action]


@get(
    "/v1/records", opt={"action": "records.list"}, tags=_TAGS, responses=problems(422), summary="List records"
)
async def list_records(
    services: Given,
    caller: Calling,
    *,
    kind: FromQuery[str | None] = None,
    place: FromQuery[str | None] = None,
    grid: FromQuery[str | None] = None,
    village: FromQuery[str | None] = None,
    township: FromQuery[str | None] = None,
    in_state: State = None,
    number: FromQuery[str | None] = None,
    closed: FromQuery[bool | None] = None,
    deleted: FromQuery[bool] = False,
    since: FromQuery[int] = 0,
    fields: FromQuery[str | None] = None,
    after: After = None,
    limit: Limit = None,
) -> RecordPage:
    """Records in the order of their ids: also the export of a grid, village or township.

    The number of a joined record finds that record and the one that it was joined into.
    `since` leaves out records whose version is not above it, `fields` (names, with commas) all other values.
    """
    lies = _place(place=place, grid=grid, village=village, township=township)
    wanted = Wanted(kind, lies, in_state, number, since, closed, deleted, aliases=True)
    return await reading.listed(services, caller, wanted, _names(fields), after, limit)


@post(
    "/v1/records",
    opt={"action": "records.create"},
    tags=_TAGS,
    responses=problems(409, 422),
    summary="Create a record",
)
async def create_record(services: Given, caller: Calling, data: JSONBody[NewRecord]) -> Response[RecordView]:
    """201 the first time; the same key with the same content again answers 200 with the same record."""
    view, new = await service.create(services, caller, data)
    return _with_etag(view, 201 if new else 200)


@get(
    "/v1/records/{record:str}",
    opt={"action": "records.read"},
    tags=_TAGS,
    responses=problems(404),
    summary="Read a record",
)
async def get_record(
    services: Given, caller: Calling, record: FromPath[str], fields: FromQuery[str | None] = None
) -> Response[RecordView]:
    """One record, its version as ETag."""
    return _with_etag(await reading.get(services, caller, record, _names(fields)))


@patch(
    "/v1/records/{record:str}",
    opt={"action": "records.edit"},
    tags=_TAGS,
    responses=problems(404, 412, 422, 428),
    summary="Edit a record",
)
async def patch_record(
    services: Given,
    caller: Calling,
    record: FromPath[str],
    data: JSONBody[Edit],
    if_match: IfMatch = None,
    idempotency_key: Key = None,
) -> Response[RecordView]:
    """Refused with 412 only when a field that it touches was changed since the version in If-Match."""
    if if_match is None:
        raise Declined("precondition_required")
    target = Target(record, seen_version(if_match), idempotency_key)
    return _with_etag(await service.update(services, caller, target, data))


@get(
    "/v1/records/{record:str}/history",
    opt={"action": "records.history"},
    tags=_TAGS,
    responses=problems(404),
    summary="What happened to a record",
)
async def record_history(
    services: Given, caller: Calling, record: FromPath[str], after: After = None, limit: Limit = None
) -> HistoryPage:
    """Every change, oldest first: who, when, from what to what, and what the merge did."""
    return await reading.history(services, caller, record, after, limit)


@get(
    "/v1/records/{record:str}/actions",
    opt={"action": "records.steps"},
    tags=_TAGS,
    responses=problems(404),
    summary="What may be done with a record now",
)
async def record_actions(services: Given, caller: Calling, record: FromPath[str]) -> Actions:
    """The steps of the workflow that are open to the caller."""
    return Actions(await service.actions(services, caller, record))


@post(
    "/v1/records/{record:str}/actions",
    status_code=200,
    opt={"action": "records.act"},
    tags=_TAGS,
    responses=problems(404, 412, 422),
    summary="Act upon a record",
)
async def act_on_record(
    services: Given,
    caller: Calling,
    record: FromPath[str],
    data: JSONBody[ActBody],
    if_match: IfMatch = None,
    idempotency_key: Key = None,
) -> Response[RecordView]:
    """A step of the workflow; with If-Match it is refused when the state has changed since."""
    target = Target(record, seen_version(if_match), idempotency_key)
    step = Step(data.action, data.note, data.reason, Edit(data.fields, data.entries))
    return _with_etag(await service.act(services, caller, target, step))


@get(
    "/v1/records/{record:str}/units",
    opt={"action": "assignments.read"},
    tags=_TAGS,
    responses=problems(404),
    summary="To which units a record is assigned",
)
async def record_units(services: Given, caller: Calling, record: FromPath[str]) -> Units:
    """The units whose handlers see it."""
    return await assigning.units(services, caller, record)


@put(
    "/v1/records/{record:str}/units",
    opt={"action": "assignments.set"},
    tags=_TAGS,
    responses=problems(404, 422),
    summary="Assign a record to units",
)
async def assign_record(
    services: Given, caller: Calling, record: FromPath[str], data: JSONBody[Units]
) -> Units:
    """To these units and to no others. The step of the workflow is taken by itself."""
    return await assigning.assign(services, caller, record, data)


@get(
    "/v1/records/{record:str}/leaders",
    opt={"action": "leaders.read"},
    tags=_TAGS,
    responses=problems(404),
    summary="Which leaders have taken a record on",
)
async def record_leaders(services: Given, caller: Calling, record: FromPath[str]) -> Leaders:
    """By id. They see it, and no other matters."""
    return await assigning.leaders(services, caller, record)


@put(
    "/v1/records/{record:str}/leaders",
    opt={"action": "leaders.set"},
    tags=_TAGS,
    responses=problems(404, 422),
    summary="Give a record to leaders",
)
async def give_to_leaders(
    services: Given, caller: Calling, record: FromPath[str], data: JSONBody[Leaders]
) -> Leaders:
    """To these leaders and to no others, to take it on or to give an opinion."""
    return await assigning.take_on(services, caller, record, data)


def seen_version(if_match: str | None) -> int | None:
    """The version that If-Match names; None without one and for `*`."""
    if if_match is None or if_match.strip() == "*":
        return None
    text = if_match.strip().removeprefix("W/").strip('"')
    if not (text.isascii() and text.isdigit() and len(text) < len(str(2**63))):
        raise Declined("malformed", 'If-Match is the version of the record, as in its ETag: "123"')
    return int(text)


def _with_etag(view: RecordView, status: int = 200) -> Response[RecordView]:
    return Response(view, status_code=status, headers={"etag": f'"{view.version}"'})


def _names(fields: str | None) -> frozenset[str] | None:
    return None if fields is None else frozenset(name.strip() for name in fields.split(","))


def _place(place: str | None, grid: str | None, village: str | None, township: str | None) -> str | None:
    """The one place that is asked for, whichever parameter named it."""
    levels: dict[PlaceLevel, str | None] = {"grid": grid, "village": village, "township": township}
    named = [code for code in (place, *levels.values()) if code is not None]
    fitting = all(code is None or place_level(code) == level for level, code in levels.items())
    if len(named) > 1 or not fitting or any(place_level(code) is None for code in named):
        raise invalid("place", "one code of a grid, a village or a township", "unknown_place")
    return named[0] if named else None


route_handlers: Final[list[Router]] = [
    guarded(
        [
            list_records,
            create_record,
            get_record,
            patch_record,
            record_history,
            record_actions,
            act_on_record,
        ]
    ),
    guarded([record_units, assign_record, record_leaders, give_to_leaders], SESSION),
]
