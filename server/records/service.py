"""Creating, editing and acting upon records over HTTP, for people and applications. Reading is in reading.py.

Every write is idempotent. A create is known by the caller and its key; an edit or a step by the key
that came with it and by what it says, so that the same request sent twice is one change of the one table.
"""

import itertools
from collections.abc import Awaitable, Callable

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.audit import acts as audit
from server.audit.log import append
from server.declined import Declined, invalid
from server.offices import COUNTY_ROLES
from server.reach import Caller
from server.records.creating import NewRecord, create_change
from server.records.editing import Changed, Edit, Editor, changed, check_seen
from server.records.reading import find, veil_for
from server.records.views import RecordView, record_view
from server.records.writing import (
    Target,
    Writing,
    actor_of,
    admit,
    check_place,
    checked_key,
    derived_id,
    latest_shape,
    new_id,
    open_writing,
    record_of,
    request_id,
)
from server.services import Services
from server.storage import changes
from server.storage.engine import snapshot
from sync_protocol.changes import Act, Change
from sync_protocol.history import STATE
from sync_protocol.ids import township_of
from sync_protocol.joining import JOINED, SPLIT
from sync_protocol.kinds import Shape, Title, Transition
from sync_protocol.state import RecordState


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A step of the workflow, with what belongs to it: a close may bring the answer that it needs."""

    action: str
    note: str | None = None
    reason: str | None = None
    edit: Edit = Edit()


class Action(msgspec.Struct, frozen=True):
    """A step that is open to the caller now."""

    name: str
    title: Title
    to: str
    needs: tuple[str, ...]
    """Fields and words that have to be there; "a | b" is satisfied by either."""
    missing: tuple[str, ...]
    """Those of `needs` that the record does not satisfy yet."""


class Subject(msgspec.Struct, frozen=True):
    """What a write is compared with, under the township's lock."""

    writing: Writing
    state: RecordState
    shape: Shape
    seen: int | None
    caller: Caller


Prepare = Callable[[Subject], Awaitable[Change | None]]
Also = Callable[[Writing], Awaitable[None]]
"""What is written with a step, in its transaction: both are there, or neither."""


async def create(services: Services, caller: Caller, new: NewRecord) -> tuple[RecordView, bool]:
    """A new record, and whether this very request made it; the same key again gives the same record."""
    township = township_of(new.place)
    if not caller.reach.covers(new.place):
        raise invalid("place", "there is no such place within your reach", "unknown_place")
    checked_key(new.key)
    await services.registry.ensure([(new.kind, new.version or 1)])
    await _check_elsewhere(services, caller, township, new.key)
    now_ms = services.clock()

    async def work(connection: AsyncConnection) -> tuple[RecordView, bool]:
        writing = await open_writing(connection, services, caller, township, now_ms)
        await check_place(connection, township, new.place)
        change_id = derived_id("create", caller.id, township, new.key)
        known = (await changes.by_ids(connection, township, [change_id])).get(change_id)
        change = create_change(new, caller, services.registry, change_id, now_ms, known)
        verdict = await admit(writing, change)
        state = await record_of(connection, township, change.record)
        veil = veil_for(services, caller, state.kind)
        return record_view(township, state, veil), not verdict.duplicate

    return await services.write(township, work)


async def _check_elsewhere(services: Services, caller: Caller, township: str, key: str) -> None:
    """A key means one record in all townships of a token, and a change belongs to one township."""
    for other in caller.townships:
        if other == township:
            continue
        change_id = derived_id("create", caller.id, other, key)

        async def read(connection: AsyncConnection, other: str = other, known: str = change_id) -> bool:
            return known in await changes.by_ids(connection, other, [known])

        if await snapshot(services.engine, read):
            raise Declined("key_reused", "the key was used before, in another township")


async def update(services: Services, caller: Caller, target: Target, edit: Edit) -> RecordView:
    """The record after an edit. What was not touched may have changed since the version seen; it merges."""

    async def prepare(subject: Subject) -> Change | None:
        difference = await _difference(subject, edit)
        return None if difference.nothing else _change(subject, difference, edit.reason)

    return await _write(services, caller, target, msgspec.json.encode(edit), prepare)


