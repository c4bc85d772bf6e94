"""What the ledger shows of a matter: made from its record, its history, and what lies beside it."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from server.deadlines.history import moments
from server.following import Follower
from server.kinds.registry import Registry
from server.reckoning.clocks import Moment
from server.storage import deadline_history, ledger, records
from server.storage.ledger import Beside, Row
from sync_protocol.joining import JOINED
from sync_protocol.kinds import Workflow
from sync_protocol.state import RecordState

KIND: Final = "matter"
_VILLAGE_DIGITS: Final = 12
_TITLE_CHARS: Final = 200
_TEXTS: Final = ("nature", "category", "service_category", "urgency", "level", "source")
_WATCHED: Final[frozenset[str]] = frozenset()


async def make(connection: AsyncConnection, registry: Registry, township: str, ids: Sequence[str]) -> None:
    """Brings the rows of these records up to date; the follower's lock is held."""
    kind = registry.latest(KIND)
    if not ids or kind is None or kind.workflow is None:
        return
    states = await records.by_ids(connection, township, ids)
    shown = {one.id: one for one in states.values() if is_shown(one)}
    gone = [one.id for one in states.values() if one.kind == KIND and one.id not in shown]
    await ledger.take_out(connection, township, gone)
    if not shown:
        return
    past: dict[str, list[deadline_history.Past]] = {}
    for each in await deadline_history.pasts(connection, township, sorted(shown)):
        past.setdefault(each.record, []).append(each)
    around = await ledger.beside(connection, township, sorted(shown))
    rows = [
        row_of(state, moments(past.get(state.id, []), kind, _WATCHED), kind.workflow, around[state.id])
        for state in shown.values()
    ]
    references = sorted({(number, one.id) for one in shown.values() for number in references_of(one)})
    await ledger.put(connection, township, rows, references)


LEDGER: Final = Follower(ledger.NAME, 1, (KIND,), make)


def is_shown(state: RecordState) -> bool:
    """Whether a record stands in the ledger: a matter with a number, void ones included, none that is gone."""
    return state.kind == KIND and state.number is not None and not (state.deleted or state.erased)


def row_of(state: RecordState, past: Sequence[Moment], workflow: Workflow, around: Beside) -> Row:
    """The row of a matter that stands in the ledger."""
    values = state.values
    reported_ms, closed_ms = _dates(past, workflow)
    latitude, longitude = _point(values.get("point"))
    village = state.place[:_VILLAGE_DIGITS] if len(state.place) >= _VILLAGE_DIGITS else None
    return Row(
        record_id=state.id,
        version=state.version,
        number=state.number or "",
        village=village,
        place=state.place,
        state=state.state or workflow.initial,
        restricted=state.restricted,
        title=str(values.get("title") or "")[:_TITLE_CHARS],
        leader=around.leader,
        unit=around.unit,
        reported_ms=reported_ms,
        closed_ms=closed_ms if state.closed or state.state == JOINED else None,
        due_ms=around.due_ms,
        longitude=longitude,
        latitude=latitude,
        **{name: _code(values.get(name)) for name in _TEXTS},
    )


def references_of(state: RecordState) -> set[str]:
    """The numbers that other systems gave to a matter."""
    entries = state.values.get("references") or {}
    numbers = (entry.get("number") for entry in entries.values() if isinstance(entry, dict))
    return {number for number in numbers if isinstance(number, str) and number}


def _dates(past: Sequence[Moment], workflow: Workflow) -> tuple[int, int | None]:
    """When a matter was first reported, and since when it is over: receipt by the server.

    One that was joined into another is over here: what is still to be done stands there.
    """
    reported_ms = closed_ms = None
    for moment in past:
        entered = workflow.state(moment.entered) if moment.entered else None
        if entered is None:
            continue
        if entered.numbered and reported_ms is None:
            reported_ms = moment.at_ms
        if not (entered.closed or entered.name == JOINED):
            closed_ms = None
        elif closed_ms is None:
            closed_ms = moment.at_ms
    if reported_ms is None:
        reported_ms = past[0].at_ms if past else 0
    return reported_ms, closed_ms


def _code(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _point(value: Any) -> tuple[float | None, float | None]:
    if not isinstance(value, dict):
        return None, None
    return value.get("lat"), value.get("lon")
