"""At which revision the database is."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage.engine import is_sqlite


async def revision(connection: AsyncConnection) -> str | None:
    """The revision that Alembic noted; None for a database that was never migrated."""
    if is_sqlite(connection):
        there = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'alembic_version'"
    else:
        there = "SELECT 1 WHERE to_regclass('alembic_version') IS NOT NULL"
    if (await connection.execute(text(there))).scalar() is None:
        return None
    found = (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar()
    return None if found is None else str(found)
