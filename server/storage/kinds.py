"""Kinds as installed: every version of each, for ever."""

from collections.abc import Collection
from typing import Final

import msgspec
from sqlalchemy import insert, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage.engine import is_sqlite
from server.storage.tables import kinds

Key = tuple[str, int]
"""Name and version."""


class Installed(msgspec.Struct, frozen=True):
    """One version of a kind: `declaration` is its JSON."""

    name: str
    version: int
    declaration: bytes
    installed_ms: int


_KEYS: Final = select(kinds.c.name, kinds.c.version)


async def keys(connection: AsyncConnection) -> set[Key]:
    """Name and version of every kind installed."""
    rows = await connection.execute(_KEYS)
    return {(row.name, row.version) for row in rows}


async def read(connection: AsyncConnection, wanted: Collection[Key]) -> list[Installed]:
    """The kinds of these names and versions that are installed, by name and version."""
    if not wanted:
        return []
    found = select(kinds).where(tuple_(kinds.c.name, kinds.c.version).in_(list(wanted)))
    rows = await connection.execute(found.order_by(kinds.c.name, kinds.c.version))
    return [Installed(row.name, row.version, bytes(row.declaration), row.installed_ms) for row in rows]


async def lock(connection: AsyncConnection) -> None:
    """Lets one installation happen at a time. SQLite's writers hold the whole file already."""
    if not is_sqlite(connection):
        await connection.execute(text("LOCK TABLE kinds IN SHARE ROW EXCLUSIVE MODE"))


async def add(connection: AsyncConnection, installed: Installed) -> None:
    """Installs one version."""
    await connection.execute(insert(kinds).values(msgspec.structs.asdict(installed)))
