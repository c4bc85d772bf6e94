"""Makes the deadlines of some records what they should be: read what happened, reckon, write what differs."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from server.deadlines.force import Force
from server.deadlines.history import kind_of, moments
from server.kinds.registry import Registry
from server.reckoning import clocks
from server.reckoning.clocks import Deadline, Extension
from server.reckoning.rules import Span
from server.reckoning.steps import Sort, Steps, steps
from server.storage import deadline_entries, deadline_history, deadlines, ledger
from server.storage.deadline_entries import Entry
from server.storage.deadline_history import Past
from server.storage.deadlines import Event, Row

T = TypeVar("T")
_Key = tuple[str, str, int]
_Told = Mapping[_Key, Mapping[Sort, int]]
_NOTHING: Final[Mapping[Sort, int]] = {}


async def reckon(
    connection: AsyncConnection,
    registry: Registry,
    township: str,
    force: Force,
    ids: Sequence[str],
    since_ms: int,
) -> None:
    """Brings the deadlines of these records up to date; the caller holds the lock of the township's deadlines.

    `since_ms` is when the rules in force came into force.
    """
    if not ids:
        return
    pasts = _by(await deadline_history.pasts(connection, township, ids), lambda past: past.record)
    there = _by(await deadlines.of_records(connection, township, ids), lambda row: row.record_id)
    told = _last_told(await deadlines.events_of(connection, township, ids))
    granted = _by(await deadline_entries.of_records(connection, township, ids), lambda entry: entry.record_id)
    rows = {
        record: _rows(record, pasts.get(record, []), granted.get(record, []), told, registry, force, since_ms)
        for record in ids
    }
    erased = [record for record in ids if record in pasts and kind_of(pasts[record]) is None]
    if granted.keys() & set(erased):
        await deadline_entries.blank(connection, township, erased)
    stale = [record for record in ids if _keys(there.get(record, ())) - _keys(rows[record])]
    if stale:
        await deadlines.forget(connection, township, stale)
    kept = {row for record in set(ids) - set(stale) for row in there.get(record, ())}
    await deadlines.put(
        connection, township, [row for made in rows.values() for row in made if row not in kept]
    )
    await ledger.note_due(connection, township, ids)


def extension(entry: Entry) -> Extension | None:
    """What an entry grants; None for one that grants nothing."""
    if not entry.approved or entry.unit is None or entry.amount is None:
        return None
    amount: dict[str, Any] = {entry.unit: entry.amount}
    return Extension(entry.rule, entry.started_n, Span(**amount))


def _rows(
    record: str,
    pasts: list[Past],
    entries: list[Entry],
    told: _Told,
    registry: Registry,
    force: Force,
    since_ms: int,
) -> list[Row]:
    """The deadlines that a record should have."""
    name = kind_of(pasts)
    kind = registry.latest(name) if name is not None else None
    if kind is None:
        return []
    rules = force.of_kind(kind.name)
    watched = frozenset(field for rule in rules.values() for field in rule.watched)
    granted = [given for entry in entries if (given := extension(entry)) is not None]
    rows = []
    for one in clocks.deadlines(moments(pasts, kind, watched), rules, force.calendar, granted):
        before = told.get((record, one.rule, one.started_n), _NOTHING)
        rows.append(_row(record, one, steps(one, rules[one.rule], force.calendar, before, since_ms)))
    return rows


def _row(record: str, one: Deadline, left: Steps) -> Row:
    return Row(
        record_id=record,
        rule=one.rule,
        started_n=one.started_n,
        started_ms=one.started_ms,
        due_ms=one.due_ms,
        status=one.status,
        ended_ms=one.ended_ms,
        uncertain=bool(one.unknown),
        warning_ms=left.warning,
        explanation_ms=left.explanation,
        escalation_ms=left.escalation,
        next_ms=left.next_ms,
    )


def _keys(rows: Iterable[Row]) -> set[_Key]:
    return {(row.record_id, row.rule, row.started_n) for row in rows}


def _last_told(events: Iterable[Event]) -> dict[_Key, dict[Sort, int]]:
    """For which date each sort was told last."""
    found: dict[_Key, dict[Any, int]] = {}
    for event in events:
        of = found.setdefault((event.record_id, event.rule, event.started_n), {})
        of[event.sort] = max(of.get(event.sort, 0), event.due_ms)
    return found


def _by(rows: Iterable[T], key: Callable[[T], str]) -> dict[str, list[T]]:
    found: dict[str, list[T]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return found
