"""Statements that look for what must never be: rows that nothing explains, sums that do not add up.

Read by `roundbook doctor` alone. Each looks at one township.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage import changes, records
from server.storage.changes import Stored
from sync_protocol.canonical import canonical, halves
from sync_protocol.state import RecordState

CHUNK: Final = 500
_HALF: Final = 2**32
_MAX: Final = text(
    "SELECT max(n) FROM (SELECT max(n) AS n FROM changes WHERE township_id = :t "
    "UNION ALL SELECT max(version) FROM records WHERE township_id = :t "
    "UNION ALL SELECT max(n) FROM exits WHERE township_id = :t "
    "UNION ALL SELECT max(n) FROM receipts WHERE township_id = :t) x"
)
_NEWEST: Final = text("SELECT max(n) FROM changes WHERE township_id = :t")
_NUMBERS: Final = text("SELECT number FROM records WHERE township_id = :t AND number IS NOT NULL")
_REGISTERS: Final = text("SELECT year, last FROM registers WHERE township_id = :t")
_KINDS: Final = text("SELECT DISTINCT kind FROM records WHERE township_id = :t")
_HOLDINGS: Final = text("SELECT grid, held, digest_high, digest_low FROM holdings WHERE township_id = :t")
_IDS: Final = text("SELECT CAST(record_id AS text) AS id FROM records WHERE township_id = :t")
_RECEIPTS: Final = text("SELECT body FROM receipts WHERE township_id = :t")
_ORPHANS: Final = {
    "record": "conflicts x WHERE x.township_id = :t AND NOT EXISTS (SELECT 1 FROM records r "
    "WHERE r.township_id = :t AND r.record_id = x.record_id)",
    "decision": "conflicts x WHERE x.township_id = :t AND x.decision IS NOT NULL AND NOT EXISTS "
    "(SELECT 1 FROM changes c WHERE c.township_id = :t AND c.change_id = x.decision)",
    "exit": "exits x WHERE x.township_id = :t AND NOT EXISTS (SELECT 1 FROM records r "
    "WHERE r.township_id = :t AND r.record_id = x.record_id)",
    "receipt": "receipts x WHERE x.township_id = :t AND NOT EXISTS (SELECT 1 FROM devices d "
    "WHERE d.township_id = :t AND d.device_id = x.device_id)",
}


class _Receipt(msgspec.Struct):
    change: str


async def highest(connection: AsyncConnection, township: str) -> tuple[int, int]:
    """The highest number of all, and that of the newest change; 0 where there is none."""
    most = await connection.scalar(_MAX, {"t": township})
    return int(most or 0), int(await connection.scalar(_NEWEST, {"t": township}) or 0)


async def numbers(connection: AsyncConnection, township: str) -> tuple[list[str], dict[int, int]]:
    """Every registration number of a record, and the register: year to last number."""
    given = [row.number for row in await connection.execute(_NUMBERS, {"t": township})]
    return given, {row.year: row.last for row in await connection.execute(_REGISTERS, {"t": township})}


async def kinds_used(connection: AsyncConnection, township: str) -> set[str]:
    """The kinds of its records."""
    return {row.kind for row in await connection.execute(_KINDS, {"t": township})}


async def orphans(connection: AsyncConnection, township: str) -> dict[str, int]:
    """How many rows of each sort belong to nothing: conflicts by `record` or `decision`, exits, receipts."""
    found = {}
    for name, rest in _ORPHANS.items():
        found[name] = int(await connection.scalar(text(f"SELECT count(*) FROM {rest}"), {"t": township}) or 0)
    named = sorted({_named(row.body) for row in await connection.execute(_RECEIPTS, {"t": township})})
    for part in _chunks(named):
        found["receipt"] += len(part) - len(await changes.by_ids(connection, township, part))
    return found


async def holdings(connection: AsyncConnection, township: str) -> dict[str, tuple[int, int, int]]:
    """Grid to what is kept of it: how many records, and the halves of their sum modulo 2^32."""
    rows = await connection.execute(_HOLDINGS, {"t": township})
    return {row.grid: (row.held, row.digest_high % _HALF, row.digest_low % _HALF) for row in rows if row.held}


async def records_with_history(
    connection: AsyncConnection, township: str
) -> list[tuple[RecordState, list[Stored]]]:
    """Every record with its changes, oldest first; quarantined ones left out."""
    ids = sorted(row.id for row in await connection.execute(_IDS, {"t": township}))
    found = []
    for part in _chunks(ids):
        states = await records.by_ids(connection, township, part)
        histories: dict[str, list[Stored]] = {}
        for row in await changes.of_records(connection, township, part):
            if not row.quarantined:
                histories.setdefault(row.record_id or "", []).append(row)
        found += [(states[one], histories.get(one, [])) for one in part if one in states]
    return found


def weighed(state: RecordState) -> tuple[int, int]:
    """The digest of what a record says, in two halves."""
    body = msgspec.Raw(state.stored()[0])
    return halves(canonical(state.id, state.kind, state.place, state.state, state.number, body))


def _named(body: Any) -> str:
    return msgspec.json.decode(bytes(body), type=_Receipt).change


def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[at : at + CHUNK] for at in range(0, len(ids), CHUNK))
