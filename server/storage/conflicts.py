"""Conflicts: one open row per record and path, with base and every value, until the office decides."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.reach import Reach
from server.storage.dialect import ID, among, insert_rows, many, prepared
from server.storage.tables import conflicts
from server.storage.within import of_record
from sync_protocol.outcome import Sides

OPEN: Final = "open"
BY_RULE: Final = "by_rule"
DECIDED: Final = "decided"


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
_AFTER: Final = (
    "status = :status AND n >= :above AND (n > :above OR CAST(conflict_id AS text) > :id) "
    "ORDER BY n, CAST(conflict_id AS text) LIMIT :most"
)


def _conflict(row: Any) -> Conflict:
    return Conflict(
        row.conflict_id,
        row.n,
        row.record_id,
        row.path,
        row.rule,
        row.status,
        _decode(row.sides),
        row.opened_ms,
        row.decided_ms,
        row.decision,
    )


async def undecided_of(connection: AsyncConnection, township: str, records: Sequence[str]) -> list[Conflict]:
    """The conflicts of these records that nobody has decided yet."""
    statement = (
        f"SELECT {_COLUMNS} FROM conflicts WHERE township_id = :t AND "
        f"{among(connection, 'record_id', 'ids', ID)} AND status <> 'decided'"
    )
    rows = await connection.execute(
        prepared(statement, _COLUMNS), {"t": township, "ids": many(connection, records)}
    )
    return [_conflict(row) for row in rows]


async def by_id(connection: AsyncConnection, township: str, conflict: str) -> Conflict | None:
    """One conflict, or None."""
    row = (await connection.execute(_ONE, {"t": township, "id": conflict})).one_or_none()
    return None if row is None else _conflict(row)


async def reached(connection: AsyncConnection, township: str, conflict: str, reach: Reach) -> Conflict | None:
    """One conflict of a record within a reach, or None."""
    inside, parameters = of_record(reach, "conflicts.record_id")
    statement = f"SELECT {_COLUMNS} FROM conflicts WHERE township_id = :t AND conflict_id = :id AND {inside}"
    found = await connection.execute(
        prepared(statement, _COLUMNS), {**parameters, "t": township, "id": conflict}
    )
    row = found.one_or_none()
    return None if row is None else _conflict(row)


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
    return [_conflict(row) for row in await connection.execute(prepared(statement, _COLUMNS), parameters)]


async def write(connection: AsyncConnection, township: str, rows: Sequence[Conflict]) -> None:
    """Writes new conflicts, and known ones anew."""
    values = [
        tuple({**msgspec.structs.asdict(row), "sides": msgspec.json.encode(row.sides)}.values())
        for row in rows
    ]
    replaced = ("rule", "status", "sides", "decided_ms", "decision")
    await insert_rows(connection, conflicts, township, Conflict.__struct_fields__, values, replace=replaced)
