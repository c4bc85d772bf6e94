"""How long what is kept: what the kinds declare, what a township has set instead, and who carries it out.

    off devices    records of a kind without workflow leave devices `keep_days` after their last change
    for good       a record that is over loses its values `retain_days` after its last change

Over is a record that is closed or deleted, or whose kind has no workflow. A record with a legal hold stays.
Carried out in small transactions, each of one township behind its lock, so that nobody waits for long. What was
found before the lock is looked at again behind it: whoever has written meanwhile keeps the record, and of two
processes at the same work the second finds it done.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from server.audit.acts import OPERATOR, Act, Actor, Value
from server.audit.log import append
from server.directory.working import locked, required
from server.privacy.erasing import Order, erase
from server.refused import RefusedError
from server.storage import erasures, holds, records, retention, stream, townships
from server.storage.engine import snapshot, transact
from server.storage.erasures import Counted
from server.storage.retention import FIRST, Due, RuleRow
from server.storage.townships import Township
from server.vault.sealing import Contact, contact_of
from sync_protocol.erasing import EXPIRED
from sync_protocol.kinds import Kind, shipped
from sync_protocol.messages import Exit
from sync_protocol.state import RecordState

BATCH: Final = 20
"""Records of one transaction: it holds the township's lock for some tens of milliseconds."""
DAY_MS: Final = 24 * 3_600_000
DAYS_MAX: Final = 36_500
KINDS_DECIDE: Final = "declared"
TOWNSHIP_DECIDES: Final = "set"


class Length(msgspec.Struct, frozen=True):
    """How long records of one kind are kept in one township, in days after their last change."""

    kind: str
    on_devices: int | None
    """None: until the matter is closed."""
    on_server: int | None
    """None: until somebody erases it."""
    source: str
    """`declared` by the kind, or `set` for the township."""
    reason: str | None = None


class Swept(msgspec.Struct, frozen=True):
    """What was done, or would be done, to one kind of one township, in records."""

    township: str
    kind: str
    left_devices: int
    erased: int


Write = Callable[[str, Callable[[AsyncConnection], Awaitable[int]]], Awaitable[int]]
"""Runs a write of a township; a server gives its turns."""


def declared(kind: Kind) -> int | None:
    """What a kind declares. Of one that was installed before kinds could, what ships with that version says it."""
    known = shipped().get(kind.name)
    if kind.retain_days is None and known is not None and known.key == kind.key:
        return known.retain_days
    return kind.retain_days


def lengths(kinds: Sequence[Kind], rules: Sequence[RuleRow]) -> list[Length]:
    """The lengths that count, by kind; `kinds` are the newest versions."""
    instead = {rule.kind: rule for rule in rules}
    return [_length(kind, instead.get(kind.name)) for kind in kinds]


def _length(kind: Kind, rule: RuleRow | None) -> Length:
    if rule is None:
        return Length(kind.name, kind.keep_days, declared(kind), KINDS_DECIDE)
    return Length(kind.name, kind.keep_days, rule.days, TOWNSHIP_DECIDES, rule.reason)


async def lengths_of(engine: AsyncEngine, township: str, kinds: Sequence[Kind]) -> list[Length]:
    """The lengths of a township; raises RefusedError for one that is not open here."""

    async def read(connection: AsyncConnection) -> list[RuleRow]:
        await required(connection, township)
        return await retention.rules(connection, township)

    return lengths(kinds, await snapshot(engine, read))


async def set_length(engine: AsyncEngine, township: str, row: RuleRow, *, by: Actor = OPERATOR) -> None:
    """Sets another length for a kind of a township. Raises RefusedError."""
    if row.days is not None and not 1 <= row.days <= DAYS_MAX:
        message = f"A length is 1 to {DAYS_MAX:,} days, or forever."
        raise RefusedError(message)

    async def work(connection: AsyncConnection) -> None:
        await locked(connection, township)
        await retention.put_rule(connection, township, row)
        told: dict[str, Value] = {"kind": row.kind, "days": row.days}
        await append(connection, Act(township, "retention_changed", by, row.set_ms, told))

    await transact(engine, work)


async def unset_length(
    engine: AsyncEngine, township: str, kind: str, now_ms: int, *, by: Actor = OPERATOR
) -> bool:
    """What the kind declares counts again; whether something else did."""

    async def work(connection: AsyncConnection) -> bool:
        await locked(connection, township)
        gone = await retention.drop_rule(connection, township, kind)
        if gone:
            told: dict[str, Value] = {"kind": kind, "declared": True}
            await append(connection, Act(township, "retention_changed", by, now_ms, told))
        return gone

    return await transact(engine, work)


