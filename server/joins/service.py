"""Joining two records that are one matter, and splitting them again. Why it is so: docs/decisions/joins.md.

Each is one ordinary change of the absorbed record; the push brings what follows from it to the surviving one.
Both stand under the township's lock, so that of two people who join the same records at once, the second is told.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.audit import acts as audit
from server.audit.log import append
from server.declined import Declined, invalid
from server.reach import Caller
from server.records.editing import check_seen
from server.records.reading import find, veil_for
from server.records.views import RecordView, record_view
from server.records.writing import (
    Target,
    Writing,
    actor_of,
    admit,
    checked_key,
    latest_shape,
    open_writing,
    record_of,
    request_id,
)
from server.services import Services
from server.storage import changes, joins
from server.storage.engine import snapshot
from sync_protocol.changes import Act, Change
from sync_protocol.history import STATE
from sync_protocol.joining import JOINED, SPLIT
from sync_protocol.state import RecordState

JOIN: Final = "join"
REASON_CHARS_MAX: Final = 500
ABSORBED_MAX: Final = 200
"""How many joined records are listed with one."""


Prepare = Callable[[Writing, RecordState], Awaitable[Change]]


class Joined(msgspec.Struct, frozen=True):
    """Both records after a join or a split."""

    absorbed: RecordView
    survivor: RecordView


async def join(services: Services, caller: Caller, target: Target, survivor: str, reason: str) -> Joined:
    """Joins the record that `target` names into `survivor`: it becomes a stub, and its number finds the other.

    `target.seen` is the version of it that was shown. Declines, in words, what is joined, closed or erased
    already, restricted beside unrestricted, and records of two kinds or townships.
    """

    async def prepare(writing: Writing, state: RecordState) -> Change:
        other = await record_of(writing.connection, writing.township.id, survivor, caller.reach)
        _check_pair(writing, state, other)
        check_seen(state, target.seen, STATE)
        return _change(writing, state, Act(JOIN, state.state or "", JOINED), other.id, reason)

    return await _write(services, caller, target, ("record_joined", survivor, reason), prepare)


async def split(services: Services, caller: Caller, target: Target, reason: str) -> Joined:
    """Takes a joined record out again: it is worked on by itself, with whatever came to it meanwhile."""

    async def prepare(writing: Writing, state: RecordState) -> Change:
        if state.joined_into is None:
            raise Declined("already_decided", "this record is not joined", detail_zh="这件事项没有并案")
        return _change(writing, state, Act(SPLIT, state.state or "", "reported"), "", reason)

    return await _write(services, caller, target, ("record_split", "", reason), prepare)


async def absorbed(services: Services, caller: Caller, record: str) -> list[RecordView]:
    """The records that were joined into one, oldest number first."""
    township, _ = await find(services, caller, record)
    await services.registry.ensure()
    work = partial(joins.absorbed, township=township, into=[record], most=ABSORBED_MAX, reach=caller.reach)
    found = await snapshot(services.engine, work)
    return [record_view(township, state, veil_for(services, caller, state.kind)) for state in found]


async def survivor(services: Services, caller: Caller, record: str) -> RecordView | None:
    """What a record was joined into at last; None for one that is not joined, or where that is out of reach."""
    township, state = await find(services, caller, record)
    await services.registry.ensure()

    async def read(connection: AsyncConnection) -> RecordView | None:
        standing = state
        while standing.joined_into is not None:
            standing = await record_of(connection, township, standing.joined_into, caller.reach)
        if standing.id == state.id:
            return None
        return record_view(township, standing, veil_for(services, caller, standing.kind))

    try:
        return await snapshot(services.engine, read)
    except Declined:
        return None


async def _write(
    services: Services, caller: Caller, target: Target, says: tuple[audit.Name, str, str], prepare: Prepare
) -> Joined:
    """One change under the township's lock."""
    act, other, reason = says
    checked_key(target.key)
    _check_reason(reason)
    township, _ = await find(services, caller, target.thing)
    await services.registry.ensure()
    now_ms = services.clock()
    change_id = request_id(services, caller, target, msgspec.json.encode(says), now_ms)

    async def work(connection: AsyncConnection) -> Joined:
        writing = await open_writing(connection, services, caller, township, now_ms)
        state = await record_of(connection, township, target.thing, caller.reach)
        known = change_id in await changes.by_ids(connection, township, [change_id])
        other_id = other or state.joined_into or ""
        if not known:
            change = await prepare(writing, state)
            await admit(writing, msgspec.structs.replace(change, id=change_id))
            told = {"record": state.id, "other": other_id, "change": change_id}
            await append(connection, audit.Act(township, act, actor_of(caller), now_ms, told))
        return await _joined(writing, caller, target.thing, other_id)

    return await services.write(township, work)


async def _joined(writing: Writing, caller: Caller, record: str, other: str) -> Joined:
    connection, township = writing.connection, writing.township.id
    views = []
    for name in (record, other or record):
        state = await record_of(connection, township, name)
        views.append(record_view(township, state, veil_for(writing.services, caller, state.kind)))
    return Joined(*views)


def _check_reason(reason: str) -> None:
    if not 1 <= len(reason.strip()) <= REASON_CHARS_MAX:
        zh = f"理由为 1 至 {REASON_CHARS_MAX} 字"
        raise invalid(
            "reason", f"a reason has 1 to {REASON_CHARS_MAX} characters", "missing_field", detail_zh=zh
        )


def _check_pair(writing: Writing, state: RecordState, other: RecordState) -> None:
    """Declines what is no pair, or not one any more."""
    if state.id == other.id or state.kind != other.kind:
        raise _no_pair("请选两件同类的事项", "two records of one kind are joined")
    for one in (state, other):
        name = one.number or one.id
        if one.erased:
            raise Declined("erased")
        if one.joined_into is not None:
            told = {"record": one.id, "detail_zh": f"{name} 已经并案"}
            raise Declined(JOINED, f"{name} is joined to another record already", **told)
        if one.closed or one.deleted:
            raise _no_pair(f"{name} 已办结，请先重新办理", f"{name} is closed; reopen it first")
    if state.restricted != other.restricted:
        raise _no_pair(
            "其中一件限制知悉：两件都限制，或都不限制", "one of them is restricted: restrict both, or neither"
        )
    most = writing.services.limits.record_bytes_max
    if len(state.stored()[0]) + len(other.stored()[0]) > most:
        raise _no_pair("两件合起来过大", f"together they are larger than {most} bytes")


def _no_pair(zh: str, en: str) -> Declined:
    return invalid("record", en, "not_permitted", detail_zh=zh)


def _change(writing: Writing, state: RecordState, act: Act, into: str, reason: str) -> Change:
    """The change; its id is the caller's to set. Declines a step that does not start from where the record is."""
    shape, now_ms = latest_shape(writing.services, state.kind), writing.now_ms
    workflow = shape.kind.workflow
    if workflow is None or workflow.transition(act.name, act.from_) is None:
        raise Declined(
            "forbidden", f"no step {act.name} starts from {act.from_ or 'none'}", cause="not_permitted"
        )
    return Change(
        id="",
        record=state.id,
        kind=state.kind,
        version=shape.kind.version,
        n=1,
        at=now_ms,
        mark=now_ms,
        base=state.version,
        act=act,
        into=into,
        reason=reason.strip(),
    )
