"""To whom the records of a township were given: units by name, and leaders who have taken them on."""

from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import Column, Table, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage import ledger
from server.storage.tables import assignments, taken_on


class Sort(msgspec.Struct, frozen=True):
    """One way of giving a record to somebody: the table, the column of who, the column of since when."""

    table: Table
    who: Column[str]
    since: str


UNITS: Final = Sort(assignments, assignments.c.unit, "assigned_ms")
LEADERS: Final = Sort(taken_on, taken_on.c.staff_id, "since_ms")


async def given_to(connection: AsyncConnection, sort: Sort, township: str, record: str) -> list[str]:
    """Units by name, or leaders by id, in order."""
    table = sort.table
    found = select(sort.who).where(table.c.township_id == township, table.c.record_id == record)
    return sorted(row[0] for row in await connection.execute(found))


async def give(
    connection: AsyncConnection, sort: Sort, township: str, record: str, whom: Sequence[str], now_ms: int
) -> list[str]:
    """Gives a record to these and to no others; whom it was given to before. The caller holds the township's lock."""
    table, known = sort.table, await given_to(connection, sort, township, record)
    gone = sorted(set(known) - set(whom))
    if gone:
        mine = (table.c.township_id == township) & (table.c.record_id == record)
        await connection.execute(delete(table).where(mine & sort.who.in_(gone)))
    new = [
        {"township_id": township, "record_id": record, sort.who.name: one, sort.since: now_ms}
        for one in whom
        if one not in known
    ]
    if new:
        await connection.execute(insert(table).values(new))
    if gone or new:
        await ledger.note_given(connection, township, record)
    return known
