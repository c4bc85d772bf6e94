"""Filters that people keep under names of their own."""

from typing import Final

import msgspec
from sqlalchemy import delete, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage.tables import ledger_views


class View(msgspec.Struct, frozen=True):
    """A saved filter; `filter` is its JSON."""

    name: str
    filter: bytes


_SAVE: Final = text(
    "INSERT INTO ledger_views (township_id, staff_id, name, filter, saved_ms) "
    "VALUES (:t, :staff, :name, :filter, :now_ms) ON CONFLICT (township_id, staff_id, name) "
    "DO UPDATE SET filter = excluded.filter, saved_ms = excluded.saved_ms"
)


async def of_person(connection: AsyncConnection, office: str, staff: str) -> list[View]:
    """The views of somebody, in the order of their names."""
    mine = (ledger_views.c.township_id == office) & (ledger_views.c.staff_id == staff)
    found = select(ledger_views.c.name, ledger_views.c.filter).where(mine).order_by(ledger_views.c.name)
    return [View(row.name, bytes(row.filter)) for row in await connection.execute(found)]


async def save(connection: AsyncConnection, office: str, staff: str, view: View, now_ms: int) -> None:
    """Keeps a view; one of the same name is written anew."""
    values = {"t": office, "staff": staff, "name": view.name, "filter": view.filter, "now_ms": now_ms}
    await connection.execute(_SAVE, values)


async def forget(connection: AsyncConnection, office: str, staff: str, name: str) -> None:
    """Forgets a view; nothing where there is none."""
    mine = (ledger_views.c.township_id == office) & (ledger_views.c.staff_id == staff)
    await connection.execute(delete(ledger_views).where(mine, ledger_views.c.name == name))
