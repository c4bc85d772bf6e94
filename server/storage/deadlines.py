"""Deadlines as rows: written by the pass, listed for people, and what was told of them, in its own order."""

from collections.abc import Sequence
from typing import Any, Final, Generic, TypeVar

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.reach import Reach
from server.storage.dialect import ID, among, insert_rows, many
from server.storage.tables import deadline_events, deadlines
from server.storage.within import within


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One deadline of one record. Times in milliseconds since 1970 UTC; `tables.py` says what each is."""

    record_id: str
    rule: str
    started_n: int
    started_ms: int
    due_ms: int
    status: str
    ended_ms: int | None
    uncertain: bool
    warning_ms: int | None
    explanation_ms: int | None
    escalation_ms: int | None
    next_ms: int | None


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was told of a deadline."""

    n: int
    record_id: str
    rule: str
    started_n: int
    sort: str
    due_ms: int
    at_ms: int
    written_ms: int
    role: str | None
    measures: str | None
    """Separated by spaces."""


What = TypeVar("What", Row, Event)


class Shown(msgspec.Struct, Generic[What], frozen=True):
    """A deadline or an event beside what lists say of its record."""

    row: What
    kind: str
    place: str
    state: str | None
    number: str | None


class Wanted(msgspec.Struct, frozen=True):
    """Which deadlines; what is None does not matter."""

    record: str | None = None
    rule: str | None = None
    status: str | None = None
    due_before_ms: int | None = None
    late_at_ms: int | None = None
    """Only those that were not, or had not been by then, met in time."""
    after: tuple[int, str, str, int] | None = None
    """Due time, record, rule and start of the last one of the page before."""


_FIELDS: Final = Row.__struct_fields__
_EVENT_FIELDS: Final = Event.__struct_fields__
_KEY: Final = ("record_id", "rule", "started_n")
_TEXTS: Final = {"record_id": "CAST({0}.record_id AS text) AS record_id"}
_ROWS: Final = ", ".join(_TEXTS.get(name, f"{{0}}.{name}") for name in _FIELDS).format("d")
_EVENTS: Final = ", ".join(_TEXTS.get(name, f"{{0}}.{name}") for name in _EVENT_FIELDS).format("e")
_BESIDE: Final = "r.kind AS r_kind, r.place AS r_place, r.state AS r_state, r.number AS r_number"
_DUE: Final = text(
    f"SELECT {_ROWS} FROM deadlines d WHERE d.township_id = :t AND d.next_ms <= :upto "
    "ORDER BY d.next_ms, d.record_id, d.rule, d.started_n LIMIT :most"
)


async def of_records(connection: AsyncConnection, township: str, records: Sequence[str]) -> list[Row]:
    """Every deadline of these records."""
    condition = among(connection, "d.record_id", "ids", ID)
    statement = f"SELECT {_ROWS} FROM deadlines d WHERE d.township_id = :t AND {condition}"
    rows = await connection.execute(text(statement), {"t": township, "ids": many(connection, records)})
    return [_row(row) for row in rows]


async def put(connection: AsyncConnection, township: str, rows: Sequence[Row]) -> None:
    """Writes deadlines, new ones and known ones, in one statement."""
    replaced = tuple(name for name in _FIELDS if name not in _KEY)
    values = [msgspec.structs.astuple(row) for row in rows]
    await insert_rows(connection, deadlines, township, _FIELDS, values, replace=replaced)


async def forget(connection: AsyncConnection, township: str, records: Sequence[str]) -> None:
    """Takes out every deadline of these records; what was told of them stays."""
    condition = among(connection, "record_id", "ids", ID)
    statement = f"DELETE FROM deadlines WHERE township_id = :t AND {condition}"
    await connection.execute(text(statement), {"t": township, "ids": many(connection, records)})


async def to_tell(connection: AsyncConnection, township: str, upto_ms: int, most: int) -> list[Row]:
    """Deadlines of which something is to be told by a time, the earliest first."""
    rows = await connection.execute(_DUE, {"t": township, "upto": upto_ms, "most": most})
    return [_row(row) for row in rows]


