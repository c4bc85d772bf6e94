"""Recovery keys of townships: the public halves. The private ones are wrapped with the township's other keys."""

from typing import Final

import msgspec
from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage.tables import recovery_keys, township_keys

PURPOSE: Final = "recovery"
"""Under which the private halves lie among the township's keys."""


class RecoveryKey(msgspec.Struct, frozen=True):
    """One recovery key. Times in milliseconds since 1970."""

    township: str
    public_key: bytes
    made_ms: int
    offline_ms: int | None
    """Since when the private half is not on this server."""


_ROWS: Final = select(
    recovery_keys.c.township_id,
    recovery_keys.c.public_key,
    recovery_keys.c.made_ms,
    recovery_keys.c.offline_ms,
).order_by(recovery_keys.c.township_id, recovery_keys.c.made_ms)


async def of_township(connection: AsyncConnection, township: str) -> list[RecoveryKey]:
    """The recovery keys of a township, the one in use last."""
    rows = await connection.execute(_ROWS.where(recovery_keys.c.township_id == township))
    return [RecoveryKey(row.township_id, bytes(row.public_key), row.made_ms, row.offline_ms) for row in rows]


async def everywhere(connection: AsyncConnection) -> list[RecoveryKey]:
    """The recovery keys of every township: for commands."""
    rows = await connection.execute(_ROWS)
    return [RecoveryKey(row.township_id, bytes(row.public_key), row.made_ms, row.offline_ms) for row in rows]


async def add(connection: AsyncConnection, township: str, public_key: bytes, made_ms: int) -> None:
    """Adds a recovery key, which is the one in use from now on."""
    values = {"township_id": township, "public_key": public_key, "made_ms": made_ms}
    await connection.execute(insert(recovery_keys).values(values))


async def take_offline(connection: AsyncConnection, township: str, offline_ms: int) -> None:
    """Forgets the private halves of a township's recovery keys."""
    gone = (township_keys.c.township_id == township) & (township_keys.c.purpose == PURPOSE)
    await connection.execute(delete(township_keys).where(gone))
    noted = (recovery_keys.c.township_id == township) & recovery_keys.c.offline_ms.is_(None)
    await connection.execute(update(recovery_keys).where(noted).values(offline_ms=offline_ms))
