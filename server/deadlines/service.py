"""Reading deadlines over HTTP: what is due, what was told, everything about one record."""

from collections.abc import Sequence
from functools import partial
from typing import Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.deadlines.force import Force, in_force
from server.deadlines.views import (
    After,
    DeadlinePage,
    DeadlineView,
    EventPage,
    RecordBrief,
    RecordDeadlines,
    after_of,
    brief,
    deadline_view,
    entry_view,
    event_view,
)
from server.declined import invalid
from server.reach import Caller
from server.reckoning.steps import SORTS
from server.records import paging
from server.records.reading import find
from server.services import Services
from server.storage import deadline_entries, deadlines, office_authors
from server.storage.deadline_entries import Entry
from server.storage.deadlines import Row, Shown, Wanted
from server.storage.engine import snapshot
from sync_protocol.ids import is_id

STATUSES: Final = ("running", "met", "dropped")
HOURS_MAX: Final = 24 * 366
_HOUR_MS: Final = 3_600_000


class Question(msgspec.Struct, frozen=True):
    """Which deadlines are asked for; what is None does not matter."""

    status: str | None = None
    rule: str | None = None
    record: str | None = None
    overdue: bool = False
    """Only those that are, or were, not met in time."""
    within_h: int | None = None
    """Only those that are due within so many hours from now, overdue ones included."""


async def listed(
    services: Services, caller: Caller, question: Question, after: str | None, limit: int | None
) -> DeadlinePage:
    """A page of deadlines of records within the caller's reach, township by township, those due first."""
    now_ms = services.clock()
    wanted, start, most = _wanted(question, now_ms), after_of(after), paging.bounded(limit)
    views: list[DeadlineView] = []
    for township in sorted(caller.townships):
        if wanted is None or (start is not None and township < start.township):
            continue
        here = start if start is not None and township == start.township else None
        place = (here.due_ms, here.record, here.rule, here.start) if here is not None else None
        here_wanted = msgspec.structs.replace(wanted, after=place)
        work = partial(
            _listed, township=township, wanted=here_wanted, most=most - len(views) + 1, caller=caller
        )
        rows, force = await snapshot(services.engine, work)
        for shown in rows:
            if len(views) == most:
                last = views[-1]
                going_on = After(last.record.township, last.due_ms, last.record.id, last.rule, last.start)
                return DeadlinePage(views, going_on.token(), now_ms)
            row, rule = shown.row, force.rules.rules.get(shown.row.rule)
            views.append(deadline_view(brief(township, row.record_id, shown), row, rule, now_ms))
    return DeadlinePage(views, None, now_ms)


async def _listed(
    connection: AsyncConnection, township: str, wanted: Wanted, most: int, caller: Caller
) -> tuple[list[Shown[Row]], Force]:
    shown = await deadlines.listed(connection, township, wanted, most, caller.reach)
    return shown, await in_force(connection, township)


def _wanted(question: Question, now_ms: int) -> Wanted | None:
    """The filter of storage; None for what no deadline can fulfil."""
    if question.status is not None and question.status not in STATUSES:
        raise invalid("status", f"one of {', '.join(STATUSES)}")
    if question.within_h is not None and not 0 <= question.within_h <= HOURS_MAX:
        raise invalid("within_h", f"hours, 0 to {HOURS_MAX}")
    if "\0" in (question.rule or "") or not (question.record is None or is_id(question.record)):
        return None
    before_ms = now_ms + question.within_h * _HOUR_MS if question.within_h is not None else None
    late_ms = now_ms if question.overdue else None
    return Wanted(question.record, question.rule, question.status, before_ms, late_ms)


async def told(
    services: Services, caller: Caller, township: str | None, sort: str | None, since: int, limit: int | None
) -> EventPage:
    """What was told in one township above a number, the oldest first: whoever goes on from there misses nothing."""
    if sort is not None and sort not in SORTS:
        raise invalid("sort", f"one of {', '.join(SORTS)}")
    if not 0 <= since <= paging.NUMBER_MAX:
        raise invalid("since", "the `last` of a page before, or 0")
    where = caller.townships[0] if township is None and len(caller.townships) == 1 else township
    if where not in caller.townships:
        raise invalid("township", "one of the townships within your reach", "unknown_place")

    async def read(connection: AsyncConnection) -> EventPage:
        rules = (await in_force(connection, where)).rules.rules
        shown = await deadlines.told(connection, where, since, sort, paging.bounded(limit), caller.reach)
        views = [
            event_view(brief(where, one.row.record_id, one), one.row, rules.get(one.row.rule))
            for one in shown
        ]
        return EventPage(views, views[-1].n if views else since)

    return await snapshot(services.engine, read)


async def of_record(services: Services, caller: Caller, record: str) -> RecordDeadlines:
    """Everything about the deadlines of one record within the caller's reach."""
    township, state = await find(services, caller, record)
    now_ms = services.clock()
    its = RecordBrief(state.id, township, state.kind, state.place, state.state, state.number)

    async def read(connection: AsyncConnection) -> RecordDeadlines:
        rules = (await in_force(connection, township)).rules.rules
        rows = await deadlines.of_records(connection, township, [record])
        events = await deadlines.events_of(connection, township, [record])
        entries = await deadline_entries.of_records(connection, township, [record])
        names = await office_authors.names(connection, township, _people(entries))
        return RecordDeadlines(
            [
                deadline_view(its, row, rules.get(row.rule), now_ms)
                for row in sorted(rows, key=lambda row: (row.due_ms, row.rule, row.started_n))
            ],
            [event_view(its, event, rules.get(event.rule)) for event in events],
            [entry_view(entry, names) for entry in entries],
        )

    return await snapshot(services.engine, read)


def _people(entries: Sequence[Entry]) -> list[str]:
    return sorted({who for entry in entries for who in (entry.author, entry.decided_by) if who is not None})
