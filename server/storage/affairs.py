"""The members of a parent matter, and matters by their numbers."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from server.reach import Reach
from server.storage import records
from server.storage.dialect import TEXT, among, many
from server.storage.within import within
from sync_protocol.state import RecordState

_KIND: Final = "matter"


async def numbered(
    connection: AsyncConnection, township: str, numbers: Sequence[str], reach: Reach
) -> list[RecordState]:
    """Those of these registration numbers whose matters lie within a reach, erased and deleted ones left out."""
    inside, parameters = within(reach)
    rest = f"WHERE township_id = :t AND {among(connection, 'number', 'numbers', TEXT)} AND NOT deleted AND {inside}"
    return await records.selected(
        connection, rest, {**parameters, "t": township, "numbers": many(connection, numbers)}
    )


async def members(
    connection: AsyncConnection, township: str, parent: str, most: int, reach: Reach
) -> list[RecordState]:
    """At most `most` matters within a reach that have this parent, by number."""
    inside, parameters = within(reach)
    rest = (
        f"WHERE township_id = :t AND parent_id = :parent AND NOT deleted AND {inside} "
        "ORDER BY number, record_id LIMIT :most"
    )
    return await records.selected(
        connection, rest, {**parameters, "t": township, "parent": parent, "most": most}
    )
