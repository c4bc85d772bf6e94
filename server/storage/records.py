"""Records: read by id for a push, written whole, paged by number for a pull."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec
from sqlalchemy import Row, TextualSelect
from sqlalchemy.ext.asyncio import AsyncConnection

from server.reach import Reach
from server.storage.dialect import ID, TEXT, among, insert_rows, many, prepared
from server.storage.tables import holdings, records
from server.storage.within import within
from server.vault import sealing
from server.vault.keeping import keys_of, opening
from server.vault.sealing import Contact, SealedBody
from server.vault.township import TownshipKeys
from sync_protocol.canonical import Digest, canonical, halves, total
from sync_protocol.state import RecordState

_COLUMNS: Final = (
    "CAST(record_id AS text) AS record_id, version, placed, kind, place, state, number, deleted, closed, "
    "CAST(joined_into AS text) AS joined_into, body, marks, restricted, erased, digest_high, digest_low"
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
    "erased",
    "joined_into",
    "parent_id",
    "digest_high",
    "digest_low",
)
_WRITTEN: Final = ("record_id", "kind", "received_ms", *_REPLACED)
"""What `_row` gives, in order."""
_DIGEST: Final = slice(-2, None)
_VERSION, _BODY, _MARKS = (_WRITTEN.index(name) for name in ("version", "body", "marks"))
_SUMS: Final = ("held", "digest_high", "digest_low")


async def by_ids(connection: AsyncConnection, township: str, ids: Sequence[str]) -> dict[str, RecordState]:
    """The records of these ids that exist, tombstones and closed ones included."""
    if not ids:
        return {}
    statement = f"SELECT {_COLUMNS} FROM records WHERE township_id = :t AND {among(connection, 'record_id', 'ids', ID)}"
    found = await connection.execute(
        prepared(statement, _COLUMNS), {"t": township, "ids": many(connection, ids)}
    )
    return {state.id: state for state in await _states(connection, township, found.all())}


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


async def _states(connection: AsyncConnection, township: str, rows: Sequence[Row[Any]]) -> list[RecordState]:
    """Stored rows as the merge reads them, contact opened."""
    return await opening(connection, township, lambda keys: [state_of(row, keys) for row in rows])


def state_of(row: Row[Any], keys: TownshipKeys) -> RecordState:
    """A stored row as the merge reads it."""
    stored = bytes(row.body), bytes(row.marks)
    body, marks = (sealing.opened(one, keys, row.record_id) for one in stored)
    counted = not (row.deleted or row.closed or row.restricted)
    high, low = _hidden((row.digest_high, row.digest_low), stored, row.record_id, row.version, keys)
    return RecordState(
        row.record_id,
        row.kind,
        row.version,
        row.placed,
        row.place,
        body,
        marks,
        row.state,
        row.number,
        bool(row.deleted),
        bool(row.closed),
        (row.place, high, low) if counted else None,
        joined_into=row.joined_into,
        erased=bool(row.erased),
    )


def _hidden(
    digest: tuple[int, int], stored: tuple[bytes, bytes], record: str, version: int, keys: TownshipKeys
) -> tuple[int, int]:
    """A digest under the pad of its record's version where the row is sealed; twice, it is plain again."""
    if not any(sealing.FENCE in one for one in stored):
        return digest
    high, low = keys.pad(record, version)
    return digest[0] ^ high, digest[1] ^ low


async def selected(
    connection: AsyncConnection, rest: str, parameters: Mapping[str, Any]
) -> list[RecordState]:
    """The records that the rest of a statement finds, from WHERE on; :t is the township.

    For the other modules of this package; `rest` is their text, never a caller's.
    """
    found = await connection.execute(prepared(f"SELECT {_COLUMNS} FROM records {rest}", _COLUMNS), parameters)
    return await _states(connection, parameters["t"], found.all())


