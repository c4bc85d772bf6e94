"""Everything that a township has sealed, sealed anew under its newest data key, while devices go on syncing.

It also seals what was stored before there were keys, and fills the index of telephone numbers. Some rows a
transaction, each under the township's lock, so a push waits for milliseconds; stopped half-way, it is begun again.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeVar

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from server.storage import changes, conflicts, kinds, records, sign_in, slips, telephones, townships
from server.storage.changes import Stored
from server.storage.engine import snapshot, transact
from server.storage.office_changes import CLOSINGS
from server.vault.sealing import NOTHING, WHOLE, Contact, contact_of
from server.vault.telephones import of_record
from sync_protocol.kinds import from_json

T = TypeVar("T")
CHUNK: Final = 200
Progress = Callable[[int], None]
"""Hears how many rows are done."""
_ROWS: Final = text(
    "SELECT (SELECT count(*) FROM records WHERE township_id = :t) + "
    "(SELECT count(*) FROM changes WHERE township_id = :t) + "
    "(SELECT count(*) FROM conflicts WHERE township_id = :t)"
)


class _Named(msgspec.Struct):
    """What has to be known of a stored change."""

    kind: str


Classes = Callable[[str], Contact]


async def rows_of(engine: AsyncEngine, township: str) -> int:
    """How many rows there are to go through."""

    async def count(connection: AsyncConnection) -> int:
        return int(await connection.scalar(_ROWS, {"t": township}) or 0)

    return await snapshot(engine, count)


async def reseal(engine: AsyncEngine, township: str, progress: Progress = lambda _: None) -> int:
    """Seals everything of a township anew; how many rows there were."""
    classes = await snapshot(engine, _classes)
    done = 0
    after: str | None = ""
    while after is not None:
        states = await _locked(
            engine, township, partial(_records, township=township, after=after, classes=classes)
        )
        done, after = done + len(states), states[-1] if states else None
        progress(done)
    above: int | None = 0
    while above is not None:
        numbers = await _locked(
            engine, township, partial(_changes, township=township, above=above, classes=classes)
        )
        done, above = done + len(numbers), numbers[-1] if numbers else None
        progress(done)
    after = ""
    while after is not None:
        ids = await _locked(
            engine, township, partial(_conflicts, township=township, after=after, classes=classes)
        )
        done, after = done + len(ids), ids[-1] if ids else None
        progress(done)
    await _locked(engine, township, partial(sign_in.reseal, township=township))
    await _locked(engine, township, partial(slips.reseal, township=township))
    return done


async def _locked(engine: AsyncEngine, township: str, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    async def run(connection: AsyncConnection) -> T:
        await townships.lock(connection, township)
        return await work(connection)

    return await transact(engine, run)


async def _records(connection: AsyncConnection, township: str, after: str, classes: Classes) -> list[str]:
    states = await records.reseal(connection, township, after, CHUNK, classes)
    numbers = {state.id: of_record(state.stored()[0], classes(state.kind)) for state in states}
    await telephones.put(connection, township, numbers, list(numbers))
    return [state.id for state in states]


async def _changes(connection: AsyncConnection, township: str, above: int, classes: Classes) -> list[int]:
    rows = await changes.reseal(connection, township, above, CHUNK, partial(_of_change, classes=classes))
    return [row.n for row in rows]


async def _conflicts(connection: AsyncConnection, township: str, after: str, classes: Classes) -> list[str]:
    return [row.conflict_id for row in await conflicts.reseal(connection, township, after, CHUNK, classes)]


def _of_change(row: Stored, classes: Classes) -> Contact:
    """What is sealed of a stored change: all of one that was refused, nothing of the office's word that closed one.

    Of an erased one there is nothing left to seal; that it is empty is how it is known.
    """
    if row.erased or row.result in CLOSINGS:
        return NOTHING
    try:
        named = msgspec.json.decode(row.payload, type=_Named)
    except (ValueError, RecursionError):
        return WHOLE
    return WHOLE if row.quarantined else classes(named.kind)


async def _classes(connection: AsyncConnection) -> Classes:
    """What is sealed of each kind, by the newest version that is installed."""
    installed = [
        from_json(one.declaration) for one in await kinds.read(connection, await kinds.keys(connection))
    ]
    newest = {kind.name: contact_of(kind) for kind in sorted(installed, key=lambda kind: kind.version)}
    return lambda name: newest.get(name, WHOLE)
