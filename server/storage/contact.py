"""A device's row as a sync reads and writes it: serial, counters, clock, scope."""

from typing import Any, Final

import msgspec
from sqlalchemy import bindparam, text
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


_COLUMNS: Final = (
    "CAST(d.staff_id AS text) AS staff_id, s.role, d.grids, d.revoked_ms, s.disabled_ms, d.serial, "
    "d.epochs, d.contact_ms"
)
_READ: Final = prepared(
    f"SELECT {_COLUMNS} FROM devices d JOIN staff s ON s.township_id = d.township_id "
    "AND s.staff_id = d.staff_id WHERE d.township_id = :t AND s.township_id = :t AND d.device_id = :device",
    _COLUMNS,
)
_KEY: Final = text("SELECT public_key FROM devices WHERE township_id = :t AND device_id = :device")
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
        row.staff_id, row.role, tuple(_small(row.grids)), gone, row.serial, dict(_small(row.epochs)), row.contact_ms
    )  # fmt: skip


async def public_key(connection: AsyncConnection, township: str, device: str) -> bytes | None:
    """The key that a device signs with; None for one that does not exist."""
    key = await connection.scalar(_KEY, {"t": township, "device": device})
    return None if key is None else bytes(key)


async def write(connection: AsyncConnection, township: str, device: str, values: dict[str, Any]) -> None:
    """Remembers serial, epochs, contact_ms, offset_ms, queued and client of a device."""
    epochs: dict[str, int] = values["epochs"]
    pairs = list(epochs.items())  # an object of PostgreSQL's JSON would not keep the order
    await connection.execute(_WRITE, {**values, "epochs": pairs, "t": township, "device": device})


def _small(value: Any) -> Any:
    return msgspec.json.decode(value) if isinstance(value, str) else value
