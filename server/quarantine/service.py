"""The quarantine: listed, replayed with what waited for it, or closed. Nothing is ever removed from it."""

from functools import partial

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.audit.acts import Act, Actor, Name
from server.audit.log import append
from server.declined import Declined, invalid, not_found
from server.quarantine.hiding import hidden_of
from server.quarantine.replaying import Correction, Office, close, take_in
from server.quarantine.views import (
    QuarantinedView,
    QuarantinePage,
    Replayed,
    StillQuarantined,
    Taken,
    kind_of,
    quarantined_view,
)
from server.reach import Caller
from server.records import paging
from server.records.editing import check_contact
from server.records.paging import Position
from server.records.reading import veil_for
from server.records.views import RecordView, change_of, record_view
from server.records.writing import (
    Target,
    Writing,
    actor_of,
    checked_key,
    derived_id,
    open_writing,
    request_id,
)
from server.services import Services
from server.storage import changes, office_authors, office_changes, records
from server.storage.changes import Stored
from server.storage.engine import snapshot
from server.storage.office_changes import CLOSINGS, DISCARDED, REPLAYED
from sync_protocol.ids import is_id

_NO_CORRECTION = Correction()


async def listed(services: Services, caller: Caller, after: str | None, limit: int | None) -> QuarantinePage:
    """A page of the open quarantine, township by township, oldest first."""
    await services.registry.ensure()
    most = paging.bounded(limit)
    views: list[QuarantinedView] = []
    townships = tuple(sorted(caller.townships))
    for township, start in paging.from_here(townships, paging.position(after)):
        wanted = most - len(views) + 1
        work = partial(
            _views,
            services=services,
            caller=caller,
            township=township,
            above=start.n,
            most=wanted,
        )
        views += await snapshot(services.engine, work)
        if len(views) > most:
            last = views[most - 1]
            return QuarantinePage(views[:most], paging.token(Position(last.township, last.n)))
    return QuarantinePage(views, None)


async def _views(
    connection: AsyncConnection,
    services: Services,
    caller: Caller,
    township: str,
    above: int,
    most: int,
) -> list[QuarantinedView]:
    rows = await _reached(connection, caller, township, above, most)
    names = await office_authors.names(connection, township, sorted({row.author for row in rows}))
    wanted = sorted({row.record_id for row in rows if row.record_id is not None})
    known = await records.by_ids(connection, township, wanted)
    return [
        quarantined_view(
            township,
            row,
            names,
            veil_for(services, caller, kind_of(row) or ""),
            record_exists=row.record_id in known,
        )
        for row in rows
    ]


async def waiting(services: Services, caller: Caller, township: str, most: int) -> list[Stored]:
    """At most so many open quarantined changes of a township, the oldest first, as they are stored."""
    work = partial(_reached, caller=caller, township=township, above=0, most=most)
    return await snapshot(services.engine, work)


async def get(services: Services, caller: Caller, change: str) -> QuarantinedView:
    """One quarantined change that nobody has dealt with; declines one that somebody has."""
    township, row = await _find(services, caller, change)
    await services.registry.ensure(_kinds([row]))

    async def read(connection: AsyncConnection) -> QuarantinedView:
        if await office_changes.closings(connection, township, change):
            raise Declined("already_decided")
        names = await office_authors.names(connection, township, [row.author])
        known = await records.by_ids(connection, township, [row.record_id] if row.record_id else [])
        veil = veil_for(services, caller, kind_of(row) or "")
        return quarantined_view(township, row, names, veil, record_exists=row.record_id in known)

    return await snapshot(services.engine, read)


async def _reached(
    connection: AsyncConnection, caller: Caller, township: str, above: int, most: int
) -> list[Stored]:
    """At most `most` open quarantined changes above a number that the caller may see."""
    found: list[Stored] = []
    while rows := await office_changes.quarantined(connection, township, above, most):
        above = rows[-1].n
        hidden = await hidden_of(connection, caller.reach, township, rows)
        found += [row for row in rows if row.change_id not in hidden]
        if len(found) >= most:
            break
    return found[:most]


