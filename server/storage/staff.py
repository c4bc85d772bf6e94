"""The people of a township."""

from typing import Any, Final

import msgspec
from sqlalchemy import insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage.tables import staff
from sync_protocol.ids import is_id


class StaffRow(msgspec.Struct, frozen=True):
    """A person; `disabled_ms` is set when they no longer work here."""

    township: str
    staff_id: str
    name: str
    role: str
    added_ms: int
    disabled_ms: int | None
    village: str | None = None
    """Of a village officer."""
    unit: str | None = None
    """Of a unit handler, by name."""
    sees_restricted: bool | None = None
    """Whether they are named for restricted matters."""


_SELECT: Final = select(
    staff.c.township_id,
    staff.c.staff_id,
    staff.c.name,
    staff.c.role,
    staff.c.added_ms,
    staff.c.disabled_ms,
    staff.c.village,
    staff.c.unit,
    staff.c.sees_restricted,
)


async def find(connection: AsyncConnection, who: str, township: str | None = None) -> list[StaffRow]:
    """The people of a name, or of an id, in one township or (when it is None) in all."""
    fits = staff.c.name == who
    if is_id(who):
        fits = or_(fits, staff.c.staff_id == who)
    found = _SELECT.where(fits)
    if township is not None:
        found = found.where(staff.c.township_id == township)
    return [_row(row) for row in await connection.execute(found.order_by(staff.c.township_id))]


async def listed(connection: AsyncConnection, township: str | None = None) -> list[StaffRow]:
    """The people of one township or of all, in the order of their names."""
    found = _SELECT if township is None else _SELECT.where(staff.c.township_id == township)
    rows = await connection.execute(found.order_by(staff.c.township_id, staff.c.name, staff.c.staff_id))
    return [_row(row) for row in rows]


async def add(connection: AsyncConnection, row: StaffRow) -> None:
    """Adds a person whose name is not taken; the caller holds the township's lock and has looked."""
    values: dict[str, Any] = msgspec.structs.asdict(row)
    values["township_id"] = values.pop("township")
    await connection.execute(insert(staff).values(values))


async def set_disabled(connection: AsyncConnection, row: StaffRow, disabled_ms: int | None) -> None:
    """Disables a person, or (with None) lets them work again."""
    changed = update(staff).where(staff.c.township_id == row.township, staff.c.staff_id == row.staff_id)
    await connection.execute(changed.values(disabled_ms=disabled_ms))


async def put_scope(connection: AsyncConnection, row: StaffRow) -> None:
    """Writes a person's village, unit and whether they are named for restricted matters."""
    changed = update(staff).where(staff.c.township_id == row.township, staff.c.staff_id == row.staff_id)
    values = {"village": row.village, "unit": row.unit, "sees_restricted": row.sees_restricted}
    await connection.execute(changed.values(values))


def _row(row: Any) -> StaffRow:
    return StaffRow(*row)