async def sweep(
    engine: AsyncEngine,
    township: str,
    kinds: Sequence[Kind],
    now_ms: int,
    *,
    by: Actor = OPERATOR,
    dry_run: bool = False,
    write: Write | None = None,
) -> list[Swept]:
    """Carries out every length of a township; with `dry_run` it only counts.

    `kinds` are the newest versions of all kinds. Raises RefusedError for a township that is not open here.
    """
    carry_out = None if dry_run else write or (lambda _, work: transact(engine, work))
    done = []
    for length, kind in zip(await lengths_of(engine, township, kinds), kinds, strict=True):
        erased = await _each(
            engine, _over(township, kind, length, now_ms), _eraser(by, now_ms), carry_out, township
        )
        left = await _each(
            engine,
            _leaving(township, kind, length, now_ms),
            partial(_leave, contact_of(kind)),
            carry_out,
            township,
        )
        if erased or left:
            done.append(Swept(township, kind.name, left, erased))
    return done


async def report(
    engine: AsyncEngine, township: str, since_ms: int, now_ms: int, *, by: Actor = OPERATOR
) -> list[Counted]:
    """How many records were erased since a time, by kind and cause. That it was told is in the audit."""

    async def work(connection: AsyncConnection) -> list[Counted]:
        await locked(connection, township)
        found = await erasures.counts(connection, township, since_ms)
        told = {"since_ms": since_ms}
        await append(connection, Act(township, "retention_told", by, now_ms, told))
        return found

    return await transact(engine, work)


_Find = Callable[[AsyncConnection, str], Awaitable[list[Due]]]
_Do = Callable[[AsyncConnection, Township, list[RecordState]], Awaitable[int]]


def _over(township: str, kind: Kind, length: Length, now_ms: int) -> _Find | None:
    if length.on_server is None:
        return None
    before_ms, no_workflow = now_ms - length.on_server * DAY_MS, kind.workflow is None

    async def find(connection: AsyncConnection, after: str) -> list[Due]:
        return await retention.over(
            connection, township, kind.name, before_ms, after, no_workflow=no_workflow
        )

    return find


def _leaving(township: str, kind: Kind, length: Length, now_ms: int) -> _Find | None:
    if length.on_devices is None or kind.workflow is not None:
        return None
    before_ms = now_ms - length.on_devices * DAY_MS

    async def find(connection: AsyncConnection, after: str) -> list[Due]:
        return await retention.leaving(connection, township, kind.name, before_ms, after)

    return find


async def _each(engine: AsyncEngine, find: _Find | None, do: _Do, write: Write | None, township: str) -> int:
    """Does something to all that is found, batch by batch; without `write` it only counts."""
    done = 0
    if find is None:
        return done
    async for found in _found(engine, find):
        for at in range(0, len(found), BATCH):
            due = found[at : at + BATCH]
            done += len(due) if write is None else await write(township, partial(_batch, township, due, do))
    return done


async def _found(engine: AsyncEngine, find: _Find) -> AsyncIterator[list[Due]]:
    after = FIRST
    while found := await snapshot(engine, partial(_call, find=find, after=after)):
        yield found
        after = found[-1].record_id


async def _call(connection: AsyncConnection, find: _Find, after: str) -> list[Due]:
    return await find(connection, after)


async def _batch(township: str, due: Sequence[Due], do: _Do, connection: AsyncConnection) -> int:
    """One transaction: those that nobody has written since they were found."""
    head = await locked(connection, township)
    seen = {one.record_id: one.version for one in due}
    states = await records.by_ids(connection, township, sorted(seen))
    still = [states[one] for one in sorted(states) if states[one].version == seen[one]]
    return await do(connection, head, [state for state in still if not state.erased])


def _eraser(by: Actor, now_ms: int) -> _Do:
    async def do(connection: AsyncConnection, head: Township, states: list[RecordState]) -> int:
        held = await holds.held(connection, head.id, [state.id for state in states])
        states = [state for state in states if state.id not in held]
        if not states:
            return 0
        order = Order(erasures.RETENTION, "", by, now_ms)
        done = await erase(connection, head, states, order)
        told: dict[str, Value] = {"kind": states[0].kind, "records": [one.record_id for one in done]}
        await append(connection, Act(head.id, "retention_done", by, now_ms, told))
        return len(done)

    return do


async def _leave(
    contact: Contact, connection: AsyncConnection, head: Township, states: list[RecordState]
) -> int:
    """Takes records off devices, by an exit each; on the server they stay as they are."""
    leaving = [state for state in states if state.held]
    if not leaving:
        return 0
    exits = [(s.place, Exit(s.id, n, EXPIRED)) for n, s in enumerate(leaving, head.counter + 1)]
    for state in leaving:
        state.closed = True
    await records.write(connection, head.id, leaving, 0, {state.id: contact for state in leaving})
    await stream.write_exits(connection, head.id, exits)
    await townships.bump(connection, head.id, exits[-1][1].n, head.tip, head.tip_change)
    return len(leaving)
