"""Writes down what is to be told, each thing once, with a number that a reader can go on from."""

from typing import Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.deadlines.force import Force
from server.reckoning.steps import SORTS, Sort
from server.storage import deadlines, townships
from server.storage.deadlines import Event, Row

TOLD_AT_ONCE: Final = 500


async def tell(
    connection: AsyncConnection, township: str, force: Force, last: int, now_ms: int, upto_ms: int
) -> list[Event]:
    """Tells what was to be told by `upto_ms`, in order; the caller holds the lock and keeps the last number.

    `last` is the number given last. A restored server goes on in another timeline, above every number that
    the lost one may have given, just as the township's own counter does.
    """
    rows = await deadlines.to_tell(connection, township, upto_ms, TOLD_AT_ONCE)
    if not rows:
        return []
    head = await townships.read(connection, township)
    first = max(last, head.begun if head is not None else 0) + 1
    due = sorted(
        (
            (at_ms, row, sort)
            for row in rows
            for sort in SORTS
            if (at_ms := _at(row, sort)) is not None and at_ms <= upto_ms
        ),
        key=lambda one: (one[0], one[1].record_id, one[1].rule, one[1].started_n),
    )
    events = [_event(first + nth, *one, force, now_ms) for nth, one in enumerate(due)]
    await deadlines.add_events(connection, township, events)
    await deadlines.put(connection, township, [_after(row, upto_ms) for row in rows])
    return events


def _at(row: Row, sort: Sort) -> int | None:
    at_ms: int | None = getattr(row, f"{sort}_ms")
    return at_ms


def _after(row: Row, upto_ms: int) -> Row:
    """The row with what is still to be told later."""
    left = {sort: at_ms for sort in SORTS if (at_ms := _at(row, sort)) is not None and at_ms > upto_ms}
    return msgspec.structs.replace(
        row,
        warning_ms=left.get("warning"),
        explanation_ms=left.get("explanation"),
        escalation_ms=left.get("escalation"),
        next_ms=min(left.values(), default=None),
    )


def _event(n: int, at_ms: int, row: Row, sort: Sort, force: Force, now_ms: int) -> Event:
    rule = force.rules.rules.get(row.rule)
    escalation = rule.escalate if rule is not None and sort == "escalation" else None
    return Event(
        n=n,
        record_id=row.record_id,
        rule=row.rule,
        started_n=row.started_n,
        sort=sort,
        due_ms=row.due_ms,
        at_ms=at_ms,
        written_ms=now_ms,
        role=escalation.to if escalation is not None else None,
        measures=" ".join(escalation.measures) if escalation is not None else None,
    )
