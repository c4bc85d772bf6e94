"""Records that have a text somewhere in their values, within a reach."""

from typing import Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.reach import Reach
from server.storage import records
from server.storage.engine import is_sqlite
from server.storage.within import within
from sync_protocol.state import RecordState

AT_ONCE: Final = 100


async def holding(
    connection: AsyncConnection, township: str, text: str, reach: Reach, below: int
) -> list[RecordState]:
    """The newest records within a reach whose stored values have the text: AT_ONCE of them, of versions below `below`.

    Values are stored as JSON, so the text is looked for as JSON writes it. In which field it stands is for
    the caller to see.
    """
    inside, parameters = within(reach)
    has = "instr(body, :text) > 0" if is_sqlite(connection) else "position(CAST(:text AS bytea) IN body) > 0"
    rest = (
        f"WHERE township_id = :t AND NOT deleted AND version < :below AND {inside} AND {has} "
        f"ORDER BY version DESC LIMIT {AT_ONCE}"
    )
    wanted = msgspec.json.encode(text)[1:-1]
    return await records.selected(
        connection, rest, {**parameters, "t": township, "text": wanted, "below": below}
    )
