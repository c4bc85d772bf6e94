"""Which records were joined into which, and where else what a record says was brought."""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.reach import Reach
from server.storage import records
from server.storage.dialect import ID, among, many
from server.storage.within import within
from sync_protocol.state import RecordState


async def absorbed(
    connection: AsyncConnection, township: str, into: Sequence[str], most: int, reach: Reach
) -> list[RecordState]:
    """At most `most` records within a reach that were joined into these, by number."""
    inside, parameters = within(reach)
    joined = among(connection, "joined_into", "ids", ID)
    rest = f"WHERE township_id = :t AND {joined} AND {inside} ORDER BY number, record_id LIMIT :most"
    named = {**parameters, "t": township, "ids": many(connection, into), "most": most}
    return await records.selected(connection, rest, named)


async def holders(connection: AsyncConnection, township: str, ids: Sequence[str]) -> list[str]:
    """The numbers of the records to which something of these was brought and still stands in their history."""
    statement = (
        "SELECT DISTINCT coalesce(r.number, CAST(r.record_id AS text)) AS number FROM changes c "
        "JOIN changes b ON b.township_id = c.township_id AND b.origin = c.change_id "
        "JOIN records r ON r.township_id = b.township_id AND r.record_id = b.record_id "
        f"WHERE c.township_id = :t AND b.township_id = :t AND r.township_id = :t "
        f"AND {among(connection, 'c.record_id', 'ids', ID)} "
        "AND b.record_id <> c.record_id AND length(b.payload) > 0 ORDER BY 1"
    )
    found = await connection.execute(text(statement), {"t": township, "ids": many(connection, ids)})
    return [row.number for row in found]
