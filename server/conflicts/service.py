"""Conflicts: listed, shown, decided. A decision is an ordinary change, so it travels to every device.

Deciding is by record of the office, once: of two reviewers at the same time the second is told that it has
been done. What was decided may be changed later like any value, by an edit.
"""

from collections.abc import Sequence
from functools import partial

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.audit.acts import Act
from server.audit.log import append
from server.conflicts.deciding import Choice, Decision, chosen_value, decision_change
from server.conflicts.views import ConflictDetail, ConflictPage, ConflictView, conflict_view, with_rest
from server.declined import Declined, invalid, not_found
from server.reach import Caller
from server.records import paging
from server.records.editing import check_contact, check_seen, is_mask
from server.records.paging import Position
from server.records.reading import veil_for
from server.records.views import record_view
from server.records.writing import (
    Target,
    Writing,
    actor_of,
    admit,
    check_place,
    checked_key,
    latest_shape,
    open_writing,
    record_of,
    request_id,
)
from server.services import Services
from server.storage import changes, conflicts, office_authors, records
from server.storage.conflicts import BY_RULE, DECIDED, ERASED, OPEN, Conflict
from server.storage.engine import snapshot
from sync_protocol.history import PLACE
from sync_protocol.ids import is_id
from sync_protocol.state import RecordState

STATUSES = (OPEN, BY_RULE, DECIDED)


async def listed(
    services: Services,
    caller: Caller,
    status: str,
    record: str | None,
    after: str | None,
    limit: int | None,
) -> ConflictPage:
    """A page of the conflicts of a status, township by township, oldest first."""
    if status not in STATUSES:
        raise Declined("malformed", f"status is one of {', '.join(STATUSES)}")
    if record is not None and not is_id(record):
        return ConflictPage([], None)
    await services.registry.ensure()
    most = paging.bounded(limit)
    views: list[tuple[ConflictView, Conflict]] = []
    townships = tuple(sorted(caller.townships))
    for township, start in paging.from_here(townships, paging.position(after)):
        wanted = most - len(views) + 1

        async def read(
            connection: AsyncConnection, township: str = township, start: Position = start, most: int = wanted
        ) -> list[tuple[ConflictView, Conflict]]:
            found = await conflicts.listed(
                connection, township, status, (start.n, start.id), most, caller.reach, record
            )
            shown = await _views(connection, services, caller, township, found)
            return list(zip(shown, found, strict=True))

        views += await snapshot(services.engine, read)
        if len(views) > most:
            last = views[most - 1]
            position = Position(last[0].township, last[1].n, last[0].id)
            return ConflictPage([view for view, _ in views[:most]], paging.token(position))
    return ConflictPage([view for view, _ in views], None)


async def get(services: Services, caller: Caller, conflict: str) -> ConflictDetail:
    """One conflict with the rest of its record."""
    township = await _township(services, caller, conflict)
    await services.registry.ensure()

    async def read(connection: AsyncConnection) -> ConflictDetail:
        return await _detail(connection, services, caller, township, conflict)

    return await snapshot(services.engine, read)


async def resolve(services: Services, caller: Caller, target: Target, choice: Choice) -> ConflictDetail:
    """The conflict after a decision; declines one that is decided, or whose values moved since `target.seen`."""
    checked_key(target.key)
    township = await _township(services, caller, target.thing)
    await services.registry.ensure()
    now_ms = services.clock()
    change_id = request_id(services, caller, target, msgspec.json.encode(choice), now_ms)

    async def work(connection: AsyncConnection) -> ConflictDetail:
        writing = await open_writing(connection, services, caller, township, now_ms)
        if change_id not in await changes.by_ids(connection, township, [change_id]):
            await _decide(writing, caller, target, choice, change_id)
        return await _detail(connection, services, caller, township, target.thing)

    return await services.write(township, work)


async def _decide(writing: Writing, caller: Caller, target: Target, choice: Choice, change_id: str) -> None:
    connection, township = writing.connection, writing.township
    conflict = await conflicts.reached(connection, township.id, target.thing, caller.reach)
    if conflict is None:
        raise not_found()
    if conflict.status == ERASED:
        raise Declined("erased")
    if conflict.status == DECIDED:
        raise Declined("already_decided", decision=conflict.decision)
    state = await record_of(connection, township.id, conflict.record_id)
    seen = None if target.seen is None else township.survived(target.seen)
    _check_shown(conflict, state, seen)
    shape = latest_shape(writing.services, state.kind)
    value = chosen_value(choice, conflict.sides)
    if choice.pick is msgspec.UNSET:
        check_contact(shape.kind, caller.scopes, [conflict.path])
        if is_mask(shape.kind, conflict.path, value, *(side.value for side in conflict.sides.values)):
            raise invalid("value", "this is the masked form of a value; pick its change instead")
    decision = Decision(conflict.conflict_id, conflict.path, value, choice.reason)
    change = decision_change(decision, state, shape, writing.now_ms)
    if conflict.path == PLACE and change.place is not None:
        await check_place(connection, township.id, change.place, "value", caller.reach)
    await admit(writing, msgspec.structs.replace(change, id=change_id))
    told = {"conflict": conflict.conflict_id, "record": state.id, "path": conflict.path, "change": change_id}
    by = actor_of(caller)
    await append(connection, Act(township.id, "conflict_decided", by, writing.now_ms, told))


def _check_shown(conflict: Conflict, state: RecordState, seen: int | None) -> None:
    """Declines when another value stands, or another one has joined, since the version that was shown."""
    check_seen(state, seen, conflict.path)
    joined = [side.writer.change for side in conflict.sides.values if side.writer.n > (seen or side.writer.n)]
    if joined:
        raise Declined("version_conflict", field=conflict.path, version=state.version, joined=joined)


async def _township(services: Services, caller: Caller, conflict: str) -> str:
    for township in caller.townships if is_id(conflict) else ():
        work = partial(conflicts.reached, township=township, conflict=conflict, reach=caller.reach)
        if await snapshot(services.engine, work) is not None:
            return township
    raise not_found()


async def _detail(
    connection: AsyncConnection, services: Services, caller: Caller, township: str, conflict: str
) -> ConflictDetail:
    found = await conflicts.by_id(connection, township, conflict)
    if found is None:
        raise not_found()
    (view,) = await _views(connection, services, caller, township, [found])
    state = await record_of(connection, township, found.record_id)
    rest = record_view(township, state, veil_for(services, caller, state.kind))
    rows = await changes.by_ids(connection, township, [found.decision] if found.decision is not None else [])
    names = await office_authors.names(connection, township, sorted({row.author for row in rows.values()}))
    return with_rest(view, rest, rows.get(found.decision or ""), names)


async def _views(
    connection: AsyncConnection,
    services: Services,
    caller: Caller,
    township: str,
    found: Sequence[Conflict],
) -> list[ConflictView]:
    states = await records.by_ids(connection, township, sorted({one.record_id for one in found}))
    written = sorted({side.writer.change for one in found for side in one.sides.values})
    rows = await changes.by_ids(connection, township, written)
    names = await office_authors.names(connection, township, sorted({row.author for row in rows.values()}))
    return [
        conflict_view(
            township,
            one,
            states[one.record_id],
            rows,
            names,
            veil_for(services, caller, states[one.record_id].kind),
        )
        for one in found
    ]
