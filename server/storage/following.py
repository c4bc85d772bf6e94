"""What follows a township's changes by their numbers: which records are next, and where it stands.

Order of commit equals order of number (docs/architecture.md), so whoever has looked at every change up to a number
has missed none. The row of a follower is the lock of whoever writes what it makes: followers take nothing
else before it, whoever holds the township's row takes it after that.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage.dialect import TEXT, among, many
from server.storage.engine import is_sqlite

CHANGES_AT_ONCE: Final = 300
RECORDS_AT_ONCE: Final = 100
"""Bounds of one transaction, which on SQLite holds up every writer: some 0.1 s."""


class Standing(msgspec.Struct, frozen=True):
    """Where a follower stands in one township."""

    reached: int = 0
    """The number of the newest change that was looked at."""
    edition: int = 0
    """Of the rule by which it makes what it makes; 0 before it began."""
    renewed: str | None = None
    """The last record that this edition was applied to; None when it was applied to all."""


class Batch(msgspec.Struct, frozen=True):
    """The records to be looked at next, and where that leads."""

    ids: list[str]
    reached: int
    renewed: str | None
    more: bool
    """Whether there may be further ones at once."""


_CHANGED: Final = text(
    "SELECT n, CAST(record_id AS text) AS record FROM changes WHERE township_id = :t AND n > :above "
    "ORDER BY n LIMIT :most"
)
_READ: Final = "SELECT reached, edition, renewed FROM followers WHERE township_id = :t AND name = :name"
_PLAIN, _LOCKING = text(_READ), text(f"{_READ} FOR UPDATE")
_BEGIN: Final = text(
    "INSERT INTO followers (township_id, name, reached, edition, renewed) VALUES (:t, :name, 0, 0, NULL) "
    "ON CONFLICT (township_id, name) DO NOTHING"
)
_MOVE: Final = text(
    "UPDATE followers SET reached = :reached, edition = :edition, renewed = :renewed "
    "WHERE township_id = :t AND name = :name"
)
_TIP: Final = text("SELECT tip FROM townships WHERE township_id = :t")


async def batch(
    connection: AsyncConnection,
    township: str,
    reached: int,
    renewed: str | None,
    kinds: Sequence[str],
) -> Batch:
    """Records of the next changes above a number, and records of these kinds that all are still to be renewed."""
    changed = await _changed(connection, township, reached, CHANGES_AT_ONCE)
    ids = {record for _, record in changed if record is not None}
    if renewed is not None:
        further = await _records_after(connection, township, renewed, kinds, RECORDS_AT_ONCE)
        renewed = further[-1] if len(further) == RECORDS_AT_ONCE else None
        ids.update(further)
    more = len(changed) == CHANGES_AT_ONCE or renewed is not None
    return Batch(sorted(ids), changed[-1][0] if changed else reached, renewed, more)


async def lock(connection: AsyncConnection, township: str, name: str) -> Standing:
    """Where a follower stands, holding its lock until the transaction ends. SQLite's writers hold the whole file."""
    reading, bound = _PLAIN if is_sqlite(connection) else _LOCKING, {"t": township, "name": name}
    row = (await connection.execute(reading, bound)).one_or_none()
    if row is None:
        await connection.execute(_BEGIN, bound)
        row = (await connection.execute(reading, bound)).one()
    return Standing(*row)


async def move(connection: AsyncConnection, township: str, name: str, standing: Standing) -> None:
    """Notes where a follower stands now; the caller holds its lock."""
    await connection.execute(_MOVE, {"t": township, "name": name, **msgspec.structs.asdict(standing)})


async def standing_of(connection: AsyncConnection, township: str, name: str) -> Standing:
    """Where a follower stands, without its lock."""
    row = (await connection.execute(_PLAIN, {"t": township, "name": name})).one_or_none()
    return Standing(*row) if row is not None else Standing()


async def tip(connection: AsyncConnection, township: str) -> int | None:
    """The number of the township's newest change; None for a township that was never opened."""
    row = (await connection.execute(_TIP, {"t": township})).one_or_none()
    return None if row is None else row.tip or 0


async def _changed(
    connection: AsyncConnection, township: str, above: int, most: int
) -> list[tuple[int, str | None]]:
    """The next changes above a number: each with the record that it is about, if any."""
    rows = await connection.execute(_CHANGED, {"t": township, "above": above, "most": most})
    return [(row.n, row.record) for row in rows]


async def _records_after(
    connection: AsyncConnection, township: str, after: str, kinds: Sequence[str], most: int
) -> list[str]:
    """Records of these kinds with ids above `after` ("" for the first), in the order of their ids."""
    further = "AND record_id > :after " if after else ""
    statement = (
        "SELECT CAST(record_id AS text) AS id FROM records WHERE township_id = :t "
        f"{further}AND {among(connection, 'kind', 'kinds', TEXT)} ORDER BY record_id LIMIT :most"
    )
    parameters = {"t": township, "kinds": many(connection, kinds), "most": most}
    rows = await connection.execute(text(statement), {**parameters, **({"after": after} if after else {})})
    return [row.id for row in rows]
