"""Records: read by id for a push, written whole, paged by number for a pull."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec
from sqlalchemy import Row, TextualSelect
from sqlalchemy.ext.asyncio import AsyncConnection

from server.reach import Reach
from server.storage.dialect import ID, TEXT, among, insert_rows, many, prepared
from server.storage.tables import holdings, records
from server.storage.within import within
from sync_protocol.canonical import Digest, canonical, halves, total
from sync_protocol.state import RecordState

_COLUMNS: Final = (
    "CAST(record_id AS text) AS record_id, version, placed, kind, place, state, number, deleted, closed, "
    "body, marks, restricted, digest_high, digest_low"
)
_REPLACED: Final = (
    "version",
    "placed",
    "place",
    "state",
    "number",
    "deleted",
    "closed",
    "body",
    "marks",
    "restricted",
    "digest_high",
    "digest_low",
)
_WRITTEN: Final = ("record_id", "kind", "received_ms", *_REPLACED)
"""What `_row` gives, in order."""
_DIGEST: Final = slice(-2, None)
_SUMS: Final = ("held", "digest_high", "digest_low")


async def by_ids(connection: AsyncConnection, township: str, ids: Sequence[str]) -> dict[str, RecordState]:
    """The records of these ids that exist, tombstones and closed ones included."""
    if not ids:
        return {}
    statement = f"SELECT {_COLUMNS} FROM records WHERE township_id = :t AND {among(connection, 'record_id', 'ids', ID)}"
    rows = await connection.execute(
        prepared(statement, _COLUMNS), {"t": township, "ids": many(connection, ids)}
    )
    return {row.record_id: state_of(row) for row in rows}


async def reached(
    connection: AsyncConnection, township: str, ids: Sequence[str], reach: Reach
) -> dict[str, RecordState]:
    """Those of these records that lie within a reach; the others do not exist for whoever asks."""
    if not ids:
        return {}
    inside, parameters = within(reach)
    rest = f"WHERE township_id = :t AND {among(connection, 'record_id', 'ids', ID)} AND {inside}"
    found = await selected(connection, rest, {**parameters, "t": township, "ids": many(connection, ids)})
    return {state.id: state for state in found}


def state_of(row: Row[Any]) -> RecordState:
    """A stored row as the merge reads it."""
    return RecordState(
        row.record_id,
        row.kind,
        row.version,
        row.placed,
        row.place,
        bytes(row.body),
        bytes(row.marks),
        row.state,
        row.number,
        bool(row.deleted),
        bool(row.closed),
        (row.place, row.digest_high, row.digest_low)
        if not (row.deleted or row.closed or row.restricted)
        else None,
    )


async def selected(
    connection: AsyncConnection, rest: str, parameters: Mapping[str, Any]
) -> list[RecordState]:
    """The records that the rest of a statement finds, from WHERE on; :t is the township.

    For the other modules of this package; `rest` is their text, never a caller's.
    """
    statement = prepared(f"SELECT {_COLUMNS} FROM records {rest}", _COLUMNS)
    return [state_of(row) for row in await connection.execute(statement, parameters)]


async def write(
    connection: AsyncConnection, township: str, states: Sequence[RecordState], received_ms: int
) -> None:
    """Writes records whole, new ones and known ones, and keeps the digests of their grids."""
    rows = [_row(state, received_ms) for state in states]
    new = [row for row, state in zip(rows, states, strict=True) if state.new]
    known = [row for row, state in zip(rows, states, strict=True) if not state.new]
    await insert_rows(connection, records, township, _WRITTEN, new)
    await insert_rows(connection, records, township, _WRITTEN, known, replace=_REPLACED)
    digests = [row[_DIGEST] for row in rows]
    await insert_rows(connection, holdings, township, ("grid", *_SUMS), _counts(states, digests), add=_SUMS)


def _counts(
    states: Sequence[RecordState], digests: Sequence[tuple[int, int]]
) -> list[tuple[str, int, int, int]]:
    """What these writes change in the number and the digest of what devices hold of each grid."""
    counts: dict[str, list[int]] = {}
    for state, digest in zip(states, digests, strict=True):
        now = (state.place, *digest) if state.held else None
        for counted, sign in ((state.counted, -1), (now, 1)):
            if counted is not None:
                grid, high, low = counted
                held = counts.setdefault(grid, [0, 0, 0])
                held[:] = held[0] + sign, held[1] + sign * high, held[2] + sign * low
    return [(grid, held, high, low) for grid, (held, high, low) in sorted(counts.items())]


def _row(state: RecordState, received_ms: int) -> tuple[Any, ...]:
    body, marks = state.stored()
    form = canonical(state.id, state.kind, state.place, state.state, state.number, msgspec.Raw(body))
    return (
        state.id,
        state.kind,
        received_ms,
        state.version,
        state.placed,
        state.place,
        state.state,
        state.number,
        state.deleted,
        state.closed,
        body,
        marks,
        state.restricted,
        *halves(form),
    )


async def page(
    connection: AsyncConnection,
    township: str,
    grids: Sequence[str],
    above: int,
    most: int,
    skip: tuple[int, int] = (0, 0),
) -> list[RecordState]:
    """Of each grid, what its devices hold: up to `most` records with versions above `above`, the lowest first.

    Versions from `skip[0]` to `skip[1]` are left out.
    """
    parameters = {"t": township, "above": above, "most": most, "first": skip[0], "last": skip[1]}
    named = {f"grid{at}": grid for at, grid in enumerate(grids)}
    rows = await connection.execute(_page(len(grids)), {**parameters, **named})
    return [state_of(row) for row in rows]


@lru_cache(maxsize=64)
def _page(grids: int) -> TextualSelect:
    """One statement for all grids, each with a limit of its own, so that each is read from its index."""
    parts = (
        f"SELECT * FROM (SELECT {_COLUMNS} FROM records WHERE township_id = :t AND place = :grid{at} "
        "AND version > :above AND version NOT BETWEEN :first AND :last AND NOT deleted AND NOT closed "
        "AND (restricted IS NULL OR NOT restricted) "
        f"ORDER BY version LIMIT :most) AS part{at}"
        for at in range(grids)
    )
    return prepared(" UNION ALL ".join(parts), _COLUMNS)


async def count_above(connection: AsyncConnection, township: str, grids: Sequence[str], above: int) -> int:
    """How many records `page` has still to bring of these grids."""
    statement = (
        f"SELECT count(*) FROM records WHERE township_id = :t AND {among(connection, 'place', 'grids', TEXT)} "
        "AND version > :above AND NOT deleted AND NOT closed AND (restricted IS NULL OR NOT restricted)"
    )
    parameters = {"t": township, "grids": many(connection, grids), "above": above}
    return int(await connection.scalar(prepared(statement, "count"), parameters) or 0)


async def places(connection: AsyncConnection, township: str, ids: Sequence[str]) -> dict[str, str]:
    """Where these records lie now; of restricted ones no device is told."""
    if not ids:
        return {}
    condition = among(connection, "record_id", "ids", ID)
    columns = "CAST(record_id AS text) AS record_id, place"
    known = "(restricted IS NULL OR NOT restricted)"
    statement = f"SELECT {columns} FROM records WHERE township_id = :t AND {condition} AND {known}"
    rows = await connection.execute(
        prepared(statement, columns), {"t": township, "ids": many(connection, ids)}
    )
    return {row.record_id: row.place for row in rows}


async def numbers_taken(connection: AsyncConnection, township: str, numbers: Sequence[str]) -> set[str]:
    """Which of these registration numbers some record has."""
    condition = among(connection, "number", "numbers", TEXT)
    statement = f"SELECT number FROM records WHERE township_id = :t AND {condition}"
    rows = await connection.execute(
        prepared(statement, "number"), {"t": township, "numbers": many(connection, numbers)}
    )
    return {row.number for row in rows}


async def digests(connection: AsyncConnection, township: str, grids: Sequence[str]) -> dict[str, Digest]:
    """The digest of what devices hold of each grid, as the writes have kept it."""
    condition = among(connection, "grid", "grids", TEXT)
    columns = "grid, held, digest_high, digest_low"
    statement = f"SELECT {columns} FROM holdings WHERE township_id = :t AND {condition}"
    rows = await connection.execute(
        prepared(statement, columns), {"t": township, "grids": many(connection, grids)}
    )
    found = {row.grid: total(row.held, row.digest_high, row.digest_low) for row in rows}
    return {grid: found.get(grid, Digest(0, "0" * 16)) for grid in grids}
