"""What a restore takes back, noted in the restored database itself, before a server runs on it.

Devices would notice by themselves (server/sync/timeline.py). But whoever restores by `roundbook restore` still
has the database that is replaced, and it knows what devices can only prove in part, or not at all: the last number
of each register and of each sort of slip, and how far the counters had come. So nothing is given twice, not even
before the first device comes.
"""

import contextlib
import sqlite3
from pathlib import Path

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from server.audit.acts import OPERATOR, Act, Value
from server.audit.chain import INSTALLATION
from server.audit.log import append
from server.backup import heads_in, read_only
from server.storage import townships
from server.storage.audit import Head
from server.storage.engine import snapshot, transact
from server.storage.townships import Township
from server.sync.timeline import pass_register

_TOWNSHIPS = text("SELECT township_id, name, lost_spans FROM townships ORDER BY township_id")

_HAS_SLIPS = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'slips'"
_SLIPS = "SELECT township_id, sort, year, max(serial) FROM slips GROUP BY township_id, sort, year"


class Given(msgspec.Struct, frozen=True):
    """How far a township had come in the database that was replaced."""

    counter: int = 0
    registers: tuple[tuple[int, int], ...] = ()
    """Year and last number."""
    slips: tuple[tuple[str, int, int], ...] = ()
    """Sort, year and last number of its slips."""
    head: Head | None = None
    """Where its audit had come to."""


class Lost(msgspec.Struct, frozen=True):
    """What a restore took back from a township, for people. Times in milliseconds since 1970."""

    township: str
    name: str
    since_ms: int
    noticed_ms: int
    missing: tuple[tuple[str, str], ...]
    """Registration numbers given in that time that no device has brought back yet: first and last of each row."""


def given_in(file: Path | None) -> dict[str, Given]:
    """Township to how far it had come in a database file; empty for one that is too damaged to say.

    What concerns no township is under INSTALLATION.
    """
    if file is None:
        return {}
    registers: dict[str, list[tuple[int, int]]] = {}
    slips: dict[str, list[tuple[str, int, int]]] = {}
    try:
        with contextlib.closing(read_only(file)) as connection:
            for township, year, last in connection.execute("SELECT township_id, year, last FROM registers"):
                registers.setdefault(township, []).append((year, last))
            has_slips = connection.execute(_HAS_SLIPS).fetchone() is not None  # older ones have none
            for township, *given in connection.execute(_SLIPS) if has_slips else ():
                slips.setdefault(township, []).append((given[0], given[1], given[2]))
            counters = dict(connection.execute("SELECT township_id, counter FROM townships").fetchall())
            heads = {head.township: head for head in heads_in(connection)}
    except sqlite3.Error:
        return {}
    return {
        code: Given(
            counters.get(code, 0),
            tuple(registers.get(code, ())),
            tuple(slips.get(code, ())),
            heads.get(code),
        )
        for code in {*counters, *heads}
    }


async def note_restore(engine: AsyncEngine, given: dict[str, Given], now_ms: int) -> None:
    """Opens a new timeline in every township, above all that `given` knows, and writes it into every audit."""

    async def work(connection: AsyncConnection) -> None:
        for row in (await connection.execute(_TOWNSHIPS)).all():
            township = await townships.lock(connection, row.township_id)
            if township is not None:
                since_ms = await _note(connection, township, given.get(township.id, Given()), now_ms)
                told = {"since_ms": since_ms, **_replaced(given.get(township.id))}
                await append(connection, Act(township.id, "restored", OPERATOR, now_ms, told))
        told = _replaced(given.get(INSTALLATION))
        await append(connection, Act(INSTALLATION, "restored", OPERATOR, now_ms, told))

    await transact(engine, work)


def _replaced(given: Given | None) -> dict[str, Value]:
    """Where the audit of the database that was replaced had come to, so that what is gone is named."""
    head = given.head if given is not None else None
    return {} if head is None else {"replaced_n": head.n, "replaced_hash": head.hash}


async def _note(connection: AsyncConnection, township: Township, given: Given, now_ms: int) -> int:
    since_ms = await townships.newest_ms(connection, township.id)
    township = await townships.open_epoch(
        connection, township, above=given.counter, since_ms=since_ms, now_ms=now_ms
    )
    for year, last in given.registers:
        township = await pass_register(connection, township, year, last)
    await townships.note_slips(connection, township, given.slips)
    return since_ms


async def lost(engine: AsyncEngine) -> list[Lost]:
    """What restores have taken back, by township, the oldest first."""
    return await snapshot(engine, lost_in)


async def lost_in(connection: AsyncConnection) -> list[Lost]:
    """The same, in an open transaction."""
    found = []
    for row in (await connection.execute(_TOWNSHIPS)).all():
        for span in townships.spans_of(row.lost_spans):
            missing = await townships.missing_numbers(connection, row.township_id, span)
            found.append(Lost(row.township_id, row.name, span.since_ms, span.noticed_ms, missing))
    return found