async def act(
    services: Services, caller: Caller, target: Target, step: Step, also: Also | None = None
) -> RecordView:
    """The record after a step of its workflow."""

    async def prepare(subject: Subject) -> Change | None:
        check_seen(subject.state, subject.seen, STATE)
        transition = _transition(subject, step.action)
        difference = await _difference(subject, step.edit)
        change = _change(subject, difference, step.reason or step.edit.reason)
        taken = Act(step.action, subject.state.state or "", transition.to, step.note)
        return msgspec.structs.replace(change, act=taken)

    return await _write(services, caller, target, msgspec.json.encode(step), prepare, also)


async def actions(services: Services, caller: Caller, record: str) -> list[Action]:
    """The steps that are open to the caller now."""
    _, state = await find(services, caller, record)
    await services.registry.ensure()
    kind = services.registry.latest(state.kind)
    workflow = kind.workflow if kind is not None else None
    if workflow is None or state.state is None:
        return []
    return [
        Action(t.name, t.title, t.to, t.needs, t.missing(state.values))
        for t in workflow.actions(state.state, caller.role)
        if t.to != JOINED and t.name != SPLIT  # these two take both records: server/joins
    ]


async def _write(
    services: Services,
    caller: Caller,
    target: Target,
    says: bytes,
    prepare: Prepare,
    also: Also | None = None,
) -> RecordView:
    """One write under the township's lock: what `prepare` makes of the record as it stands there."""
    checked_key(target.key)
    township, _ = await find(services, caller, target.thing)
    await services.registry.ensure()
    now_ms = services.clock()
    change_id = request_id(services, caller, target, says, now_ms)

    async def work(connection: AsyncConnection) -> RecordView:
        writing = await open_writing(connection, services, caller, township, now_ms)
        state = await record_of(connection, township, target.thing, caller.reach)
        if change_id not in await changes.by_ids(connection, township, [change_id]):
            kind_shape = latest_shape(services, state.kind)
            seen = None if target.seen is None else writing.township.survived(target.seen)
            change = await prepare(Subject(writing, state, kind_shape, seen, caller))
            if change is not None:
                change = msgspec.structs.replace(change, id=change_id)
                await admit(writing, change)
                await _note_county(writing, caller, change)
                if also is not None:
                    await also(writing)
                state = await record_of(connection, township, target.thing)
        return record_view(township, state, veil_for(services, caller, state.kind))

    return await services.write(township, work)


async def _note_county(writing: Writing, caller: Caller, change: Change) -> None:
    """What a county does in a township stands in the township's audit."""
    if caller.role in COUNTY_ROLES and change.act is not None:
        told = {"record": change.record, "step": change.act.name, "change": change.id}
        act = audit.Act(writing.township.id, "county_acted", actor_of(caller), writing.now_ms, told)
        await append(writing.connection, act)


async def _difference(subject: Subject, edit: Edit) -> Changed:
    writing = subject.writing

    # A millisecond apart, because entries are shown in the order of their ids.
    times = itertools.count(writing.now_ms)

    def entry_id() -> str:
        return new_id(writing.services, next(times))

    editor = Editor(subject.state, subject.shape, subject.seen, subject.caller.scopes, entry_id)
    difference = changed(editor, edit)
    if difference.place is not None:
        reach = subject.caller.reach
        await check_place(writing.connection, writing.township.id, difference.place, reach=reach)
    return difference


def _change(subject: Subject, difference: Changed, reason: str | None) -> Change:
    """The change that says a difference; its id is the caller's to set."""
    state, now_ms = subject.state, subject.writing.now_ms
    return Change(
        id="",
        record=state.id,
        kind=state.kind,
        version=subject.shape.kind.version,
        n=1,
        at=now_ms,
        mark=now_ms,
        base=state.version if subject.seen is None else subject.seen,
        place=difference.place,
        fields=msgspec.Raw(msgspec.json.encode(difference.fields)),
        ops=tuple(difference.ops),
        reason=reason,
    )


def _transition(subject: Subject, action: str) -> Transition:
    workflow, state = subject.shape.kind.workflow, subject.state.state or ""
    transition = workflow.transition(action, state) if workflow is not None else None
    if transition is None:
        possible = workflow.actions(state, subject.caller.role) if workflow is not None else ()
        raise Declined(
            "forbidden",
            f"{action} does not start from the state {state or 'none'}",
            cause="not_permitted",
            possible=[one.name for one in possible],
        )
    return transition
