"""Keys of townships as they lie in the database: wrapped by the master key, one row for each.

The purposes `data` (numbered generations) and `hash` are the vault's own; a feature that keeps a secret here
under a purpose of its own has it wrapped anew with all others when the master key is replaced.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage.tables import township_keys as _keys
from server.vault.master import Wrapped

DATA: Final = "data"
HASH: Final = "hash"


class KeyRow(msgspec.Struct, frozen=True):
    """One wrapped key. Times in milliseconds since 1970."""

    township: str
    purpose: str
    number: int
    wrapped: Wrapped
    made_ms: int
    retired_ms: int | None = None
    """Since when nothing that is stored was sealed under it."""

    @property
    def context(self) -> str:
        """What it was wrapped for."""
        return f"{self.township}/{self.purpose}/{self.number}"


_ROWS: Final = select(
    _keys.c.township_id,
    _keys.c.purpose,
    _keys.c.number,
    _keys.c.master_id,
    _keys.c.wrapped,
    _keys.c.made_ms,
    _keys.c.retired_ms,
).order_by(_keys.c.township_id, _keys.c.purpose, _keys.c.number)


async def of_township(
    connection: AsyncConnection, township: str, purposes: Sequence[str] = (DATA, HASH)
) -> list[KeyRow]:
    """The keys of a township for these purposes, the lowest number first."""
    found = _ROWS.where(_keys.c.township_id == township, _keys.c.purpose.in_(purposes))
    return [_row(row) for row in await connection.execute(found)]


async def everywhere(connection: AsyncConnection) -> list[KeyRow]:
    """Every key of every township: for commands, never on the way of a request."""
    return [_row(row) for row in await connection.execute(_ROWS)]


async def master_ids(connection: AsyncConnection) -> list[str]:
    """The master keys under which anything is wrapped."""
    found = select(_keys.c.master_id).distinct().order_by(_keys.c.master_id)
    return [row.master_id for row in await connection.execute(found)]


async def add(connection: AsyncConnection, row: KeyRow) -> None:
    """Adds a key; one that is there already under the same purpose and number is a fault."""
    values = {
        "township_id": row.township,
        "purpose": row.purpose,
        "number": row.number,
        "master_id": row.wrapped.master_id,
        "wrapped": row.wrapped.sealed,
        "made_ms": row.made_ms,
        "retired_ms": row.retired_ms,
    }
    await connection.execute(insert(_keys).values(values))


async def rewrap(connection: AsyncConnection, row: KeyRow, wrapped: Wrapped) -> None:
    """Keeps the same key wrapped by another master key."""
    await connection.execute(
        update(_keys)
        .where(
            _keys.c.township_id == row.township,
            _keys.c.purpose == row.purpose,
            _keys.c.number == row.number,
        )
        .values(master_id=wrapped.master_id, wrapped=wrapped.sealed)
    )


async def retire(connection: AsyncConnection, township: str, below: int, now_ms: int) -> None:
    """Notes that nothing is sealed any more under data keys with a number below `below`."""
    await connection.execute(
        update(_keys)
        .where(
            _keys.c.township_id == township,
            _keys.c.purpose == DATA,
            _keys.c.number < below,
            _keys.c.retired_ms.is_(None),
        )
        .values(retired_ms=now_ms)
    )


def _row(row: Any) -> KeyRow:
    wrapped = Wrapped(row.master_id, bytes(row.wrapped))
    return KeyRow(row.township_id, row.purpose, row.number, wrapped, row.made_ms, row.retired_ms)
