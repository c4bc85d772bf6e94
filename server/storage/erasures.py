"""Erasures that were carried out, and how many of what."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage.dialect import ID, among, insert_rows, many
from server.storage.tables import erasures

ASKED: Final = "asked"
RETENTION: Final = "retention"
UNLISTED_AT_ONCE: Final = 500


class Erasure(msgspec.Struct, frozen=True):
    """One record whose values are gone. `cause` is `asked` or `retention`; `reason` the words of who asked."""

    township: str
    record_id: str
    kind: str
    number: str | None
    cause: str
    reason: str
    actor: str
    erased_ms: int
    """The server's time, milliseconds since 1970 UTC."""
    listed: bool = False
    """Whether the list outside the database has it."""


class Counted(msgspec.Struct, frozen=True):
    """How many records of a kind were erased for a cause, and when the first and the last."""

    township: str
    kind: str
    cause: str
    records: int
    first_ms: int
    last_ms: int


_COLUMNS: Final = (
    "township_id, CAST(record_id AS text) AS record_id, kind, number, cause, reason, actor, erased_ms, listed"
)
_UNLISTED: Final = text(
    f"SELECT {_COLUMNS} FROM erasures WHERE township_id = :t AND NOT listed "
    f"ORDER BY erased_ms, record_id LIMIT {UNLISTED_AT_ONCE}"
)
_COUNTS: Final = text(
    "SELECT township_id, kind, cause, count(*) AS records, min(erased_ms) AS first_ms, max(erased_ms) AS last_ms "
    "FROM erasures WHERE township_id = :t AND erased_ms >= :since GROUP BY township_id, kind, cause "
    "ORDER BY kind, cause"
)


async def add(connection: AsyncConnection, township: str, rows: Sequence[Erasure]) -> None:
    """Writes erasures down. One that stands there already, from a list that was applied, is left as it is."""
    columns = ("record_id", "kind", "number", "cause", "reason", "actor", "erased_ms", "listed")
    values = [tuple(getattr(row, column) for column in columns) for row in rows]
    await insert_rows(connection, erasures, township, columns, values, replace=("listed",))


async def of_records(
    connection: AsyncConnection, township: str, records: Sequence[str]
) -> dict[str, Erasure]:
    """The erasures of these records, by record."""
    if not records:
        return {}
    condition = among(connection, "record_id", "ids", ID)
    statement = text(f"SELECT {_COLUMNS} FROM erasures WHERE township_id = :t AND {condition}")
    found = await connection.execute(statement, {"t": township, "ids": many(connection, records)})
    return {row.record_id: _erasure(row) for row in found}


async def unlisted(connection: AsyncConnection, township: str) -> list[Erasure]:
    """The oldest erasures that the list does not have, at most UNLISTED_AT_ONCE."""
    return [_erasure(row) for row in await connection.execute(_UNLISTED, {"t": township})]


async def mark_listed(connection: AsyncConnection, township: str, records: Sequence[str]) -> None:
    """The list has these now."""
    condition = among(connection, "record_id", "ids", ID)
    statement = text(f"UPDATE erasures SET listed = true WHERE township_id = :t AND {condition}")
    await connection.execute(statement, {"t": township, "ids": many(connection, records)})


async def counts(connection: AsyncConnection, township: str, since_ms: int = 0) -> list[Counted]:
    """How many records were erased since a time, by kind and cause."""
    rows = await connection.execute(_COUNTS, {"t": township, "since": since_ms})
    return [Counted(*row) for row in rows]


def _erasure(row: Any) -> Erasure:
    return msgspec.structs.replace(Erasure(*row), listed=bool(row.listed))
