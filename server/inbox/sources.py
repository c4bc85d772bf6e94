"""Where each sort of queue is asked: what waits in one township within a reach, the oldest first, within a bound."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from server.deadlines.force import in_force
from server.deadlines.history import moments
from server.devices import service as devices
from server.inbox.queues import Queue, Source
from server.ledger import service as ledger
from server.ledger.asking import Question, filter_of, sort_of
from server.quarantine import service as quarantine
from server.reach import Caller
from server.services import Services
from server.storage import casework, deadline_history, duplicates, inbox, ledger_lists, records
from server.storage.devices import DeviceRow
from server.storage.engine import snapshot
from server.storage.inbox import Waiting
from server.storage.ledger import Row

SILENT_MS: Final = 3 * 86_400_000
"""A device that was not heard of for so long is named."""
_REPORTED: Final = Question(state="reported", sort="oldest")
_TAKEN_ON: Final = Question(state="open", sort="oldest")
_RETURNED: Final = "returned"
_FEEDBACK: Final = "feedback"
_LEADERS: Final = "leader"
_FROM_THE_FIRST: Final = (0, "")
Ask = Callable[[Services, Caller, Queue, str, int], Awaitable[list[Waiting]]]


async def _rows(
    services: Services, caller: Caller, question: Question, township: str, most: int
) -> list[Row]:
    wanted = filter_of(question, await ledger.kind_of(services), services.clock())
    work = partial(
        ledger_lists.page,
        township=township,
        wanted=wanted,
        reach=caller.reach,
        sort=sort_of(question),
        after=None,
        most=most,
    )
    return await snapshot(services.engine, work)


def _waiting(row: Row, *, by_date: bool = False) -> Waiting:
    at_ms = row.due_ms if by_date and row.due_ms is not None else row.reported_ms
    return Waiting(row.record_id, row.record_id, row.version, at_ms, row.state, row.number, row.title)


async def _ledger(
    services: Services, caller: Caller, queue: Queue, township: str, most: int
) -> list[Waiting]:
    rows = await _rows(services, caller, queue.question, township, most)
    return [_waiting(row, by_date=queue.question.due is not None) for row in rows]


async def _came_back(services: Services, caller: Caller, _: Queue, township: str, most: int) -> list[Waiting]:
    """Of the matters that wait to be accepted, those that had been returned: their history tells."""
    rows = await _rows(services, caller, _REPORTED, township, most)
    kind = await ledger.kind_of(services)

    async def read(connection: AsyncConnection) -> set[str]:
        pasts = await deadline_history.pasts(connection, township, [row.record_id for row in rows])
        by_record: dict[str, list[deadline_history.Past]] = {}
        for past in pasts:
            by_record.setdefault(past.record, []).append(past)
        return {
            record
            for record, mine in by_record.items()
            if any(moment.entered == _RETURNED for moment in moments(mine, kind, frozenset()))
        }

    returned = await snapshot(services.engine, read)
    return [_waiting(row) for row in rows if row.record_id in returned]


async def _opinion(services: Services, caller: Caller, _: Queue, township: str, most: int) -> list[Waiting]:
    """What a leader has taken on, or was asked about, and nobody of the leaders has written an opinion on."""
    rows = await _rows(services, caller, _TAKEN_ON, township, most)
    ids = [row.record_id for row in rows]
    states = await snapshot(services.engine, partial(records.by_ids, township=township, ids=ids))
    return [_waiting(row) for row in rows if not _has_opinion(states[row.record_id].values.get("opinions"))]


def _has_opinion(entries: object) -> bool:
    written = entries.values() if isinstance(entries, Mapping) else ()
    return any(isinstance(one, Mapping) and one.get("type") == _LEADERS for one in written)


async def _differences(
    services: Services, caller: Caller, _: Queue, township: str, most: int
) -> list[Waiting]:
    work = partial(inbox.differences, township=township, reach=caller.reach, most=most)
    return await snapshot(services.engine, work)


async def _duplicates(
    services: Services, caller: Caller, _: Queue, township: str, most: int
) -> list[Waiting]:
    """Pairs, each under the number of the matter that came later."""

    async def read(connection: AsyncConnection) -> list[Waiting]:
        pairs = await duplicates.listed(
            connection, township, duplicates.OPEN, _FROM_THE_FIRST, most, caller.reach
        )
        words = await inbox.titled(connection, township, [pair.other_id for pair in pairs])
        return [
            Waiting(
                f"{pair.one_id}/{pair.other_id}",
                pair.other_id,
                pair.n,
                pair.found_ms,
                "",
                *words.get(pair.other_id, (None, None)),
            )
            for pair in pairs
        ]

    return await snapshot(services.engine, read)


async def _urgings(services: Services, caller: Caller, _: Queue, township: str, most: int) -> list[Waiting]:
    async def read(connection: AsyncConnection) -> list[Waiting]:
        found = await casework.unanswered(connection, township, most, caller.reach)
        words = await inbox.titled(connection, township, [one.record_id for one in found])
        return [
            Waiting(one.urging_id, one.record_id, 0, one.made_ms, "", *words.get(one.record_id, (None, None)))
            for one in found
        ]

    return await snapshot(services.engine, read)


async def _quarantine(
    services: Services, caller: Caller, _: Queue, township: str, most: int
) -> list[Waiting]:
    rows = await quarantine.waiting(services, caller, township, most)
    return [
        Waiting(row.change_id, row.record_id or "", row.n, row.received_ms, row.code or "") for row in rows
    ]


async def _extensions(
    services: Services, caller: Caller, _: Queue, township: str, most: int
) -> list[Waiting]:
    """Those that this role decides about."""

    async def read(connection: AsyncConnection) -> list[Waiting]:
        force = await in_force(connection, township)
        own = [
            name
            for name, rule in force.rules.rules.items()
            if rule.extension is not None and rule.extension.approver == caller.role
        ]
        return await inbox.extensions(connection, township, caller.reach, own, most)

    return await snapshot(services.engine, read)


async def _feedback(services: Services, caller: Caller, _: Queue, township: str, most: int) -> list[Waiting]:
    work = partial(
        inbox.late,
        township=township,
        reach=caller.reach,
        rule=_FEEDBACK,
        now_ms=services.clock(),
        most=most,
    )
    return await snapshot(services.engine, work)


async def _devices(services: Services, _: Caller, _queue: Queue, township: str, most: int) -> list[Waiting]:
    before_ms = services.clock() - SILENT_MS
    rows = [row for row in await devices.listed(services.engine, township) if silent_since(row) < before_ms]
    rows = sorted((row for row in rows if row.revoked_ms is None), key=silent_since)
    return [Waiting(row.device_id, "", 0, silent_since(row), row.worker) for row in rows[:most]]


def silent_since(row: DeviceRow) -> int:
    """When a device was heard of last; of one that never was, when it was enrolled."""
    return row.contact_ms if row.contact_ms is not None else row.enrolled_ms


SOURCES: Final[Mapping[Source, Ask]] = {
    "ledger": _ledger,
    "came_back": _came_back,
    "opinion": _opinion,
    "differences": _differences,
    "duplicates": _duplicates,
    "quarantine": _quarantine,
    "urgings": _urgings,
    "extensions": _extensions,
    "feedback": _feedback,
    "devices": _devices,
}