async def listed(
    connection: AsyncConnection, township: str, wanted: Wanted, most: int, reach: Reach
) -> list[Shown[Row]]:
    """At most so many deadlines of records within a reach, those that are due first."""
    conditions, parameters = _conditions(wanted)
    inside, reaching = within(reach, "r")
    statement = (
        f"SELECT {_ROWS}, {_BESIDE} FROM deadlines d JOIN records r ON r.township_id = :t "
        f"AND r.record_id = d.record_id WHERE {' AND '.join(['d.township_id = :t', *conditions, inside])} "
        "ORDER BY d.due_ms, d.record_id, d.rule, d.started_n LIMIT :most"
    )
    rows = await connection.execute(text(statement), {**parameters, **reaching, "t": township, "most": most})
    return [_shown(row, _row(row)) for row in rows]


async def add_events(connection: AsyncConnection, township: str, events: Sequence[Event]) -> None:
    """Appends events in one statement."""
    values = [msgspec.structs.astuple(event) for event in events]
    await insert_rows(connection, deadline_events, township, _EVENT_FIELDS, values)


async def events_of(connection: AsyncConnection, township: str, records: Sequence[str]) -> list[Event]:
    """Everything that was told of these records, in order."""
    condition = among(connection, "e.record_id", "ids", ID)
    statement = (
        f"SELECT {_EVENTS} FROM deadline_events e WHERE e.township_id = :t AND {condition} ORDER BY e.n"
    )
    rows = await connection.execute(text(statement), {"t": township, "ids": many(connection, records)})
    return [_event(row) for row in rows]


async def told(
    connection: AsyncConnection, township: str, above: int, sort: str | None, most: int, reach: Reach
) -> list[Shown[Event]]:
    """At most so many events above a number, about records within a reach, in order."""
    inside, reaching = within(reach, "r")
    sorted_ = "AND e.sort = :sort " if sort is not None else ""
    statement = (
        f"SELECT {_EVENTS}, {_BESIDE} FROM deadline_events e JOIN records r ON r.township_id = :t "
        f"AND r.record_id = e.record_id WHERE e.township_id = :t AND e.n > :above {sorted_}AND {inside} "
        "ORDER BY e.n LIMIT :most"
    )
    parameters = {**reaching, "t": township, "above": above, "most": most}
    rows = await connection.execute(
        text(statement), parameters | ({"sort": sort} if sort is not None else {})
    )
    return [_shown(row, _event(row)) for row in rows]


def _conditions(wanted: Wanted) -> tuple[list[str], dict[str, Any]]:
    parameters: dict[str, Any] = {}
    conditions: list[str] = []

    def add(condition: str, **bound: Any) -> None:
        conditions.append(condition)
        parameters.update(bound)

    if wanted.record is not None:
        add("d.record_id = :record", record=wanted.record)
    if wanted.rule is not None:
        add("d.rule = :rule", rule=wanted.rule)
    if wanted.status is not None:
        # As a literal where it can be, so that the index of those that run is seen to hold them.
        running = wanted.status == "running"
        add(
            "d.status = 'running'" if running else "d.status = :status",
            **({} if running else {"status": wanted.status}),
        )
    if wanted.due_before_ms is not None:
        add("d.due_ms < :before", before=wanted.due_before_ms)
    if wanted.late_at_ms is not None:
        add("d.due_ms < coalesce(d.ended_ms, :late)", late=wanted.late_at_ms)
    if wanted.after is not None:
        due, record, rule, start = wanted.after
        add(
            "(d.due_ms, d.record_id, d.rule, d.started_n) > (:after_due, :after_record, :after_rule, :after_start)",
            after_due=due,
            after_record=record,
            after_rule=rule,
            after_start=start,
        )
    return conditions, parameters


def _row(row: Any) -> Row:
    values = {name: getattr(row, name) for name in _FIELDS}
    return Row(**{**values, "uncertain": bool(values["uncertain"])})


def _event(row: Any) -> Event:
    return Event(**{name: getattr(row, name) for name in _EVENT_FIELDS})


def _shown(row: Any, what: What) -> Shown[What]:
    return Shown(what, row.r_kind, row.r_place, row.r_state, row.r_number)
