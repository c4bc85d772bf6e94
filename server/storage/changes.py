"""The one table of changes: idempotency, history, verdicts, quarantine and audit of merges. Append-only."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage.dialect import ID, among, insert_rows, many, prepared
from server.storage.tables import changes
from server.vault import sealing
from server.vault.keeping import keys_of, opening
from server.vault.sealing import Contact, SealedBody
from server.vault.township import TownshipKeys


class Stored(msgspec.Struct, frozen=True):
    """A row of the table, as `server/storage/tables.py` explains its columns."""

    change_id: str
    n: int
    record_id: str | None
    author: str
    role: str
    epoch: str | None
    counter: int
    at_ms: int
    offset_ms: int
    uncertainty_ms: int
    stamp_ms: int
    received_ms: int
    result: str
    code: str | None
    origin: str | None
    fingerprint: bytes
    payload: bytes
    effects: bytes
    verdict: bytes

    @property
    def quarantined(self) -> bool:
        """Whether it was not applied when it came."""
        return self.result == "quarantined"

    @property
    def erased(self) -> bool:
        """Whether what it said is gone: nothing that came is empty, and what is closed says so."""
        return not self.payload


_COLUMNS: Final = (
    "CAST(change_id AS text) AS change_id, n, CAST(record_id AS text) AS record_id, CAST(author AS text) AS author, "
    "role, CAST(epoch AS text) AS epoch, counter, at_ms, offset_ms, uncertainty_ms, stamp_ms, received_ms, result, "
    "code, CAST(origin AS text) AS origin, fingerprint, payload, effects, verdict"
)


_NO_BODIES: Final[Mapping[str, SealedBody]] = {}
_NEWEST_BEFORE: Final = text(
    "SELECT n FROM changes WHERE township_id = :t AND received_ms < :before ORDER BY n DESC LIMIT 1"
)


async def _opened(connection: AsyncConnection, township: str, rows: Sequence[Row[Any]]) -> list[Stored]:
    """Stored rows, contact opened."""
    return await opening(connection, township, lambda keys: [_stored(row, keys) for row in rows])


def _stored(row: Row[Any], keys: TownshipKeys) -> Stored:
    values: list[Any] = list(row)
    fingerprint, payload, effects, verdict = map(bytes, values[-4:])
    values[-4:] = (
        sealing.opened_fingerprint(fingerprint, keys, row.record_id),
        sealing.opened(payload, keys, row.record_id),
        sealing.opened(effects, keys, row.record_id),
        verdict,
    )
    return Stored(*values)


def _sealed(row: Stored, contact: Contact, keys: TownshipKeys, body: SealedBody | None = None) -> Stored:
    seal = sealing.sealer(keys, row.record_id)
    payload = sealing.payload(row.payload, contact, seal, body)
    effects = sealing.effects(row.effects, contact, seal)
    if payload is row.payload and effects is row.effects:
        return row
    hidden = sealing.fingerprint(row.fingerprint, seal)
    return msgspec.structs.replace(row, payload=payload, effects=effects, fingerprint=hidden)


async def by_ids(connection: AsyncConnection, township: str, ids: Sequence[str]) -> dict[str, Stored]:
    """The stored changes of these ids."""
    if not ids:
        return {}
    condition = among(connection, "change_id", "ids", ID)
    statement = f"SELECT {_COLUMNS} FROM changes WHERE township_id = :t AND {condition}"
    found = await connection.execute(
        prepared(statement, _COLUMNS), {"t": township, "ids": many(connection, ids)}
    )
    return {row.change_id: row for row in await _opened(connection, township, found.all())}


async def newest_before(connection: AsyncConnection, township: str, before_ms: int) -> int:
    """The highest number of a change that was received before a time of the server; 0 when there is none."""
    return int(await connection.scalar(_NEWEST_BEFORE, {"t": township, "before": before_ms}) or 0)


async def of_records(
    connection: AsyncConnection, township: str, records: Sequence[str], above: int = 0
) -> list[Stored]:
    """Every change of these records with a number above `above`, quarantined ones included, oldest first."""
    if not records:
        return []
    condition = among(connection, "record_id", "ids", ID)
    statement = (
        f"SELECT {_COLUMNS} FROM changes WHERE township_id = :t AND {condition} AND n > :above ORDER BY n"
    )
    parameters = {"t": township, "ids": many(connection, records), "above": above}
    found = await connection.execute(prepared(statement, _COLUMNS), parameters)
    return await _opened(connection, township, found.all())


async def selected(connection: AsyncConnection, rest: str, parameters: Mapping[str, Any]) -> list[Stored]:
    """The stored changes that the rest of a statement finds, from WHERE on, over `changes c`; :t is the township.

    For the other modules of this package; `rest` is their text, never a caller's.
    """
    found = await connection.execute(
        prepared(f"SELECT {_COLUMNS} FROM changes c {rest}", _COLUMNS), parameters
    )
    return await _opened(connection, parameters["t"], found.all())


async def reseal(
    connection: AsyncConnection, township: str, above: int, most: int, contact: Callable[[Stored], Contact]
) -> list[Stored]:
    """Seals the next `most` changes with numbers above `above` anew; the caller holds the township's lock."""
    rest = "WHERE c.township_id = :t AND c.n > :above ORDER BY c.n LIMIT :most"
    found = await selected(connection, rest, {"t": township, "above": above, "most": most})
    keys = await keys_of(connection, township)
    rows = [msgspec.structs.astuple(_sealed(row, contact(row), keys)) for row in found]
    replaced = ("fingerprint", "payload", "effects")
    await insert_rows(connection, changes, township, Stored.__struct_fields__, rows, replace=replaced)
    return found


async def append(
    connection: AsyncConnection,
    township: str,
    rows: Sequence[Stored],
    contact: Sequence[Contact],
    bodies: Mapping[str, SealedBody] = _NO_BODIES,
) -> None:
    """Appends changes in one statement; `contact` says of each what of it is sealed.

    `bodies` are those of the records that were written with them.
    """
    if any(not one.none for one in contact):
        keys = await keys_of(connection, township)
        rows = [
            _sealed(row, one, keys, bodies.get(row.record_id or ""))
            for row, one in zip(rows, contact, strict=True)
        ]
    await insert_rows(
        connection, changes, township, Stored.__struct_fields__, list(map(msgspec.structs.astuple, rows))
    )
