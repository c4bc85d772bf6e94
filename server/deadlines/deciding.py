"""What people write about deadlines: an explanation; an extension that is asked for, and the word on it.

An approved extension moves the date in the very transaction that approves it. Every request may be sent
twice: with the same key it is one entry, and the same word on an extension is said once.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated

import msgspec
from msgspec import Meta
from sqlalchemy.ext.asyncio import AsyncConnection

from server.audit.acts import Act, Value
from server.audit.log import append
from server.deadlines.force import Force, in_force
from server.deadlines.reckoning import reckon
from server.deadlines.service import of_record
from server.deadlines.views import RecordDeadlines
from server.declined import Declined, invalid, not_found
from server.reach import Caller
from server.reckoning.clocks import RUNNING
from server.reckoning.rules import Allowance
from server.records.reading import find
from server.records.writing import Target, actor_of, checked_key, record_of, request_id
from server.services import Services
from server.storage import deadline_entries, deadline_passes, deadlines, townships
from server.storage.deadline_entries import EXPLANATION, EXTENSION, Entry
from server.storage.deadline_passes import Pass
from server.storage.deadlines import Row

_Words = Annotated[str, Meta(min_length=1, max_length=2_000, pattern="^[^\\x00]*$")]
"""A NUL is in no text that a database takes."""


class Explanation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a date was not kept (书面说明)."""

    rule: str
    text: _Words


class Wish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An extension that is asked for (延期申请): so many of the unit that the rule allows."""

    rule: str
    amount: Annotated[int, Meta(ge=1, le=1_000)]
    reason: _Words


class Word(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was decided about an extension (延期审批)."""

    approved: bool
    reason: _Words


class _Writing(msgspec.Struct, frozen=True):
    """A write under way: the township's lock and that of its deadlines are held."""

    connection: AsyncConnection
    township: str
    standing: Pass
    force: Force
    now_ms: int


_Make = Callable[[_Writing, Row], Awaitable[Entry]]


async def explain(services: Services, caller: Caller, target: Target, given: Explanation) -> RecordDeadlines:
    """Writes an explanation of the newest deadline of a rule down."""
    entry_id = _entry_id(services, caller, target, given)

    async def work(writing: _Writing, row: Row) -> Entry:
        return _entry(entry_id, caller, writing, row, EXPLANATION, given.text)

    return await _add(services, caller, target, entry_id, given.rule, work)


async def ask(services: Services, caller: Caller, target: Target, wish: Wish) -> RecordDeadlines:
    """Asks for an extension of a deadline that runs; one request at a time."""
    entry_id = _entry_id(services, caller, target, wish)

    async def work(writing: _Writing, row: Row) -> Entry:
        allowance = _allowance(writing.force, row)
        ((unit, most),) = allowance.by.given.items()
        if wish.amount > most:
            raise invalid("amount", f"at most {most} {unit}")
        there = await deadline_entries.of_records(writing.connection, writing.township, [target.thing])
        asked = [one for one in there if _is_about(one, row) and one.approved is not False]
        if any(one.approved is None for one in asked):
            raise invalid("rule", "an extension is asked for already, and waits for its decision")
        if len(asked) >= allowance.times:
            raise invalid("rule", f"it may be extended {allowance.times} times, and has been")
        made = _entry(entry_id, caller, writing, row, EXTENSION, wish.reason)
        return msgspec.structs.replace(made, unit=unit, amount=wish.amount)

    return await _add(services, caller, target, entry_id, wish.rule, work)


