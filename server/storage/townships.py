"""The township's row: its counter, its identity, its timelines.

Numbers are epoch times 2^40 plus a count. Whoever writes takes the row's lock first, so the order of
commits is the order of numbers and no reader can skip a late commit (failures, row 1).
"""

from typing import Final

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage.engine import is_sqlite

EPOCH_BITS: Final = 40


class Township(msgspec.Struct, frozen=True):
    """What a push or a pull needs to know of its township."""

    id: str
    identity: str
    counter: int
    horizon: int
    cursor_key: bytes
    lost_spans: tuple[tuple[int, int], ...]
    tip: int = 0
    """The number of the newest change, 0 before the first."""
    tip_change: str = ""

    @property
    def server(self) -> str:
        """Which server and which of its timelines, as answers state it."""
        return f"{self.identity}:{self.counter >> EPOCH_BITS}"

    def survived(self, number: int) -> int:
        """A version as this timeline knows it: one of a lost span counts as the head it was lost above."""
        for first, last in self.lost_spans:
            if first <= number <= last:
                return first - 1
        return number


_READ = (
    "SELECT township_id, CAST(identity AS text) AS identity, counter, horizon, cursor_key, lost_spans, tip, "
    "CAST(tip_change AS text) AS tip_change FROM townships WHERE township_id = :t"
)
_PLAIN: Final = text(_READ)
_LOCKING: Final = text(f"{_READ} FOR UPDATE")
_BUMP: Final = text(
    "UPDATE townships SET counter = :counter, tip = :tip, tip_change = :change WHERE township_id = :t"
)
_HORIZON: Final = text(
    "UPDATE townships SET horizon = :horizon WHERE township_id = :t AND horizon < :horizon"
)
_REOPEN: Final = text("UPDATE townships SET counter = :counter, lost_spans = :spans WHERE township_id = :t")


async def read(connection: AsyncConnection, township: str) -> Township | None:
    """The township as this transaction sees it; None when it was never opened."""
    return await _one(connection, _PLAIN, township)


async def lock(connection: AsyncConnection, township: str) -> Township | None:
    """The same, holding its lock until the transaction ends. SQLite's writers hold the whole file already."""
    return await _one(connection, _PLAIN if is_sqlite(connection) else _LOCKING, township)


async def bump(connection: AsyncConnection, township: str, counter: int, tip: int, change: str) -> None:
    """Records the last number given, and the newest change with its own."""
    await connection.execute(_BUMP, {"t": township, "counter": counter, "tip": tip, "change": change})


async def move_horizon(connection: AsyncConnection, township: str, horizon: int) -> None:
    """Records that exits up to `horizon` are gone; it never moves back."""
    await connection.execute(_HORIZON, {"t": township, "horizon": horizon})


async def open_epoch(connection: AsyncConnection, township: Township) -> Township:
    """A new timeline after a restore: numbers go on above everything that may have been given and lost."""
    counter = ((township.counter >> EPOCH_BITS) + 1) << EPOCH_BITS
    spans = (*township.lost_spans, (township.counter + 1, counter))
    encoded = msgspec.json.encode(spans).decode()
    await connection.execute(_REOPEN, {"t": township.id, "counter": counter, "spans": encoded})
    return msgspec.structs.replace(township, counter=counter, lost_spans=spans)


async def _one(connection: AsyncConnection, statement: object, township: str) -> Township | None:
    row = (await connection.execute(statement, {"t": township})).one_or_none()  # type: ignore[call-overload]
    if row is None:
        return None
    spans = msgspec.json.decode(row.lost_spans) if isinstance(row.lost_spans, str) else row.lost_spans
    return Township(
        row.township_id,
        row.identity,
        row.counter,
        row.horizon,
        bytes(row.cursor_key),
        tuple((first, last) for first, last in spans),
        row.tip or 0,
        row.tip_change or "",
    )
