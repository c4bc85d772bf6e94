"""A backup of the whole database, and its restore, by the rows themselves: the same on both databases."""

from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage.engine import snapshot, transact
from server.storage.tables import metadata
from tests.e2e.village import Village

Backup = dict[str, list[dict[str, Any]]]


def taken(village: Village) -> Backup:
    async def work(connection: AsyncConnection) -> Backup:
        found = {table.name: await connection.execute(select(table)) for table in metadata.sorted_tables}
        return {name: [dict(row._mapping) for row in rows] for name, rows in found.items()}

    return village.run(snapshot(village.services.engine, work))


def put_back(village: Village, backup: Backup) -> None:
    """Devices notice by themselves that the server was restored."""

    async def work(connection: AsyncConnection) -> None:
        for table in reversed(metadata.sorted_tables):
            await connection.execute(delete(table))
        for table in metadata.sorted_tables:
            if backup[table.name]:
                await connection.execute(insert(table), backup[table.name])

    village.run(transact(village.services.engine, work))
