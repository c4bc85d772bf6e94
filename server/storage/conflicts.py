"""Conflicts: one open row per record and path, with base and every value, until the office decides."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.reach import Reach
from server.storage.dialect import ID, among, insert_rows, many, prepared
from server.storage.tables import conflicts
from server.storage.within import of_record
from server.vault import sealing
from server.vault.keeping import keys_of, opening
from server.vault.sealing import WHOLE, Contact
from server.vault.township import TownshipKeys
from sync_protocol.outcome import Sides

OPEN: Final = "open"
BY_RULE: Final = "by_rule"
DECIDED: Final = "decided"
ERASED: Final = "erased"
"""Its values are gone with those of its record."""


class Conflict(msgspec.Struct, frozen=True):
    """One row. `n` is the number of the change that opened it, `decision` the change that decided it."""

    conflict_id: str
    n: int
    record_id: str
    path: str
    rule: str
    status: str
    sides: Sides
    opened_ms: int
    decided_ms: int | None = None
    decision: str | None = None


_COLUMNS: Final = (
    "CAST(conflict_id AS text) AS conflict_id, n, CAST(record_id AS text) AS record_id, path, rule, status, sides, "
    "opened_ms, decided_ms, CAST(decision AS text) AS decision"
)
_decode: Final = msgspec.json.Decoder(Sides).decode
_ONE: Final = prepared(
    f"SELECT {_COLUMNS} FROM conflicts WHERE township_id = :t AND conflict_id = :id", _COLUMNS
)
_OF_RECORD: Final = prepared(
    f"SELECT {_COLUMNS} FROM conflicts WHERE township_id = :t AND record_id = :record ORDER BY n, conflict_id",
    _COLUMNS,
)
_AFTER: Final = (
    "status = :status AND n >= :above AND (n > :above OR CAST(conflict_id AS text) > :id) "
    "ORDER BY n, CAST(conflict_id AS text) LIMIT :most"
)


async def _opened(connection: AsyncConnection, township: str, rows: Sequence[Row[Any]]) -> list[Conflict]:
    """Stored rows, contact opened."""
    return await opening(connection, township, lambda keys: [_conflict(row, keys) for row in rows])


def _conflict(row: Row[Any], keys: TownshipKeys) -> Conflict:
    return Conflict(
        row.conflict_id,
        row.n,
        row.record_id,
        row.path,
        row.rule,
        row.status,
        _decode(sealing.opened(bytes(row.sides), keys, row.record_id)),
        row.opened_ms,
        row.decided_ms,
        row.decision,
    )


async def undecided_of(connection: AsyncConnection, township: str, records: Sequence[str]) -> list[Conflict]:
    """The conflicts of these records that nobody has decided yet."""
    statement = (
        f"SELECT {_COLUMNS} FROM conflicts WHERE township_id = :t AND "
        f"{among(connection, 'record_id', 'ids', ID)} AND status IN ('open', 'by_rule')"
    )
    found = await connection.execute(
        prepared(statement, _COLUMNS), {"t": township, "ids": many(connection, records)}
    )
    return await _opened(connection, township, found.all())


async def all_of(connection: AsyncConnection, township: str, record: str) -> list[Conflict]:
    """Every conflict of a record, whatever its status, oldest first."""
    found = await connection.execute(_OF_RECORD, {"t": township, "record": record})
    return await _opened(connection, township, found.all())


async def by_id(connection: AsyncConnection, township: str, conflict: str) -> Conflict | None:
    """One conflict, or None."""
    found = await connection.execute(_ONE, {"t": township, "id": conflict})
    return next(iter(await _opened(connection, township, found.all())), None)


async def reached(connection: AsyncConnection, township: str, conflict: str, reach: Reach) -> Conflict | None:
    """One conflict of a record within a reach, or None."""
    inside, parameters = of_record(reach, "conflicts.record_id")
    statement = f"SELECT {_COLUMNS} FROM conflicts WHERE township_id = :t AND conflict_id = :id AND {inside}"
    found = await connection.execute(
        prepared(statement, _COLUMNS), {**parameters, "t": township, "id": conflict}
    )
    return next(iter(await _opened(connection, township, found.all())), None)


async def listed(
    connection: AsyncConnection,
    township: str,
    status: str,
    after: tuple[int, str],
    most: int,
    reach: Reach,
    record: str | None = None,
) -> list[Conflict]:
    """Conflicts of records within a reach, oldest first, after that of number and id `after`.

    Those of one status, and of one record if it is given.

    One change may open several, so the number alone would not tell where a page ended.
    """
    inside, reaching = of_record(reach, "conflicts.record_id")
    named = {"t": township, "status": status, "above": after[0], "id": after[1], "most": most}
    parameters: dict[str, Any] = {**reaching, **named}
    one = ""
    if record is not None:
        one = "record_id = :record AND "
        parameters["record"] = record
    statement = f"SELECT {_COLUMNS} FROM conflicts WHERE township_id = :t AND {one}{inside} AND {_AFTER}"
    found = await connection.execute(prepared(statement, _COLUMNS), parameters)
    return await _opened(connection, township, found.all())


async def reseal(
    connection: AsyncConnection, township: str, after: str, most: int, contact: Callable[[str], Contact]
) -> list[Conflict]:
    """Seals the next `most` conflicts with ids above `after` anew; the caller holds the township's lock."""
    above = "AND conflict_id > :after " if after else ""
    statement = (
        f"SELECT {_COLUMNS} FROM conflicts WHERE township_id = :t {above}ORDER BY conflict_id LIMIT :most"
    )
    named = {"t": township, "most": most, **({"after": after} if after else {})}
    rows = await _opened(connection, township, (await connection.execute(text(statement), named)).all())
    kinds = await _kinds_of(connection, township, sorted({row.record_id for row in rows}))
    sealed = {
        row.record_id: contact(kinds[row.record_id]) if row.record_id in kinds else WHOLE for row in rows
    }
    await write(connection, township, rows, sealed)
    return rows


async def _kinds_of(connection: AsyncConnection, township: str, records: Sequence[str]) -> dict[str, str]:
    """The kinds of these records."""
    columns = "CAST(record_id AS text) AS record_id, kind"
    inside = among(connection, "record_id", "ids", ID)
    statement = f"SELECT {columns} FROM records WHERE township_id = :t AND {inside}"
    rows = await connection.execute(text(statement), {"t": township, "ids": many(connection, records)})
    return {row.record_id: row.kind for row in rows}


async def write(
    connection: AsyncConnection, township: str, rows: Sequence[Conflict], contact: Mapping[str, Contact]
) -> None:
    """Writes new conflicts, and known ones anew; `contact` says of each record what of it is sealed."""
    sides = [msgspec.json.encode(row.sides) for row in rows]
    if any(not contact[row.record_id].none for row in rows):
        keys = await keys_of(connection, township)
        sides = [
            sealing.sides(kept, row.path, contact[row.record_id], sealing.sealer(keys, row.record_id))
            for row, kept in zip(rows, sides, strict=True)
        ]
    values = [
        tuple({**msgspec.structs.asdict(row), "sides": kept}.values())
        for row, kept in zip(rows, sides, strict=True)
    ]
    replaced = ("rule", "status", "sides", "decided_ms", "decision")
    await insert_rows(connection, conflicts, township, Conflict.__struct_fields__, values, replace=replaced)
