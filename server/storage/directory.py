"""Divisions, townships opened, and their grids. Rarely written, so the statements are plain ones."""

from collections.abc import Collection, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Table, func, select, text
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage.dialect import insert_rows
from server.storage.engine import is_sqlite
from server.storage.tables import divisions, grids, townships

_TOWNSHIP_DIGITS: Final = 9
VALUES_MAX: Final = 5_000
"""Bound values a statement: both databases refuse more than about 32,000."""


class Place(msgspec.Struct, frozen=True):
    """A division as the directory has it; `list_year` is the year of the list that it was last read from."""

    code: str
    level: str
    parent: str | None
    name: str
    list_year: int


class GridRow(msgspec.Struct, frozen=True):
    """A grid of an opened township."""

    grid: str
    village: str
    name: str
    village_name: str


class Opened(msgspec.Struct, frozen=True):
    """A township that works here, and how many it has of what."""

    township: str
    name: str
    opened_ms: int
    villages: int
    grids: int


async def places(connection: AsyncConnection, codes: Collection[str]) -> dict[str, Place]:
    """The divisions of these codes that the directory has, at most VALUES_MAX."""
    rows = await connection.execute(select(divisions).where(divisions.c.code.in_(codes)))
    return {row.code: Place(*row) for row in rows}


async def villages_of(connection: AsyncConnection, town: str) -> list[Place]:
    """The villages of a town in the order of their codes."""
    found = select(divisions).where(divisions.c.parent == town, divisions.c.level == "village")
    return [Place(*row) for row in await connection.execute(found.order_by(divisions.c.code))]


async def towns_of(connection: AsyncConnection, county: str) -> tuple[str, ...]:
    """The codes of a county's towns, in order, whether work is open there or not."""
    found = select(divisions.c.code).where(divisions.c.parent == county, divisions.c.level == "town")
    return tuple(row.code for row in await connection.execute(found.order_by(divisions.c.code)))


async def count_divisions(connection: AsyncConnection) -> int:
    """How many places of any level the directory has."""
    return int((await connection.execute(select(func.count()).select_from(divisions))).scalar_one())


async def put_places(connection: AsyncConnection, rows: Sequence[Place]) -> None:
    """Adds divisions; one that is there already takes the new name, parent and year."""
    step = VALUES_MAX // len(Place.__struct_fields__)
    for start in range(0, len(rows), step):
        values = [msgspec.structs.asdict(row) for row in rows[start : start + step]]
        await connection.execute(_upsert(connection, divisions, values, ("name", "parent", "list_year")))


async def add_township(connection: AsyncConnection, values: dict[str, Any]) -> bool:
    """Opens a township with the values of its row; False when it is open already, and stays as it is."""
    result = await connection.execute(_upsert(connection, townships, [values], ()))
    return result.rowcount == 1


async def opened(connection: AsyncConnection) -> list[Opened]:
    """Every township that works here, in the order of their codes; counties are offices, and not among them."""
    counted = (
        select(
            grids.c.township_id,
            func.count(grids.c.village.distinct()).label("villages"),
            func.count().label("grids"),
        )
        .group_by(grids.c.township_id)
        .subquery()
    )
    rows = await connection.execute(
        select(
            townships.c.township_id,
            townships.c.name,
            townships.c.opened_ms,
            func.coalesce(counted.c.villages, 0),
            func.coalesce(counted.c.grids, 0),
        )
        .where(func.length(townships.c.township_id) == _TOWNSHIP_DIGITS)
        .outerjoin(counted, counted.c.township_id == townships.c.township_id)
        .order_by(townships.c.township_id)
    )
    return [Opened(*row) for row in rows]


async def grids_of(
    connection: AsyncConnection, township: str, codes: Collection[str] | None = None
) -> list[GridRow]:
    """The grids of a township in the order of their codes; only those among `codes` when they are given."""
    found = select(grids.c.grid, grids.c.village, grids.c.name, grids.c.village_name)
    found = found.where(grids.c.township_id == township)
    if codes is not None:
        found = found.where(grids.c.grid.in_(codes))
    return [GridRow(*row) for row in await connection.execute(found.order_by(grids.c.grid))]


async def place_names(connection: AsyncConnection, township: str, codes: Collection[str]) -> dict[str, str]:
    """What people call these places of a township, and the villages of its grids; nothing for unknown codes."""
    names = {code: place.name for code, place in (await places(connection, codes)).items()}
    for grid in await grids_of(connection, township, codes):
        names |= {grid.grid: grid.name, grid.village: grid.village_name}
    return names


async def put_grids(connection: AsyncConnection, township: str, rows: Sequence[GridRow]) -> None:
    """Adds grids to a township; one that is there already takes the new names."""
    values = [msgspec.structs.astuple(row) for row in rows]
    replaced = ("name", "village_name")
    await insert_rows(connection, grids, township, GridRow.__struct_fields__, values, replace=replaced)


_EXISTS: Final = text(
    "SELECT 1 FROM grids WHERE township_id = :t AND (grid = :place OR village = :place) LIMIT 1"
)


async def place_exists(connection: AsyncConnection, township: str, place: str) -> bool:
    """Whether a place code of any level names the township itself, or one of its villages or grids."""
    if place == township:
        return True
    return (await connection.execute(_EXISTS, {"t": township, "place": place})).scalar() is not None


async def all_places(connection: AsyncConnection, township: str) -> frozenset[str]:
    """Every place code of a township: itself, its villages, its grids."""
    rows = await grids_of(connection, township)
    return frozenset({township, *(row.village for row in rows), *(row.grid for row in rows)})


def _upsert(
    connection: AsyncConnection, table: Table, rows: list[dict[str, Any]], replace: tuple[str, ...]
) -> Any:
    key = [column.name for column in table.primary_key]
    statement = sqlite_insert(table) if is_sqlite(connection) else postgresql_insert(table)
    inserted = statement.values(rows)
    if not replace:
        return inserted.on_conflict_do_nothing(index_elements=key)
    changed = {name: inserted.excluded[name] for name in replace}
    return inserted.on_conflict_do_update(index_elements=key, set_=changed)
