"""To which units the records of a township are assigned."""

from collections.abc import Sequence

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage.tables import assignments


async def units_of(connection: AsyncConnection, township: str, record: str) -> list[str]:
    """The units that a record is assigned to, in the order of their names."""
    found = select(assignments.c.unit).where(
        assignments.c.township_id == township, assignments.c.record_id == record
    )
    return sorted(row.unit for row in await connection.execute(found))


async def put(
    connection: AsyncConnection, township: str, record: str, units: Sequence[str], now_ms: int
) -> None:
    """Assigns a record to these units and to no others; the caller holds the township's lock."""
    known = set(await units_of(connection, township, record))
    mine = (assignments.c.township_id == township) & (assignments.c.record_id == record)
    gone = sorted(known - set(units))
    if gone:
        await connection.execute(delete(assignments).where(mine & assignments.c.unit.in_(gone)))
    new = [
        {"township_id": township, "record_id": record, "unit": unit, "assigned_ms": now_ms}
        for unit in units
        if unit not in known
    ]
    if new:
        await connection.execute(insert(assignments).values(new))
