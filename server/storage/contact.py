"""A device's row as a sync reads and writes it: serial, counters, clock, scope."""

from typing import Any, Final

import msgspec
from sqlalchemy import BigInteger, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage.dialect import prepared
from server.storage.tables import Small

EPOCHS_MAX: Final = 20
"""Installation epochs that are remembered of a device; older ones can only be asked for by a museum piece."""


class Contact(msgspec.Struct, frozen=True):
    """What the server remembers of a device between two syncs."""

    staff_id: str
    role: str
    grids: tuple[str, ...]
    revoked: bool
    """The device is revoked, or its owner disabled: it hands in its queue and reads nothing."""
    serial: int
    epochs: dict[str, int]
    """Installation epochs, each with its last counter, the one that was used last at the end."""
    contact_ms: int | None
    offset_ms: int
    """How far the server's clock was ahead of the device's at the last contact; 0 before the first."""
    public_key: bytes


_COLUMNS: Final = (
    "CAST(d.staff_id AS text) AS staff_id, s.role, d.grids, d.revoked_ms, s.disabled_ms, d.serial, "
    "d.epochs, d.contact_ms, d.offset_ms, d.public_key"
)
_READ: Final = prepared(
    f"SELECT {_COLUMNS} FROM devices d JOIN staff s ON s.township_id = d.township_id "
    "AND s.staff_id = d.staff_id WHERE d.township_id = :t AND s.township_id = :t AND d.device_id = :device",
    _COLUMNS,
)
_KEY: Final = text("SELECT public_key FROM devices WHERE township_id = :t AND device_id = :device")
_EVERY_KEY: Final = text(
    "SELECT public_key, 1 AS former FROM former_keys WHERE township_id = :t AND device_id = :device "
    "UNION ALL SELECT public_key, 0 FROM devices WHERE township_id = :t AND device_id = :device ORDER BY former"
)
_KEEP_KEY: Final = text(
    "INSERT INTO former_keys (township_id, device_id, public_key, replaced_ms) "
    "SELECT township_id, device_id, public_key, :now FROM devices WHERE township_id = :t AND device_id = :device "
    "ON CONFLICT (township_id, device_id, public_key) DO UPDATE SET replaced_ms = excluded.replaced_ms"
).bindparams(bindparam("now", type_=BigInteger))
_BIND_KEY: Final = text(
    "UPDATE devices SET public_key = :key, key_ms = :now WHERE township_id = :t AND device_id = :device"
)
_WRITE: Final = text(
    "UPDATE devices SET serial = :serial, epochs = :epochs, contact_ms = :contact_ms, offset_ms = :offset_ms, "
    "queued = :queued, client = :client WHERE township_id = :t AND device_id = :device"
).bindparams(bindparam("epochs", type_=Small))


async def read(connection: AsyncConnection, township: str, device: str) -> Contact | None:
    """What is remembered of a device; None for one that does not exist."""
    row = (await connection.execute(_READ, {"t": township, "device": device})).one_or_none()
    if row is None:
        return None
    gone = row.revoked_ms is not None or row.disabled_ms is not None
    return Contact(
        staff_id=row.staff_id,
        role=row.role,
        grids=tuple(_small(row.grids)),
        revoked=gone,
        serial=row.serial,
        epochs=dict(_small(row.epochs)),
        contact_ms=row.contact_ms,
        offset_ms=row.offset_ms or 0,
        public_key=bytes(row.public_key),
    )


async def public_key(connection: AsyncConnection, township: str, device: str) -> bytes | None:
    """The key that a device signs with; None for one that does not exist."""
    key = await connection.scalar(_KEY, {"t": township, "device": device})
    return None if key is None else bytes(key)


async def every_key(connection: AsyncConnection, township: str, device: str) -> list[bytes]:
    """The key that a device signs with, then those that it signed with before."""
    rows = await connection.execute(_EVERY_KEY, {"t": township, "device": device})
    return [bytes(row.public_key) for row in rows]


async def replace_key(
    connection: AsyncConnection, township: str, device: str, key: bytes, now_ms: int
) -> None:
    """Binds another key to a device, and remembers the one that it had."""
    given = {"t": township, "device": device, "key": key, "now": now_ms}
    await connection.execute(_KEEP_KEY, given)
    await connection.execute(_BIND_KEY, given)


async def write(connection: AsyncConnection, township: str, device: str, values: dict[str, Any]) -> None:
    """Remembers serial, epochs, contact_ms, offset_ms, queued and client of a device."""
    epochs: dict[str, int] = values["epochs"]
    pairs = list(epochs.items())  # an object of PostgreSQL's JSON would not keep the order
    await connection.execute(_WRITE, {**values, "epochs": pairs, "t": township, "device": device})


def _small(value: Any) -> Any:
    return msgspec.json.decode(value) if isinstance(value, str) else value
