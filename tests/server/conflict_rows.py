"""A conflict row as a merge would have left it."""

from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage import conflicts
from server.storage.conflicts import OPEN, Conflict
from server.storage.engine import transact
from server.vault.sealing import NOTHING
from sync_protocol.outcome import Sides
from tests.server.office_server import TOWN, OfficeServer


async def add_conflict(server: OfficeServer, record: str, path: str, sides: Sides) -> str:
    """Opens a conflict; its id."""
    conflict = Conflict(server.new_id(), 1, record, path, "latest", OPEN, sides, server.now_ms)

    async def write(connection: AsyncConnection) -> None:
        await conflicts.write(connection, TOWN, [conflict], {record: NOTHING})

    await transact(server.services.engine, write)
    return conflict.conflict_id