async def replay(
    services: Services, caller: Caller, target: Target, correction: Correction, *, by: Actor | None = None
) -> Replayed:
    """Takes a quarantined change in again, and those that waited for it; or closes it without applying.

    `by` is who the audit names, unless it is the caller. Declines what cannot be applied even now,
    and what somebody else has replayed or closed.
    """
    checked_key(target.key)
    if correction.discard and (not correction.reason or correction.names):
        raise invalid("reason", "a discard has a reason, and nothing to correct", "missing_field")
    township, row = await _find(services, caller, target.thing)
    await services.registry.ensure(_kinds([row]))
    _check_scopes(services, caller, row, correction)
    now_ms = services.clock()
    closing_id = request_id(services, caller, target, msgspec.json.encode(correction), now_ms)

    async def work(connection: AsyncConnection) -> Replayed:
        writing = await open_writing(connection, services, caller, township, now_ms)
        office = Office(writing.author, correction.reason, closing_id)
        closed = await office_changes.closings(connection, township, row.change_id)
        if not closed:
            done = await _act(writing, caller, row, correction, office)
            await _note(writing, row, office, done, by or actor_of(caller))
            return done
        if closing_id not in {one.change_id for one in closed}:
            raise Declined("already_decided")
        return await _again(writing, caller, row, closed)

    return await services.write(township, work)


async def _note(writing: Writing, row: Stored, office: Office, done: Replayed, by: Actor) -> None:
    act: Name = "quarantine_discarded" if done.discarded else "quarantine_replayed"
    told = {
        "change": row.change_id,
        "closing": office.closing_id,
        "taken": [one.origin for one in done.taken],
    }
    await append(writing.connection, Act(writing.township.id, act, by, writing.now_ms, told))


async def _act(
    writing: Writing, caller: Caller, row: Stored, correction: Correction, office: Office
) -> Replayed:
    if correction.discard:
        await close(writing, row, office, DISCARDED)
        return Replayed([], [], discarded=True, record=await _record(writing, caller, row))
    taken = [await take_in(writing, row, correction)]
    await close(writing, row, office, REPLAYED, correction.names)
    refused: list[StillQuarantined] = []
    waiting = await office_changes.waiting_for(
        writing.connection, writing.township.id, taken[0].record, row.n
    )
    for one in waiting:
        outcome = await _follow(writing, one, office)
        if isinstance(outcome, Taken):
            taken.append(outcome)
        else:
            refused.append(outcome)
    return Replayed(taken, refused, discarded=False, record=await _record(writing, caller, row))


async def _follow(writing: Writing, row: Stored, office: Office) -> Taken | StillQuarantined:
    """A change that waited for the one replayed. If it cannot follow, it stays, and blocks nothing."""
    own = Office(office.by, office.reason, derived_id("follow", office.closing_id, row.change_id))
    try:
        # What a refused one has written is taken back alone.
        async with writing.connection.begin_nested():
            taken = await take_in(writing, row, _NO_CORRECTION)
            await close(writing, row, own, REPLAYED)
            return taken
    except Declined as declined:
        cause, field = declined.extra.get("cause", declined.code), declined.extra.get("field")
        return StillQuarantined(row.change_id, cause, field, declined.detail)


async def _again(writing: Writing, caller: Caller, row: Stored, closed: list[Stored]) -> Replayed:
    """The answer to a request that was answered before."""
    taken = [
        Taken(row.change_id, one.change_id, one.record_id or "", one.result, one.n)
        for one in closed
        if one.result not in CLOSINGS
    ]
    record = await _record(writing, caller, row)
    return Replayed(taken, [], discarded=not taken, record=record)


async def _record(writing: Writing, caller: Caller, row: Stored) -> RecordView | None:
    township = writing.township.id
    found = await records.by_ids(writing.connection, township, [row.record_id] if row.record_id else [])
    return next(
        (record_view(township, s, veil_for(writing.services, caller, s.kind)) for s in found.values()),
        None,
    )


async def _find(services: Services, caller: Caller, change: str) -> tuple[str, Stored]:
    for township in caller.townships if is_id(change) else ():
        work = partial(changes.by_ids, township=township, ids=[change])
        row = (await snapshot(services.engine, work)).get(change)
        if row is not None and row.quarantined:
            seen = partial(hidden_of, reach=caller.reach, township=township, rows=[row])
            if row.change_id not in await snapshot(services.engine, seen):
                if row.erased:
                    raise Declined("erased")
                return township, row
    raise not_found()


def _kinds(rows: list[Stored]) -> set[tuple[str, int]]:
    found = [change_of(row) for row in rows]
    return {(change.kind, change.version) for change in found if change is not None}


def _check_scopes(services: Services, caller: Caller, row: Stored, correction: Correction) -> None:
    kind = services.registry.latest(kind_of(row) or "")
    if kind is not None:
        check_contact(kind, caller.scopes, correction.fields)
