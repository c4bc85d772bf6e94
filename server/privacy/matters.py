"""Of one matter, by its registration number: a legal hold is set or lifted, and it is erased.

A record without a number is named by its id. What lies outside the caller's reach does not exist. `by` is who
the audit names, unless it is the caller.
"""

import re
from typing import Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.audit.acts import Act, Actor
from server.audit.log import append
from server.declined import Declined, invalid, not_found
from server.privacy.erasing import Order, erase
from server.privacy.recording import record as list_erasures
from server.reach import Caller
from server.records.writing import Writing, actor_of, new_id, open_writing, record_of
from server.services import Services
from server.storage import erasures, holds, joins, office_records
from server.storage.engine import snapshot
from server.storage.erasures import ASKED, Erasure
from server.storage.holds import Hold
from server.storage.office_records import Filter
from sync_protocol.ids import is_id
from sync_protocol.state import RecordState

REASON_CHARS: Final = (4, 500)
NUMBER_CHARS_MAX: Final = 40
_LONG_NUMBER: Final = re.compile(r"\d{7}")
"""A telephone or an identity number; years, and numbers of files and cases in parts, are shorter."""


class Erased(msgspec.Struct, frozen=True):
    """A record whose values are gone."""

    record: str
    number: str | None
    kind: str
    cause: str
    erased_ms: int
    now: bool
    """Whether this very request did it."""
    listed: bool
    """Whether the list outside the database has it; else the server goes on trying."""


class Holding(msgspec.Struct, frozen=True):
    """The legal holds of a record, oldest first; at most one of them stands."""

    record: str
    number: str | None
    holds: list[Hold]


def checked_reason(reason: str) -> str:
    """A reason in words; declines one that is too short or too long to be one, or has a long number in it."""
    plain = " ".join(reason.split())
    low, high = REASON_CHARS
    if not low <= len(plain) <= high or not plain.isprintable():
        raise invalid("reason", f"a reason has {low} to {high} characters", "missing_field")
    if _LONG_NUMBER.search(plain):
        raise invalid("reason", "a reason has no telephone or identity number in it: it is kept in the audit")
    return plain


async def named(services: Services, caller: Caller, name: str) -> tuple[str, str]:
    """The township and the id of the record that a number or an id names; declines what is not within reach."""
    if not 0 < len(name) <= NUMBER_CHARS_MAX or "\0" in name:
        raise not_found()
    for township in caller.townships:

        async def read(connection: AsyncConnection, township: str = township) -> list[RecordState]:
            return await _found(connection, township, caller, name)

        found = await snapshot(services.engine, read)
        if found:
            return township, found[0].id
    raise not_found()


async def _found(connection: AsyncConnection, township: str, caller: Caller, name: str) -> list[RecordState]:
    if is_id(name):
        try:
            return [await record_of(connection, township, name, caller.reach)]
        except Declined:
            return []
    wanted = Filter(number=name, deleted=True)
    return await office_records.listed(connection, township, wanted, "", 1, caller.reach)


async def erase_matter(
    services: Services, caller: Caller, name: str, reason: str, *, by: Actor | None = None
) -> Erased:
    """Erases a record for good; one that is erased already is said to be. Declines while a hold stands."""
    words, actor = checked_reason(reason), by or actor_of(caller)
    township, record = await named(services, caller, name)

    async def work(connection: AsyncConnection) -> tuple[Erasure, bool]:
        now_ms = services.clock()
        writing = await open_writing(connection, services, caller, township, now_ms)
        state = await record_of(connection, township, record, caller.reach)
        before = await erasures.of_records(connection, township, [record])
        if state.erased and record in before:
            return before[record], False
        if await holds.held(connection, township, [record]):
            raise Declined("on_hold")
        holders = await joins.holders(connection, township, [record])
        if holders:
            raise Declined("joined", f"what it says stands in {', '.join(holders)} too: erase that first")
        (done,) = await erase(connection, writing.township, [state], Order(ASKED, words, actor, now_ms))
        await append(connection, Act(township, "record_erased", actor, now_ms, {"record": record}))
        return done, True

    done, now = await services.write(township, work)
    listed = await list_erasures(services.engine, services.erasures, township)
    return Erased(record, done.number, done.kind, done.cause, done.erased_ms, now, listed)


async def hold(
    services: Services, caller: Caller, name: str, reason: str, *, by: Actor | None = None
) -> Holding:
    """Sets a legal hold; declines where one stands, and on what is erased."""
    words, actor = checked_reason(reason), by or actor_of(caller)
    township, record = await named(services, caller, name)

    async def work(connection: AsyncConnection) -> Holding:
        writing, state, known = await _open(connection, services, caller, township, record)
        if state.erased:
            raise Declined("erased")
        if any(one.lifted_ms is None for one in known):
            raise Declined("already_decided", "a hold stands already")
        now_ms = writing.now_ms
        fresh = Hold(new_id(services, now_ms), record, words, str(actor), now_ms)
        await holds.add(connection, township, fresh)
        await append(connection, Act(township, "hold_set", actor, now_ms, _told(fresh)))
        return Holding(record, state.number, [*known, fresh])

    return await services.write(township, work)


async def lift(
    services: Services, caller: Caller, name: str, reason: str, *, by: Actor | None = None
) -> Holding:
    """Lifts the hold that stands; declines where none does."""
    words, actor = checked_reason(reason), by or actor_of(caller)
    township, record = await named(services, caller, name)

    async def work(connection: AsyncConnection) -> Holding:
        writing, state, known = await _open(connection, services, caller, township, record)
        standing = next((one for one in known if one.lifted_ms is None), None)
        if standing is None:
            raise Declined("already_decided", "no hold stands")
        now_ms = writing.now_ms
        await holds.lift(connection, township, standing.hold_id, str(actor), words, now_ms)
        await append(connection, Act(township, "hold_lifted", actor, now_ms, _told(standing)))
        return Holding(record, state.number, await holds.of_record(connection, township, record))

    return await services.write(township, work)


async def _open(
    connection: AsyncConnection, services: Services, caller: Caller, township: str, record: str
) -> tuple[Writing, RecordState, list[Hold]]:
    writing = await open_writing(connection, services, caller, township, services.clock())
    state = await record_of(connection, township, record, caller.reach)
    return writing, state, await holds.of_record(connection, township, record)


def _told(one: Hold) -> dict[str, str]:
    return {"hold": one.hold_id, "record": one.record_id}
