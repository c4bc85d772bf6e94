"""Rows of the ledger as its follower writes them, and the little that others keep right in them at once.

Who writes here holds the lock of the follower (server/storage/following.py), so that nothing which was just taken
out is put back from what was read before.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage import following
from server.storage.dialect import ID, among, insert_rows, many
from server.storage.tables import ledger, ledger_references

NAME: Final = "ledger"
"""Of the follower."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A matter as lists show it. Times in milliseconds since 1970 UTC; the table says what each is."""

    record_id: str
    version: int
    number: str
    village: str | None
    place: str
    nature: str | None
    category: str | None
    service_category: str | None
    state: str
    urgency: str | None
    level: str | None
    source: str | None
    restricted: bool
    title: str
    leader: str | None
    unit: str | None
    reported_ms: int
    closed_ms: int | None
    due_ms: int | None
    longitude: float | None
    latitude: float | None


class Beside(msgspec.Struct, frozen=True):
    """What lies beside a record: who took it on first, which unit leads, which of its deadlines ends next."""

    leader: str | None = None
    unit: str | None = None
    due_ms: int | None = None


FIELDS: Final = Row.__struct_fields__
_NEXT_DUE: Final = (
    "(SELECT min(d.due_ms) FROM deadlines d WHERE d.township_id = :t AND d.record_id = {0}.record_id "
    "AND d.status = 'running')"
)
_LEADER: Final = (
    "(SELECT CAST(o.staff_id AS {1}) FROM taken_on o WHERE o.township_id = :t AND o.record_id = {0}.record_id "
    "ORDER BY o.since_ms, o.staff_id LIMIT 1)"
)
_UNIT: Final = (
    "(SELECT a.unit FROM assignments a LEFT JOIN case_plans p ON p.township_id = :t AND p.record_id = a.record_id "
    "WHERE a.township_id = :t AND a.record_id = {0}.record_id "
    "ORDER BY CASE WHEN p.lead = a.unit THEN 0 ELSE 1 END, a.assigned_ms, a.unit LIMIT 1)"
)


async def put(
    connection: AsyncConnection, township: str, rows: Sequence[Row], references: Sequence[tuple[str, str]]
) -> None:
    """Writes rows, new ones and known ones, and the numbers by which others know them, in three statements."""
    replaced = tuple(name for name in FIELDS if name != "record_id")
    values = [msgspec.structs.astuple(row) for row in rows]
    await insert_rows(connection, ledger, township, FIELDS, values, replace=replaced)
    await _delete(connection, "ledger_references", township, [row.record_id for row in rows])
    await insert_rows(connection, ledger_references, township, ("number", "record_id"), references)


async def take_out(connection: AsyncConnection, township: str, records: Sequence[str]) -> None:
    """Takes out what the ledger has of these records."""
    for table in ("ledger_references", "ledger"):
        await _delete(connection, table, township, records)


async def erase(connection: AsyncConnection, township: str, records: Sequence[str]) -> None:
    """The same for whoever erases: takes the follower's lock, so that no title that it has read comes back."""
    await following.lock(connection, township, NAME)
    await take_out(connection, township, records)


async def beside(connection: AsyncConnection, township: str, records: Sequence[str]) -> dict[str, Beside]:
    """What lies beside these records, whether they are in the ledger or not."""
    leader, unit, due = _LEADER.format("r", "text"), _UNIT.format("r"), _NEXT_DUE.format("r")
    statement = (
        f"SELECT CAST(r.record_id AS text) AS id, {leader} AS leader, {unit} AS unit, {due} AS due FROM records r "
        f"WHERE r.township_id = :t AND {among(connection, 'r.record_id', 'ids', ID)}"
    )
    rows = await connection.execute(text(statement), {"t": township, "ids": many(connection, records)})
    return {row.id: Beside(row.leader, row.unit, row.due) for row in rows}


async def note_due(connection: AsyncConnection, township: str, records: Sequence[str]) -> None:
    """Brings the dates of these records up to date, once their deadlines were written."""
    if records:
        await following.lock(connection, township, NAME)
        await _update(connection, f"due_ms = {_NEXT_DUE.format('ledger')}", township, records)


async def note_given(connection: AsyncConnection, township: str, record: str) -> None:
    """Brings up to date to whom a record is given, once that was written."""
    await following.lock(connection, township, NAME)
    leader = _LEADER.format("ledger", "text" if connection.dialect.name == "sqlite" else ID)
    await _update(connection, f"leader = {leader}, unit = {_UNIT.format('ledger')}", township, [record])


async def _update(connection: AsyncConnection, says: str, township: str, records: Sequence[str]) -> None:
    mine = f"township_id = :t AND {among(connection, 'record_id', 'ids', ID)}"
    bound: dict[str, Any] = {"t": township, "ids": many(connection, records)}
    await connection.execute(text(f"UPDATE ledger SET {says} WHERE {mine}"), bound)


async def _delete(connection: AsyncConnection, table: str, township: str, records: Sequence[str]) -> None:
    if records:
        mine = f"township_id = :t AND {among(connection, 'record_id', 'ids', ID)}"
        bound: dict[str, Any] = {"t": township, "ids": many(connection, records)}
        await connection.execute(text(f"DELETE FROM {table} WHERE {mine}"), bound)
