"""The one table of changes: idempotency, history, verdicts, quarantine and audit of merges. Append-only."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage.dialect import ID, among, insert_rows, many, prepared
from server.storage.tables import changes


class Stored(msgspec.Struct, frozen=True):
    """A row of the table, as `server/storage/tables.py` explains its columns."""

    change_id: str
    n: int
    record_id: str | None
    author: str
    role: str
    epoch: str | None
    counter: int
    at_ms: int
    offset_ms: int
    uncertainty_ms: int
    stamp_ms: int
    received_ms: int
    result: str
    code: str | None
    origin: str | None
    fingerprint: bytes
    payload: bytes
    effects: bytes
    verdict: bytes

    @property
    def quarantined(self) -> bool:
        """Whether it was not applied when it came."""
        return self.result == "quarantined"


_COLUMNS: Final = (
    "CAST(change_id AS text) AS change_id, n, CAST(record_id AS text) AS record_id, CAST(author AS text) AS author, "
    "role, CAST(epoch AS text) AS epoch, counter, at_ms, offset_ms, uncertainty_ms, stamp_ms, received_ms, result, "
    "code, CAST(origin AS text) AS origin, fingerprint, payload, effects, verdict"
)


_NEWEST_BEFORE: Final = text(
    "SELECT n FROM changes WHERE township_id = :t AND received_ms < :before ORDER BY n DESC LIMIT 1"
)


def _stored(row: Row[Any]) -> Stored:
    values: list[Any] = list(row)
    return Stored(*values[:-4], *map(bytes, values[-4:]))


async def by_ids(connection: AsyncConnection, township: str, ids: Sequence[str]) -> dict[str, Stored]:
    """The stored changes of these ids."""
    if not ids:
        return {}
    condition = among(connection, "change_id", "ids", ID)
    statement = f"SELECT {_COLUMNS} FROM changes WHERE township_id = :t AND {condition}"
    rows = await connection.execute(
        prepared(statement, _COLUMNS), {"t": township, "ids": many(connection, ids)}
    )
    return {row.change_id: _stored(row) for row in rows}


async def newest_before(connection: AsyncConnection, township: str, before_ms: int) -> int:
    """The highest number of a change that was received before a time of the server; 0 when there is none."""
    return int(await connection.scalar(_NEWEST_BEFORE, {"t": township, "before": before_ms}) or 0)


async def of_records(
    connection: AsyncConnection, township: str, records: Sequence[str], above: int = 0
) -> list[Stored]:
    """Every change of these records with a number above `above`, quarantined ones included, oldest first."""
    if not records:
        return []
    condition = among(connection, "record_id", "ids", ID)
    statement = (
        f"SELECT {_COLUMNS} FROM changes WHERE township_id = :t AND {condition} AND n > :above ORDER BY n"
    )
    parameters = {"t": township, "ids": many(connection, records), "above": above}
    return [_stored(row) for row in await connection.execute(prepared(statement, _COLUMNS), parameters)]


async def selected(connection: AsyncConnection, rest: str, parameters: Mapping[str, Any]) -> list[Stored]:
    """The stored changes that the rest of a statement finds, from WHERE on, over `changes c`; :t is the township.

    For the other modules of this package; `rest` is their text, never a caller's.
    """
    statement = prepared(f"SELECT {_COLUMNS} FROM changes c {rest}", _COLUMNS)
    return [_stored(row) for row in await connection.execute(statement, parameters)]


_LAST_SENT: Final = text(
    "SELECT max(n) FROM changes WHERE township_id = :t AND author = :author AND epoch IS NOT NULL AND n <= :upto"
)


async def last_sent(connection: AsyncConnection, township: str, device: str, upto: int) -> int:
    """The number of the last change up to `upto` that a device has sent; 0 where there is none."""
    parameters = {"t": township, "author": device, "upto": upto}
    return int(await connection.scalar(_LAST_SENT, parameters) or 0)


async def append(connection: AsyncConnection, township: str, rows: Sequence[Stored]) -> None:
    """Appends changes in one statement."""
    await insert_rows(
        connection, changes, township, Stored.__struct_fields__, list(map(msgspec.structs.astuple, rows))
    )
