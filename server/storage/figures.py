"""Counts of a township's matters: one statement, grouped by one dimension. No record leaves it."""

from typing import Any, Final

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.reach import Reach
from server.storage.engine import is_sqlite
from server.storage.within import within

BODY_FIELDS: Final = ("category", "service_category", "nature", "source", "scale", "urgency", "level")
"""Choices that lie in the body of a matter."""
_SHANGHAI_MS: Final = 8 * 3_600_000
_COLUMNS: Final = {"village": "substr(place, 1, 12)", "township": "substr(place, 1, 9)", "state": "state"}
DIMENSIONS: Final = (*_COLUMNS, "month", *BODY_FIELDS)


class Counted(msgspec.Struct, frozen=True):
    """What is counted: of the matters received in a time, all or some."""

    measure: str
    """found (all), open, closed, answered."""
    by: str | None
    """One of DIMENSIONS; None for a count alone."""
    since_ms: int
    until_ms: int


async def counted(
    connection: AsyncConnection, township: str, wanted: Counted, reach: Reach
) -> dict[str | None, int]:
    """How many matters of a township within a reach, by cell.

    Drafts and void ones are none, and of joined ones the one that they were joined into counts.
    """
    sqlite = is_sqlite(connection)
    inside, parameters = within(reach)
    cell = "NULL" if wanted.by is None else _cell(wanted.by, sqlite=sqlite)
    statement = (
        f"SELECT {cell} AS cell, count(*) AS matters FROM records WHERE township_id = :t AND kind = 'matter' "
        "AND number IS NOT NULL AND NOT deleted AND state <> 'void' AND joined_into IS NULL "
        f"AND received_ms >= :since AND received_ms < :until AND {_measured(wanted.measure, sqlite=sqlite)} "
        f"AND {inside} GROUP BY 1"
    )
    bound: dict[str, Any] = {"t": township, "since": wanted.since_ms, "until": wanted.until_ms, **parameters}
    rows = await connection.execute(text(statement), bound)
    return {row.cell: row.matters for row in rows if row.matters}


def _cell(by: str, *, sqlite: bool) -> str:
    if by in _COLUMNS:
        return _COLUMNS[by]
    if by == "month":
        seconds = f"(received_ms + {_SHANGHAI_MS}) / 1000"
        return (
            f"strftime('%Y-%m', {seconds}, 'unixepoch')"
            if sqlite
            else f"to_char(to_timestamp({seconds}) AT TIME ZONE 'UTC', 'YYYY-MM')"
        )
    return _of_body(by, sqlite=sqlite)


def _measured(measure: str, *, sqlite: bool) -> str:
    if measure == "answered":
        return f"coalesce({_of_body('answers', sqlite=sqlite)}, '{{}}') NOT IN ('{{}}', '[]')"
    return {"found": "1 = 1", "open": "NOT closed", "closed": "closed"}[measure]


def _of_body(name: str, *, sqlite: bool) -> str:
    """A value of the body as text. json and not jsonb: what it does not read may be any text."""
    if sqlite:
        return f"json_extract(CAST(body AS text), '$.{name}')"
    return f"(CAST(convert_from(body, 'UTF8') AS json) ->> '{name}')"
