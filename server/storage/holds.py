"""Legal holds: set and lifted, never forgotten."""

from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage.dialect import ID, among, many
from server.storage.tables import holds


class Hold(msgspec.Struct, frozen=True):
    """One hold on one record. Times in milliseconds since 1970 UTC; it stands until `lifted_ms` is set."""

    hold_id: str
    record_id: str
    reason: str
    actor: str
    set_ms: int
    lifted_ms: int | None = None
    lifted_by: str | None = None
    lifted_reason: str | None = None


_COLUMNS: Final = (
    "CAST(hold_id AS text) AS hold_id, CAST(record_id AS text) AS record_id, reason, actor, set_ms, lifted_ms, "
    "lifted_by, lifted_reason"
)
_OF_RECORD: Final = text(
    f"SELECT {_COLUMNS} FROM holds WHERE township_id = :t AND record_id = :record ORDER BY set_ms, hold_id"
)
_STANDING: Final = text(
    f"SELECT {_COLUMNS} FROM holds WHERE township_id = :t AND lifted_ms IS NULL ORDER BY set_ms, hold_id"
)
_LIFT: Final = text(
    "UPDATE holds SET lifted_ms = :at, lifted_by = :by, lifted_reason = :reason "
    "WHERE township_id = :t AND hold_id = :hold AND lifted_ms IS NULL"
)


async def of_record(connection: AsyncConnection, township: str, record: str) -> list[Hold]:
    """Every hold that was ever set on a record, oldest first."""
    return [Hold(*row) for row in await connection.execute(_OF_RECORD, {"t": township, "record": record})]


async def standing(connection: AsyncConnection, township: str) -> list[Hold]:
    """The holds of a township that stand."""
    return [Hold(*row) for row in await connection.execute(_STANDING, {"t": township})]


async def held(connection: AsyncConnection, township: str, records: Sequence[str]) -> set[str]:
    """Those of these records on which a hold stands."""
    condition = among(connection, "record_id", "ids", ID)
    statement = text(
        "SELECT CAST(record_id AS text) AS record_id FROM holds "
        f"WHERE township_id = :t AND lifted_ms IS NULL AND {condition}"
    )
    rows = await connection.execute(statement, {"t": township, "ids": many(connection, records)})
    return {row.record_id for row in rows}


async def add(connection: AsyncConnection, township: str, hold: Hold) -> None:
    """Sets a hold; the caller has the township's lock and knows that none stands."""
    await connection.execute(insert(holds).values(township_id=township, **msgspec.structs.asdict(hold)))


async def lift(
    connection: AsyncConnection, township: str, hold: str, by: str, reason: str, at_ms: int
) -> None:
    """Lifts a hold."""
    parameters = {"t": township, "hold": hold, "by": by, "reason": reason, "at": at_ms}
    await connection.execute(_LIFT, parameters)
