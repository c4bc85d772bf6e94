"""Reading records over HTTP: one, many, what happened to one. Each read is one snapshot of one township."""

from functools import partial
from typing import Final, TypeAlias

from sqlalchemy.ext.asyncio import AsyncConnection

from server.declined import Declined, not_found
from server.reach import Caller
from server.records import paging
from server.records.paging import Position
from server.records.veil import Veil
from server.records.views import HistoryPage, RecordPage, RecordView, history_item, record_view
from server.services import Services
from server.storage import office_authors, office_changes, office_records, records
from server.storage.engine import snapshot
from server.storage.office_records import Filter
from sync_protocol.ids import is_id
from sync_protocol.state import RecordState

CONTACT_READ: Final = "contact:read"
Wanted: TypeAlias = Filter
"""Which records to list; handlers know it by this name."""


def veil_for(services: Services, caller: Caller, kind: str) -> Veil:
    """What a caller may see of records of a kind."""
    return Veil(services.registry.latest(kind), CONTACT_READ in caller.scopes)


async def find(services: Services, caller: Caller, record: str) -> tuple[str, RecordState]:
    """A record and its township; declines one that does not exist within the reach of the caller."""
    for township in caller.townships if is_id(record) else ():
        found = await snapshot(
            services.engine, partial(records.reached, township=township, ids=[record], reach=caller.reach)
        )
        if record in found:
            return township, found[record]
    raise not_found()


async def get(services: Services, caller: Caller, record: str, only: frozenset[str] | None) -> RecordView:
    """One record, a deleted one too."""
    township, state = await find(services, caller, record)
    await services.registry.ensure()
    return record_view(township, state, veil_for(services, caller, state.kind), only)


async def listed(
    services: Services,
    caller: Caller,
    wanted: Filter,
    only: frozenset[str] | None,
    after: str | None,
    limit: int | None,
) -> RecordPage:
    """A page of the records that a filter finds, township by township, in the order of their ids."""
    # No record has these; a database may refuse to compare with them at all.
    if any("\0" in (text or "") for text in (wanted.kind, wanted.state, wanted.number)):
        return RecordPage([], None)
    if not 0 <= wanted.above <= paging.NUMBER_MAX:
        raise Declined("malformed", "since is a version: a whole number below 2^63")
    await services.registry.ensure()
    most = paging.bounded(limit)
    views: list[RecordView] = []
    townships = _concerned(caller, wanted)
    for township, start in paging.from_here(townships, paging.position(after)):
        work = partial(
            office_records.listed,
            township=township,
            wanted=wanted,
            after=start.id,
            most=most - len(views) + 1,
            reach=caller.reach,
        )
        for state in await snapshot(services.engine, work):
            if len(views) == most:
                return RecordPage(views, paging.token(Position(views[-1].township, id=views[-1].id)))
            views.append(record_view(township, state, veil_for(services, caller, state.kind), only))
    return RecordPage(views, None)


def _concerned(caller: Caller, wanted: Filter) -> tuple[str, ...]:
    if wanted.place is None:
        return tuple(sorted(caller.townships))
    return tuple(t for t in sorted(caller.townships) if wanted.place.startswith(t))


async def history(
    services: Services, caller: Caller, record: str, after: str | None, limit: int | None
) -> HistoryPage:
    """A page of what happened to a record, oldest first."""
    township, state = await find(services, caller, record)
    await services.registry.ensure()
    veil = veil_for(services, caller, state.kind)
    start, most = paging.position(after), paging.bounded(limit)

    async def read(connection: AsyncConnection) -> HistoryPage:
        above = start.n if start is not None else 0
        rows = await office_changes.history(connection, township, record, above, most + 1)
        names = await office_authors.names(connection, township, sorted({row.author for row in rows}))
        items = [history_item(row, names, veil) for row in rows[:most]]
        more = len(rows) > most
        return HistoryPage(items, paging.token(Position(township, items[-1].n)) if more else None)

    return await snapshot(services.engine, read)
