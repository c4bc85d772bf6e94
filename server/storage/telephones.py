"""Which records a telephone number stands in: by keyed hashes, so that only an exact number finds anything."""

from collections.abc import Collection, Mapping
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage.dialect import ID, among, insert_rows, many
from server.storage.tables import telephones
from server.vault.keeping import keys_of

PURPOSE: Final = "telephone"
_RECORDS: Final = text(
    "SELECT CAST(record_id AS text) AS record_id FROM telephones WHERE township_id = :t "
    "AND telephone_hash = :hash ORDER BY record_id LIMIT :most"
)


async def put(
    connection: AsyncConnection,
    township: str,
    numbers: Mapping[str, Collection[str]],
    known: Collection[str],
) -> None:
    """Keeps the numbers of these records, in at most two statements; `known` are those that may have had others."""
    if known:
        await forget(connection, township, known)
    if any(numbers.values()):
        keys = await keys_of(connection, township)
        rows = [
            (keys.hash(PURPOSE, number), record)
            for record, ones in numbers.items()
            for number in sorted(ones)
        ]
        await insert_rows(connection, telephones, township, ("telephone_hash", "record_id"), rows)


async def forget(connection: AsyncConnection, township: str, records: Collection[str]) -> None:
    """Forgets the numbers of these records."""
    statement = (
        f"DELETE FROM telephones WHERE township_id = :t AND {among(connection, 'record_id', 'ids', ID)}"
    )
    await connection.execute(text(statement), {"t": township, "ids": many(connection, sorted(records))})


async def records_with(connection: AsyncConnection, township: str, number: str, most: int) -> list[str]:
    """The ids of records in which a number stands."""
    hashed = (await keys_of(connection, township)).hash(PURPOSE, number)
    rows = await connection.execute(_RECORDS, {"t": township, "hash": hashed, "most": most})
    return [row.record_id for row in rows]
