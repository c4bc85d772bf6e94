"""Pairs that may be one matter, and the matters among which they are looked for."""

import hashlib
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.reach import Reach
from server.storage import following, records
from server.storage.dialect import ID, among, insert_rows, many, prepared
from server.storage.tables import duplicate_pairs
from server.storage.within import of_record
from sync_protocol.ids import uuid8
from sync_protocol.state import RecordState

NAME: Final = "duplicates"
"""Of the follower that writes pairs."""
KIND: Final = "matter"
OPEN: Final = "open"
JOINED: Final = "joined"
DIFFERENT: Final = "different"


class Pair(msgspec.Struct, frozen=True):
    """Two records, the lower id first; `pair_id` follows from both."""

    pair_id: str
    one_id: str
    other_id: str
    n: int
    score: int
    reasons: bytes
    status: str
    found_ms: int
    decided_ms: int | None = None
    decided_by: str | None = None
    reason: str | None = None


def pair_of(one: str, other: str, n: int, now_ms: int, score: int = 0, reasons: bytes = b"[]") -> Pair:
    """A pair that nobody has decided about."""
    first, second = sorted((one, other))
    name = uuid8(hashlib.sha256(f"{first}/{second}".encode()).digest())
    return Pair(name, first, second, n, score, reasons, OPEN, now_ms)


_COLUMNS: Final = (
    "CAST(pair_id AS text) AS pair_id, CAST(one_id AS text) AS one_id, CAST(other_id AS text) AS other_id, n, "
    "score, reasons, status, found_ms, decided_ms, CAST(decided_by AS text) AS decided_by, reason"
)
_STILL: Final = (
    "AND NOT EXISTS (SELECT 1 FROM records gone WHERE gone.township_id = :t AND gone.record_id IN (one_id, other_id) "
    "AND (gone.deleted OR gone.joined_into IS NOT NULL OR gone.state = 'void')) "
)
_SUGGESTED: Final = (
    f"kind = '{KIND}' AND number IS NOT NULL AND NOT deleted AND joined_into IS NULL AND state <> 'void'"
)


async def lock(connection: AsyncConnection, township: str) -> None:
    """Takes the lock of whoever writes pairs; whoever holds the township's row takes it after that."""
    await following.lock(connection, township, NAME)


async def recent(
    connection: AsyncConnection, township: str, village: str, since_ms: int, most: int
) -> list[tuple[RecordState, int]]:
    """At most `most` matters of a village that were received since then, the newest first, with when that was."""
    rest = (
        f"WHERE township_id = :t AND place >= :village AND place < :beyond AND received_ms >= :since AND {_SUGGESTED} "
        "ORDER BY received_ms DESC, record_id LIMIT :most"
    )
    named = {"t": township, "village": village, "beyond": f"{village}:", "since": since_ms, "most": most}
    return await _dated(connection, township, rest, named)


async def dated(
    connection: AsyncConnection, township: str, ids: Sequence[str]
) -> list[tuple[RecordState, int]]:
    """Those of these records that may be one with another, with when each was received."""
    rest = f"WHERE township_id = :t AND {among(connection, 'record_id', 'ids', ID)} AND {_SUGGESTED}"
    return await _dated(connection, township, rest, {"t": township, "ids": many(connection, ids)})


async def _dated(
    connection: AsyncConnection, township: str, rest: str, parameters: dict[str, Any]
) -> list[tuple[RecordState, int]]:
    states = {state.id: state for state in await records.selected(connection, rest, parameters)}
    columns = "CAST(record_id AS text) AS record_id, received_ms"
    condition = among(connection, "record_id", "ids", ID)
    statement = prepared(f"SELECT {columns} FROM records WHERE township_id = :t AND {condition}", columns)
    found = await connection.execute(statement, {"t": township, "ids": many(connection, sorted(states))})
    when = {row.record_id: row.received_ms for row in found}
    return [(state, when[state.id]) for state in states.values()]


async def of_records(connection: AsyncConnection, township: str, ids: Sequence[str]) -> list[Pair]:
    """Every pair, decided or not, that one of these records is in."""
    if not ids:
        return []
    either = f"({among(connection, 'one_id', 'ids', ID)} OR {among(connection, 'other_id', 'ids', ID)})"
    statement = f"SELECT {_COLUMNS} FROM duplicate_pairs WHERE township_id = :t AND {either}"
    rows = await connection.execute(
        prepared(statement, _COLUMNS), {"t": township, "ids": many(connection, ids)}
    )
    return [_pair(row) for row in rows]


async def listed(
    connection: AsyncConnection, township: str, status: str, after: tuple[int, str], most: int, reach: Reach
) -> list[Pair]:
    """At most `most` pairs of a status whose records both lie within a reach, the oldest first.

    `after` is the number and the id of the last one that was listed.
    """
    one, parameters = of_record(reach, "duplicate_pairs.one_id")
    other, _ = of_record(reach, "duplicate_pairs.other_id")
    statement = (
        f"SELECT {_COLUMNS} FROM duplicate_pairs WHERE township_id = :t AND status = :status "
        f"AND n >= :above AND (n > :above OR CAST(pair_id AS text) > :id) AND {one} AND {other} "
        f"{_STILL if status == OPEN else ''}ORDER BY n, CAST(pair_id AS text) LIMIT :most"
    )
    named = {**parameters, "t": township, "status": status, "above": after[0], "id": after[1], "most": most}
    rows = await connection.execute(prepared(statement, _COLUMNS), named)
    return [_pair(row) for row in rows]


async def write(connection: AsyncConnection, township: str, pairs: Sequence[Pair]) -> None:
    """Writes new pairs, and known ones anew."""
    rows = [msgspec.structs.astuple(pair) for pair in pairs]
    replaced = ("n", "score", "reasons", "status", "decided_ms", "decided_by", "reason")
    await insert_rows(connection, duplicate_pairs, township, Pair.__struct_fields__, rows, replace=replaced)


async def forget(connection: AsyncConnection, township: str, pairs: Sequence[Pair]) -> None:
    """Forgets suggestions that are none any more."""
    statement = text("DELETE FROM duplicate_pairs WHERE township_id = :t AND pair_id = :pair")
    if pairs:
        named = [{"t": township, "pair": pair.pair_id} for pair in pairs]
        await connection.execute(statement, named)


def _pair(row: Row[Any]) -> Pair:
    values: list[Any] = list(row)
    pair = Pair(*values)
    return msgspec.structs.replace(pair, reasons=bytes(pair.reasons))