async def write(
    connection: AsyncConnection,
    township: str,
    states: Sequence[RecordState],
    received_ms: int,
    contact: Mapping[str, Contact],
) -> dict[str, SealedBody]:
    """Writes records whole, new ones and known ones, and keeps the digests of their grids.

    `contact` says of each record what of it is sealed. Returns the bodies of those of which something was.
    """
    rows = [_row(state, received_ms) for state in states]
    digests = [row[_DIGEST] for row in rows]
    bodies: dict[str, SealedBody] = {}
    if any(not contact[state.id].none for state in states):
        keys = await keys_of(connection, township)
        rows = [_sealed(row, contact[row[0]], keys, bodies) for row in rows]
    new = [row for row, state in zip(rows, states, strict=True) if state.new]
    known = [row for row, state in zip(rows, states, strict=True) if not state.new]
    await insert_rows(connection, records, township, _WRITTEN, new)
    await insert_rows(connection, records, township, _WRITTEN, known, replace=_REPLACED)
    await insert_rows(connection, holdings, township, ("grid", *_SUMS), _counts(states, digests), add=_SUMS)
    return bodies


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
        state.erased,
        state.joined_into,
        state.parent,
        *halves(form),
    )


def _sealed(
    row: tuple[Any, ...], contact: Contact, keys: TownshipKeys, bodies: dict[str, SealedBody]
) -> tuple[Any, ...]:
    """The row of `_row` with contact sealed, and with its digest hidden where there is any; its body in `bodies`."""
    values: list[bytes] = []
    seal = sealing.sealer(keys, row[0], values)
    body = sealing.values(row[_BODY], contact, seal)
    if values:
        bodies[row[0]] = SealedBody(row[_BODY], body, tuple(values))
    marks = sealing.marks(row[_MARKS], contact, seal)
    digest = _hidden(row[_DIGEST], (body, marks), row[0], row[_VERSION], keys)
    return (*row[:_BODY], body, marks, *row[_MARKS + 1 : -2], *digest)


async def reseal(
    connection: AsyncConnection, township: str, after: str, most: int, contact: Callable[[str], Contact]
) -> list[RecordState]:
    """Seals the next `most` records with ids above `after` anew, by what `contact` says of their kinds.

    The caller holds the township's lock. What they say, their versions and digests stay.
    """
    above = "AND record_id > :after " if after else ""
    rest = f"WHERE township_id = :t {above}ORDER BY record_id LIMIT :most"
    named = {"t": township, "most": most, **({"after": after} if after else {})}
    states = await selected(connection, rest, named)
    keys = await keys_of(connection, township)
    rows = [_sealed(_row(state, 0), contact(state.kind), keys, {}) for state in states]
    replaced = ("body", "marks", "digest_high", "digest_low")
    await insert_rows(connection, records, township, _WRITTEN, rows, replace=replaced)
    return states


async def page(
    connection: AsyncConnection,
    township: str,
    grids: Sequence[str],
    above: int,
    most: int,
    skip: tuple[int, int] = (0, 0),
) -> list[RecordState]:
    """Of what devices hold of these grids, the `most` lowest versions above `above`, in order.

    Versions from `skip[0]` to `skip[1]` are left out.
    """
    parameters = {"t": township, "above": above, "most": most, "first": skip[0], "last": skip[1]}
    named = {f"grid{at}": grid for at, grid in enumerate(grids)}
    found = await connection.execute(_page(len(grids)), {**parameters, **named})
    return await _states(connection, township, found.all())


@lru_cache(maxsize=64)
def _page(grids: int) -> TextualSelect:
    """One statement that reads each grid from its index, by turns, and no more of any than the page takes."""
    parts = (
        f"SELECT * FROM (SELECT {_COLUMNS} FROM records WHERE township_id = :t AND place = :grid{at} "
        "AND version > :above AND version NOT BETWEEN :first AND :last AND NOT deleted AND NOT closed "
        "AND (restricted IS NULL OR NOT restricted) "
        f"ORDER BY version LIMIT :most) AS part{at}"
        for at in range(grids)
    )
    return prepared(f"{' UNION ALL '.join(parts)} ORDER BY version LIMIT :most", _COLUMNS)


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
