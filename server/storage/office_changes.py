"""The table of changes as an office reads it: a record's history, the open quarantine, the feed of events.

A quarantined change is open until a later row names it as its `origin`, or what it said was erased. Such a row
is either the change itself, taken in again (a replay), or the office's word that closed it: its result is one
of `CLOSINGS`, it has no effects, and its payload is no change.
"""

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.reach import Reach
from server.storage import changes
from server.storage.changes import Stored
from server.storage.within import of_record

REPLAYED: Final = "replayed"
DISCARDED: Final = "discarded"
CLOSINGS: Final = (REPLAYED, DISCARDED)

_OPEN: Final = (
    "c.township_id = :t AND c.result = 'quarantined' AND length(c.payload) > 0 AND NOT EXISTS (SELECT 1 FROM changes r "
    "WHERE r.township_id = :t AND r.origin = c.change_id)"
)
_AT: Final = text("SELECT CAST(change_id AS text) FROM changes WHERE township_id = :t AND n = :n")


async def history(
    connection: AsyncConnection, township: str, record: str, above: int, most: int
) -> list[Stored]:
    """A record's changes with numbers above `above`, oldest first, quarantined ones and closings included."""
    rest = "WHERE c.township_id = :t AND c.record_id = :record AND c.n > :above ORDER BY c.n LIMIT :most"
    parameters = {"t": township, "record": record, "above": above, "most": most}
    return await changes.selected(connection, rest, parameters)


async def newest(connection: AsyncConnection, township: str, record: str, most: int) -> list[Stored]:
    """A record's last changes, the newest first."""
    rest = "WHERE c.township_id = :t AND c.record_id = :record ORDER BY c.n DESC LIMIT :most"
    return await changes.selected(connection, rest, {"t": township, "record": record, "most": most})


async def quarantined(connection: AsyncConnection, township: str, above: int, most: int) -> list[Stored]:
    """The open quarantine with numbers above `above`, oldest first."""
    rest = f"WHERE {_OPEN} AND c.n > :above ORDER BY c.n LIMIT :most"
    return await changes.selected(connection, rest, {"t": township, "above": above, "most": most})


async def waiting_for(connection: AsyncConnection, township: str, record: str, above: int) -> list[Stored]:
    """The open quarantined changes that wait for their record's create, in the order of their numbers."""
    rest = f"WHERE {_OPEN} AND c.record_id = :record AND c.code = 'depends_on' AND c.n > :above ORDER BY c.n"
    return await changes.selected(connection, rest, {"t": township, "record": record, "above": above})


async def closings(connection: AsyncConnection, township: str, change: str) -> list[Stored]:
    """The rows that name a quarantined change as their origin: none while it is open."""
    rest = "WHERE c.township_id = :t AND c.origin = :change ORDER BY c.n"
    return await changes.selected(connection, rest, {"t": township, "change": change})


async def events(
    connection: AsyncConnection, township: str, above: int, without: str | None, most: int, reach: Reach
) -> list[Stored]:
    """What happened to records within a reach above `above`, in order; `without` leaves one author's changes out."""
    inside, reaching = of_record(reach, "c.record_id")
    others = "AND c.author <> :without " if without is not None else ""
    rest = (
        "WHERE c.township_id = :t AND c.n > :above "
        f"AND c.result NOT IN ('quarantined', '{REPLAYED}', '{DISCARDED}') {others}AND {inside} "
        "ORDER BY c.n LIMIT :most"
    )
    parameters = {**reaching, "t": township, "above": above, "most": most}
    if without is not None:
        parameters["without"] = without
    return await changes.selected(connection, rest, parameters)


async def change_at(connection: AsyncConnection, township: str, n: int) -> str | None:
    """The id of the change that bears a number; None where no change does."""
    found = await connection.scalar(_AT, {"t": township, "n": n})
    return None if found is None else str(found)
