"""Erases again what a restored database has brought back, from the list outside the database.

A record that the backup did not have yet gets its tombstone all the same: a device that offers it again is
answered `erased`.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from server.audit.acts import Act, Actor
from server.audit.log import append
from server.privacy.erasing import Order, erase
from server.privacy.listing import Line, line_of, lines_in
from server.storage import erasures, holds, records, townships
from server.storage.engine import snapshot, transact
from server.storage.erasures import Erasure
from server.storage.townships import Township
from server.vault.keeping import keys_of
from sync_protocol.ids import is_id
from sync_protocol.state import Marks, RecordState, Writer

BATCH: Final = 50
_REASON: Final = "list of erasures"


class Applied(msgspec.Struct, frozen=True):
    """What became of a list, in records, all townships together."""

    erased: int = 0
    """Erased again, those included that the database did not have."""
    already: int = 0
    held: tuple[str, ...] = ()
    """On which a legal hold stands; they were left as they are."""
    refused: int = 0
    """Lines that cannot be read, of townships that are not here, or for which nobody vouches."""


async def apply(engine: AsyncEngine, file: Path, by: Actor, now_ms: int, *, dry_run: bool = False) -> Applied:
    """Carries out every genuine line of the list that the database does not say already; or only counts them."""
    return await apply_lines(engine, lines_in(file), by, now_ms, dry_run=dry_run)


async def apply_lines(
    engine: AsyncEngine, lines: Iterable[Line | int], by: Actor, now_ms: int, *, dry_run: bool = False
) -> Applied:
    """The same for lines from elsewhere."""
    by_township: dict[str, dict[tuple[str, str], Line]] = {}
    done = Applied()
    for line in lines:
        if isinstance(line, int) or not is_id(line.record):
            done = total(done, Applied(refused=1))
        else:  # the same one twice counts once, and one that was made up hides no genuine one
            by_township.setdefault(line.township, {})[line.record, line.hmac] = line
    order = Order("", _REASON, by, now_ms)
    for township, wanted in sorted(by_township.items()):
        listed = list(wanted.values())
        for at in range(0, len(listed), BATCH):
            batch = listed[at : at + BATCH]
            done = total(done, await _batch(engine, township, batch, order, dry_run=dry_run))
    return done


async def apply_erasures(engine: AsyncEngine, known: Sequence[Erasure], by: Actor, now_ms: int) -> Applied:
    """The same for what a database of this very server had carried out, and so need not be vouched for."""

    async def vouch(connection: AsyncConnection) -> list[Line]:
        there = set(await townships.codes(connection))
        keys = {code: await keys_of(connection, code) for code in {one.township for one in known} & there}
        return [line_of(one, keys[one.township]) for one in known if one.township in keys]

    return await apply_lines(engine, await snapshot(engine, vouch), by, now_ms)


async def _batch(
    engine: AsyncEngine, code: str, lines: Sequence[Line], order: Order, *, dry_run: bool
) -> Applied:
    async def work(connection: AsyncConnection) -> Applied:
        township = await townships.lock(connection, code)
        if township is None:
            return Applied(refused=len(lines))
        keys = await keys_of(connection, code)
        genuine = {line.record: line for line in lines if line.genuine(keys)}
        held = await holds.held(connection, code, list(genuine))
        states = await records.by_ids(connection, code, list(genuine))
        already = {one for one, state in states.items() if state.erased}
        wanted = [line for line in genuine.values() if line.record not in held | already]
        if wanted and not dry_run:
            await _again(connection, township, wanted, states, order)
        return Applied(len(wanted), len(already), tuple(sorted(held)), len(lines) - len(genuine))

    return await transact(engine, work)


async def _again(
    connection: AsyncConnection,
    township: Township,
    lines: Sequence[Line],
    states: dict[str, RecordState],
    order: Order,
) -> None:
    taken = await records.numbers_taken(connection, township.id, [n for line in lines if (n := line.number)])
    for cause in sorted({line.cause for line in lines}):
        mine = [line for line in lines if line.cause == cause]
        gone = [states.get(line.record) or _unknown(township, line, taken) for line in mine]
        head = await townships.read(connection, township.id) or township
        await erase(connection, head, gone, msgspec.structs.replace(order, cause=cause))
    ids = [line.record for line in lines]
    await erasures.mark_listed(connection, township.id, ids)
    told = {"records": ids}
    await append(connection, Act(township.id, "erased_again", order.by, order.now_ms, told))


def _unknown(township: Township, line: Line, taken: set[str]) -> RecordState:
    """A record that the backup did not have: it lies in no grid, and so is in nobody's way."""
    number = line.number if line.number not in taken else None
    nobody = Marks([Writer(0, 0, line.record, township.identity)])
    return RecordState(
        line.record, line.kind, 0, 0, township.id, {}, nobody, number=number, deleted=True, new=True
    )


def total(one: Applied, other: Applied) -> Applied:
    """Both together."""
    return Applied(
        one.erased + other.erased,
        one.already + other.already,
        one.held + other.held,
        one.refused + other.refused,
    )
