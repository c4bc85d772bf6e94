"""What people wrote about deadlines: explanations, and extensions that were asked for and decided."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import insert, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage.dialect import ID, among, many
from server.storage.tables import deadline_entries

EXPLANATION: Final = "explanation"
EXTENSION: Final = "extension"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry; what belongs to an extension is None in an explanation. Times in milliseconds since 1970 UTC."""

    entry_id: str
    record_id: str
    rule: str
    started_n: int
    sort: str
    words: str
    author: str
    written_ms: int
    unit: str | None = None
    amount: int | None = None
    approved: bool | None = None
    decided_by: str | None = None
    decided_ms: int | None = None
    decided_words: str | None = None


_IDS: Final = ("entry_id", "record_id", "author", "decided_by")
_COLUMNS: Final = ", ".join(
    f"CAST({name} AS text) AS {name}" if name in _IDS else name for name in Entry.__struct_fields__
)


async def of_records(connection: AsyncConnection, township: str, records: Sequence[str]) -> list[Entry]:
    """The entries of these records, the oldest first."""
    condition = among(connection, "record_id", "ids", ID)
    statement = (
        f"SELECT {_COLUMNS} FROM deadline_entries WHERE township_id = :t AND {condition} "
        "ORDER BY written_ms, entry_id"
    )
    rows = await connection.execute(text(statement), {"t": township, "ids": many(connection, records)})
    return [_entry(row) for row in rows]


async def add(connection: AsyncConnection, township: str, entry: Entry) -> None:
    """Writes a new entry."""
    await connection.execute(
        insert(deadline_entries).values(township_id=township, **msgspec.structs.asdict(entry))
    )


async def decide(connection: AsyncConnection, township: str, entry: Entry) -> None:
    """Writes what was decided about an extension."""
    decided = {
        name: getattr(entry, name) for name in ("approved", "decided_by", "decided_ms", "decided_words")
    }
    at = (deadline_entries.c.township_id == township) & (deadline_entries.c.entry_id == entry.entry_id)
    await connection.execute(update(deadline_entries).where(at).values(**decided))


async def blank(connection: AsyncConnection, township: str, records: Sequence[str]) -> None:
    """Takes the words out of every entry of these records: part of erasing them."""
    statement = (
        "UPDATE deadline_entries SET words = '', decided_words = NULL "
        f"WHERE township_id = :t AND {among(connection, 'record_id', 'ids', ID)}"
    )
    await connection.execute(text(statement), {"t": township, "ids": many(connection, records)})


def _entry(row: Any) -> Entry:
    values = {name: getattr(row, name) for name in Entry.__struct_fields__}
    approved = values["approved"]
    return Entry(**{**values, "approved": None if approved is None else bool(approved)})
