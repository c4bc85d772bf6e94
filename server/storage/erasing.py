"""Takes out what rows say, of records whose values go for good. Ids, times, outcomes and order stay.

Statements of one transaction that holds the township's lock. Each looks at one township.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from server.storage import casework, deadline_entries, ledger, slips, telephones
from server.storage.dialect import ID, among, many
from server.storage.engine import BUSY_S
from server.vault.keeping import keys_of
from server.vault.sealing import opened_fingerprint
from server.vault.township import TownshipKeys
from sync_protocol.messages import Receipt
from sync_protocol.outcome import Sides

_NOTHING_DIFFERS: Final = msgspec.json.encode(Sides(None, ()))
_BLANK_CHANGE: Final = text(
    "UPDATE changes SET payload = :empty, effects = :none, verdict = :empty, fingerprint = :fingerprint "
    "WHERE township_id = :t AND change_id = :change"
)
_NUMBER: Final = text("UPDATE records SET number = :number WHERE township_id = :t AND record_id = :record")
_BLANK_RECEIPT: Final = text(
    "UPDATE receipts SET body = :body WHERE township_id = :t AND device_id = :device AND n = :n"
)
_decode_receipt: Final = msgspec.json.Decoder(Receipt).decode
_PATIENCE_MS: Final = 500


class Written(msgspec.Struct, frozen=True):
    """A change of an erased record, as far as it stays."""

    change_id: str
    n: int
    record_id: str
    author: str
    of_device: bool


async def settle_file(engine: AsyncEngine) -> None:
    """Moves SQLite's log into the file and empties it, because the log still has what was there before.

    Who reads or writes meanwhile may hinder it; then the next one does it.
    """
    if engine.dialect.name != "sqlite":
        return
    async with engine.connect() as connection:
        driver = (await connection.get_raw_connection()).driver_connection
        if driver is not None:
            await driver.execute(f"PRAGMA busy_timeout = {_PATIENCE_MS}")
            await driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            await driver.execute(f"PRAGMA busy_timeout = {BUSY_S * 1_000}")


async def number(connection: AsyncConnection, township: str, numbers: Mapping[str, str]) -> None:
    """Gives erased records the registration numbers that they had; `numbers` by record. No device holds any of them."""
    rows = [{"t": township, "record": record, "number": given} for record, given in numbers.items()]
    if rows:
        await connection.execute(_NUMBER, rows)


async def blank_changes(connection: AsyncConnection, township: str, records: Sequence[str]) -> list[Written]:
    """Blanks every change of these records, quarantined ones and closings included; all of them, oldest first."""
    statement = (
        "SELECT CAST(change_id AS text) AS change_id, n, CAST(record_id AS text) AS record_id, "
        "CAST(author AS text) AS author, epoch IS NOT NULL AS of_device, fingerprint, length(payload) > 0 AS says "
        f"FROM changes WHERE township_id = :t AND {among(connection, 'record_id', 'ids', ID)} ORDER BY n"
    )
    found = await connection.execute(text(statement), {"t": township, "ids": many(connection, records)})
    rows = found.all()
    keys = await keys_of(connection, township)
    bare = {"t": township, "empty": b"", "none": b"[]"}
    blanked = [
        {**bare, "change": row.change_id, "fingerprint": keyed(keys, _plain(keys, row))}
        for row in rows
        if row.says
    ]
    if blanked:
        await connection.execute(_BLANK_CHANGE, blanked)
    return [Written(r.change_id, r.n, r.record_id, r.author, bool(r.of_device)) for r in rows]


def keyed(keys: TownshipKeys, fingerprint: bytes) -> bytes:
    """The fingerprint of an erased change, 32 bytes.

    Without the key, whose master lies outside the database, nobody can find out by trying what had been written.
    """
    return bytes.fromhex(keys.hash("erased", fingerprint.hex()))


def _plain(keys: TownshipKeys, row: Row[Any]) -> bytes:
    return opened_fingerprint(bytes(row.fingerprint), keys, row.record_id)


async def blank_conflicts(connection: AsyncConnection, township: str, records: Sequence[str]) -> None:
    """Blanks what differed in these records. Paths stay: they name fields and ids of entries, never values."""
    statement = (
        "UPDATE conflicts SET sides = :sides, status = 'erased' "
        f"WHERE township_id = :t AND {among(connection, 'record_id', 'ids', ID)}"
    )
    parameters = {"t": township, "ids": many(connection, records), "sides": _NOTHING_DIFFERS}
    await connection.execute(text(statement), parameters)


async def blank_receipts(connection: AsyncConnection, township: str, changes: Sequence[Written]) -> None:
    """Takes path, person and words out of what devices were told of these changes."""
    names = {one.change_id for one in changes}
    devices = sorted({one.author for one in changes if one.of_device})
    if not devices:
        return
    statement = (
        "SELECT CAST(device_id AS text) AS device_id, n, body FROM receipts "
        f"WHERE township_id = :t AND {among(connection, 'device_id', 'ids', ID)} AND n > :above"
    )
    parameters = {"t": township, "ids": many(connection, devices), "above": min(one.n for one in changes)}
    blanked = []
    for row in await connection.execute(text(statement), parameters):
        receipt = _decode_receipt(bytes(row.body))
        if receipt.change in names:
            bare = msgspec.json.encode(Receipt(receipt.n, receipt.change, receipt.outcome, at=receipt.at))
            blanked.append({"t": township, "device": row.device_id, "n": row.n, "body": bare})
    if blanked:
        await connection.execute(_BLANK_RECEIPT, blanked)


async def forget_words(connection: AsyncConnection, township: str, records: Sequence[str]) -> None:
    """Forgets rows of the ledger, units, telephone numbers by which the records are found, words about them."""
    await ledger.erase(connection, township, records)
    await telephones.forget(connection, township, records)
    parameters = {"t": township, "ids": many(connection, records)}
    mine = f"WHERE township_id = :t AND {among(connection, 'record_id', 'ids', ID)}"
    await connection.execute(text(f"DELETE FROM assignments {mine}"), parameters)
    await connection.execute(text(f"UPDATE holds SET reason = '', lifted_reason = NULL {mine}"), parameters)
    await deadline_entries.blank(connection, township, records)
    await slips.blank(connection, township, records)
    await casework.blank(connection, township, records)
