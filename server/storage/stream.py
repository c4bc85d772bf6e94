"""What travels beside records: exits of a grid, receipts of a device, registration numbers, gaps."""

from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage.dialect import TEXT, among, insert_rows, many, prepared
from server.storage.tables import exits, gaps, receipts
from sync_protocol.messages import Exit, Receipt

_RECEIPTS: Final = prepared(
    "SELECT n, body FROM receipts WHERE township_id = :t AND device_id = :device AND n > :above ORDER BY n LIMIT :most",
    "n, body",
)
_REGISTER: Final = text("SELECT last FROM registers WHERE township_id = :t AND year = :year")
_REGISTERED: Final = text(
    "INSERT INTO registers (township_id, year, last) VALUES (:t, :year, :last) "
    "ON CONFLICT (township_id, year) DO UPDATE SET last = excluded.last"
)
_COUNT_EXITS: Final = text("SELECT count(*) FROM exits WHERE township_id = :t AND n <= :upto")
_FORGET_EXITS: Final = text("DELETE FROM exits WHERE township_id = :t AND n <= :upto")
_decode_receipt: Final = msgspec.json.Decoder(Receipt).decode


async def exits_of(
    connection: AsyncConnection, township: str, grids: Sequence[str], above: int, most: int
) -> list[Exit]:
    """The exits out of these grids with numbers above `above`: the `most` lowest, in order."""
    columns = "n, CAST(record_id AS text) AS record_id, why, state, number"
    statement = (
        f"SELECT {columns} FROM exits "
        f"WHERE township_id = :t AND {among(connection, 'grid', 'grids', TEXT)} AND n > :above ORDER BY n LIMIT :most"
    )
    parameters = {"t": township, "grids": many(connection, grids), "above": above, "most": most}
    rows = await connection.execute(prepared(statement, columns), parameters)
    return [Exit(row.record_id, row.n, row.why, row.state, row.number) for row in rows]


async def write_exits(connection: AsyncConnection, township: str, rows: Sequence[tuple[str, Exit]]) -> None:
    """Writes exits, each with the grid that the record left."""
    columns = ("grid", "n", "record_id", "why", "state", "number")
    values = [(grid, e.n, e.id, e.why, e.state, e.number) for grid, e in rows]
    await insert_rows(connection, exits, township, columns, values)


async def count_exits(connection: AsyncConnection, township: str, upto: int) -> int:
    """How many exits have a number up to `upto`."""
    return int(await connection.scalar(_COUNT_EXITS, {"t": township, "upto": upto}) or 0)


async def forget_exits(connection: AsyncConnection, township: str, upto: int) -> int:
    """Deletes the exits with a number up to `upto`, and says how many; the township's lock is held."""
    return int((await connection.execute(_FORGET_EXITS, {"t": township, "upto": upto})).rowcount)


async def receipts_of(
    connection: AsyncConnection, township: str, device: str, above: int, most: int
) -> list[Receipt]:
    """The receipts of a device with numbers above `above`, in order."""
    rows = await connection.execute(
        _RECEIPTS, {"t": township, "device": device, "above": above, "most": most}
    )
    return [_decode_receipt(row.body) for row in rows]


async def write_receipts(
    connection: AsyncConnection, township: str, rows: Sequence[tuple[str, Receipt]]
) -> None:
    """Writes receipts, each with the author that it is addressed to."""
    values = [(device, r.n, msgspec.json.encode(r)) for device, r in rows]
    await insert_rows(connection, receipts, township, ("device_id", "n", "body"), values)


async def registered(connection: AsyncConnection, township: str, year: int) -> int:
    """The last serial given in the township's register of a year."""
    return int(await connection.scalar(_REGISTER, {"t": township, "year": year}) or 0)


async def register(connection: AsyncConnection, township: str, year: int, last: int) -> None:
    """Records the last serial given."""
    await connection.execute(_REGISTERED, {"t": township, "year": year, "last": last})


async def write_gap(
    connection: AsyncConnection, township: str, device: str, epoch: str, first: int, last: int, now_ms: int
) -> None:
    """Marks counters that a device no longer has."""
    columns = ("device_id", "epoch", "first", "last", "released_ms")
    row = (device, epoch, first, last, now_ms)
    await insert_rows(connection, gaps, township, columns, [row], replace=("last",))
