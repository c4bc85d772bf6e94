"""Where a record is named, beside its own row: for the report of what is held."""

from collections.abc import Collection, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage.changes import Stored
from server.storage.dialect import ID, among, many
from sync_protocol.messages import Receipt
from sync_protocol.state import RecordState

_GRID_DIGITS: Final = 15
_EXITS: Final = text("SELECT count(*) FROM exits WHERE township_id = :t AND record_id = :record")
_DEVICES: Final = text(
    "SELECT CAST(device_id AS text) AS device_id, grids, contact_ms, revoked_ms FROM devices "
    "WHERE township_id = :t ORDER BY device_id"
)
_AUDIT: Final = text(
    "SELECT n, at_ms, act, actor, detail FROM audit_entries WHERE township_id = :t AND detail IS NOT NULL ORDER BY n"
)
_decode_receipt: Final = msgspec.json.Decoder(Receipt).decode


class Holder(msgspec.Struct, frozen=True):
    """A device that holds the record, or may still keep what it sent of it."""

    device: str
    grid: str | None
    """The record's grid, where the device reads it; None for one that only wrote the record."""
    wrote: bool
    contact_ms: int | None
    revoked: bool


class AuditNote(msgspec.Struct, frozen=True):
    """An entry of the audit that names the record, one of its changes or one of its conflicts."""

    n: int
    at_ms: int
    act: str
    actor: str


async def told(
    connection: AsyncConnection, township: str, record: str, rows: Sequence[Stored]
) -> tuple[int, int]:
    """How many exits and how many receipts there are about a record."""
    exits = int(await connection.scalar(_EXITS, {"t": township, "record": record}) or 0)
    names, devices = {row.change_id for row in rows}, sorted({row.author for row in rows if row.epoch})
    if not devices:
        return exits, 0
    statement = (
        f"SELECT body FROM receipts WHERE township_id = :t AND {among(connection, 'device_id', 'ids', ID)}"
    )
    found = await connection.execute(text(statement), {"t": township, "ids": many(connection, devices)})
    return exits, sum(_decode_receipt(bytes(row.body)).change in names for row in found)


async def holders(
    connection: AsyncConnection, township: str, state: RecordState, rows: Sequence[Stored]
) -> list[Holder]:
    """The devices of the record's grid while devices hold it, and those that wrote it."""
    authors = {row.author for row in rows if row.epoch is not None}
    grid = state.place if state.held and len(state.place) == _GRID_DIGITS else None
    found = []
    for row in await connection.execute(_DEVICES, {"t": township}):
        reads = grid is not None and grid in _listed(row.grids) and row.revoked_ms is None
        if reads or row.device_id in authors:
            wrote, revoked = row.device_id in authors, row.revoked_ms is not None
            found.append(Holder(row.device_id, grid if reads else None, wrote, row.contact_ms, revoked))
    return found


async def audit_of(connection: AsyncConnection, township: str, ids: Collection[str]) -> list[AuditNote]:
    """The entries of a township's audit that name one of these ids, oldest first.

    Details are opaque bytes that no index knows, so all of them are read: this is asked for seldom.
    """
    wanted = {one.encode() for one in ids}
    return [
        AuditNote(row.n, row.at_ms, row.act, row.actor)
        for row in await connection.execute(_AUDIT, {"t": township})
        if any(part in wanted for part in bytes(row.detail).split(b'"'))
    ]


def _listed(stored: Any) -> list[str]:
    grids: list[str] = msgspec.json.decode(stored) if isinstance(stored, str) else stored
    return grids