async def decide(
    services: Services, caller: Caller, record: str, extension: str, word: Word
) -> RecordDeadlines:
    """Approves or refuses an extension; declines whoever is not of the role that the rule names."""
    township, _ = await find(services, caller, record)

    async def work(connection: AsyncConnection) -> None:
        writing = await _open(connection, services, caller, township, record)
        entries = await deadline_entries.of_records(connection, township, [record])
        entry = next((one for one in entries if one.entry_id == extension and one.sort == EXTENSION), None)
        if entry is None:
            raise not_found()
        if entry.approved is not None:
            if (entry.approved, entry.decided_by) == (word.approved, caller.id):
                return
            raise Declined("already_decided", "somebody has decided about this extension")
        row = await _row(writing, record, entry.rule, entry.started_n)
        approver = _allowance(writing.force, row).approver
        if caller.role != approver:
            raise Declined("forbidden", f"this rule is extended by the role {approver}", role=caller.role)
        await _write_word(writing, services, entry, caller, word)

    await services.write(township, work)
    return await of_record(services, caller, record)


async def _write_word(
    writing: _Writing, services: Services, entry: Entry, caller: Caller, word: Word
) -> None:
    connection, township, now_ms = writing.connection, writing.township, writing.now_ms
    decided = msgspec.structs.replace(
        entry, approved=word.approved, decided_by=caller.id, decided_ms=now_ms, decided_words=word.reason
    )
    await deadline_entries.decide(connection, township, decided)
    since_ms, ids = writing.standing.since_ms, [entry.record_id]
    await reckon(connection, services.registry, township, writing.force, ids, since_ms)
    told: dict[str, Value] = {
        "record": entry.record_id,
        "extension": entry.entry_id,
        "rule": entry.rule,
        "approved": word.approved,
    }
    await append(connection, Act(township, "extension_decided", actor_of(caller), now_ms, told))


async def _add(
    services: Services,
    caller: Caller,
    target: Target,
    entry_id: str,
    rule: str,
    make: _Make,
) -> RecordDeadlines:
    """Writes what `make` makes of the newest deadline of a rule, unless it is there already."""
    township, _ = await find(services, caller, target.thing)

    async def work(connection: AsyncConnection) -> None:
        writing = await _open(connection, services, caller, township, target.thing)
        there = await deadline_entries.of_records(connection, township, [target.thing])
        if all(one.entry_id != entry_id for one in there):
            row = await _row(writing, target.thing, rule)
            await deadline_entries.add(connection, township, await make(writing, row))

    await services.write(township, work)
    return await of_record(services, caller, target.thing)


async def _open(
    connection: AsyncConnection, services: Services, caller: Caller, township: str, record: str
) -> _Writing:
    """Locks: the township first, then its deadlines."""
    await townships.lock(connection, township)
    await record_of(connection, township, record, caller.reach)
    standing = await deadline_passes.lock(connection, township)
    return _Writing(connection, township, standing, await in_force(connection, township), services.clock())


async def _row(writing: _Writing, record: str, rule: str, start: int | None = None) -> Row:
    """A deadline of a record by rule, the newest unless a start is named; declines one that is not there."""
    rows = await deadlines.of_records(writing.connection, writing.township, [record])
    fitting = [row for row in rows if row.rule == rule and start in (None, row.started_n)]
    if not fitting:
        raise invalid("rule", "the record has no deadline of this rule")
    return max(fitting, key=lambda row: row.started_n)


def _allowance(force: Force, row: Row) -> Allowance:
    rule = force.rules.rules.get(row.rule)
    if rule is None or rule.extension is None:
        raise invalid("rule", "this rule allows no extension")
    if row.status != RUNNING:
        raise invalid("rule", "the deadline has ended, there is nothing to extend")
    return rule.extension


def _is_about(entry: Entry, row: Row) -> bool:
    return entry.sort == EXTENSION and (entry.rule, entry.started_n) == (row.rule, row.started_n)


def _entry_id(services: Services, caller: Caller, target: Target, given: Explanation | Wish) -> str:
    checked_key(target.key)
    return request_id(services, caller, target, msgspec.json.encode(given), services.clock())


def _entry(entry_id: str, caller: Caller, writing: _Writing, row: Row, sort: str, words: str) -> Entry:
    return Entry(
        entry_id=entry_id,
        record_id=row.record_id,
        rule=row.rule,
        started_n=row.started_n,
        sort=sort,
        words=words,
        author=caller.id,
        written_ms=writing.now_ms,
    )
