"""The audit's chains: one row an entry, and one row a chain that says where it ends.

An entry is written inside the transaction of the act that it names. Order of locks: the township's row
first, the chain's head last. `server/audit/log.py` is the only writer.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage.dialect import TEXT, among, many
from server.storage.engine import is_sqlite
from server.storage.tables import audit_entries, audit_heads

_ROWS_AT_ONCE: Final = 1_000


class Entry(msgspec.Struct, frozen=True):
    """One act of one chain. Hashes are SHA-256 in hexadecimal digits."""

    township: str
    n: int
    """Its place in the chain, from 1, without gaps."""
    at_ms: int
    act: str
    actor: str
    """operator, or the sort and the id of who did it: application:<id>, device:<id>, person:<id>."""
    detail: bytes | None
    """What it was about, as JSON; None once it was erased, and the salt with it."""
    salt: bytes | None
    commitment: str
    """Of salt and detail. It stays when they are erased."""
    previous: str
    """The hash of the entry before; the chain's beginning for the first."""
    hash: str


class Head(msgspec.Struct, frozen=True):
    """Where a chain ends: its last number, and the hash of that entry."""

    township: str
    n: int
    hash: str


_READ: Final = "SELECT township_id, n, hash FROM audit_heads WHERE township_id = :t"
_PLAIN, _LOCKING = text(_READ), text(f"{_READ} FOR UPDATE")
_BEGIN: Final = text(
    "INSERT INTO audit_heads (township_id, n, hash) VALUES (:t, 0, :hash) ON CONFLICT (township_id) DO NOTHING"
)
_MOVE: Final = text("UPDATE audit_heads SET n = :n, hash = :hash WHERE township_id = :t")
_BLANK: Final = (
    "UPDATE audit_entries SET detail = NULL, salt = NULL WHERE township_id = :t AND detail IS NOT NULL AND "
)
_IN_ORDER: Final = select(audit_entries).order_by(audit_entries.c.township_id, audit_entries.c.n)
_NEWEST: Final = text(
    "SELECT e.township_id, e.n, e.hash FROM audit_entries e JOIN (SELECT township_id, max(n) AS n FROM audit_entries "
    "GROUP BY township_id) last ON last.township_id = e.township_id AND last.n = e.n ORDER BY e.township_id"
)


async def lock_head(connection: AsyncConnection, township: str, beginning: str) -> Head:
    """Where the chain ends, holding its lock until the transaction ends; begins a chain that is not there.

    Nothing else may be locked after it. SQLite's writers hold the whole file already.
    """
    reading = _PLAIN if is_sqlite(connection) else _LOCKING
    row = (await connection.execute(reading, {"t": township})).one_or_none()
    if row is None:
        # Of several that begin it at once, one writes the row; the others wait for it here.
        await connection.execute(_BEGIN, {"t": township, "hash": beginning})
        row = (await connection.execute(reading, {"t": township})).one()
    return Head(*row)


async def add(connection: AsyncConnection, entry: Entry) -> None:
    """Writes an entry, and moves the chain's head to it; the caller holds the head's lock."""
    values: dict[str, Any] = msgspec.structs.asdict(entry)
    values["township_id"] = values.pop("township")
    await connection.execute(insert(audit_entries).values(values))
    await connection.execute(_MOVE, {"t": entry.township, "n": entry.n, "hash": entry.hash})


async def blank(connection: AsyncConnection, township: str, numbers: Sequence[int]) -> int:
    """Erases detail and salt of entries; how many had some."""
    written = many(connection, [str(n) for n in numbers])
    statement = text(_BLANK + among(connection, "CAST(n AS text)", "numbers", TEXT))
    return (await connection.execute(statement, {"t": township, "numbers": written})).rowcount


async def heads(connection: AsyncConnection, township: str | None = None) -> dict[str, Head]:
    """Where each chain ends, or the one of a township, as its head says."""
    found = select(audit_heads).order_by(audit_heads.c.township_id)
    if township is not None:
        found = found.where(audit_heads.c.township_id == township)
    return {row.township_id: Head(*row) for row in await connection.execute(found)}


async def newest(connection: AsyncConnection) -> dict[str, Head]:
    """Number and hash of the last entry of each chain, as the entries themselves say."""
    return {row.township_id: Head(*row) for row in await connection.execute(_NEWEST)}


async def entries(
    connection: AsyncConnection, township: str | None = None, since_ms: int | None = None
) -> AsyncIterator[Entry]:
    """The entries of one chain or of all, in order, without holding them all in memory."""
    found = _IN_ORDER
    if township is not None:
        found = found.where(audit_entries.c.township_id == township)
    if since_ms is not None:
        found = found.where(audit_entries.c.at_ms >= since_ms)
    async with connection.stream(found.execution_options(yield_per=_ROWS_AT_ONCE)) as rows:
        async for row in rows:
            yield _entry(row._mapping)  # noqa: SLF001 (SQLAlchemy's public name for a row as a mapping)


def _entry(row: Mapping[Any, Any]) -> Entry:
    values = {("township" if name == "township_id" else name): value for name, value in row.items()}
    for name in ("detail", "salt"):
        values[name] = None if values[name] is None else bytes(values[name])
    return Entry(**values)
