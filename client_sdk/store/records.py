"""The base: records as the pages left them, each with its digest; and views, with own changes laid over."""

from collections.abc import Collection
from typing import Any

import msgspec

from client_sdk.store import queue
from client_sdk.store.database import Tx
from sync_protocol.canonical import Digest, canonical, halves, total
from sync_protocol.kinds import Kind
from sync_protocol.overlay import Base, View, lay
from sync_protocol.state import decode_values, encode_values

_COLUMNS = "id, kind, place, version, body, state, number"


def base(tx: Tx, record: str) -> Base | None:
    """The record as the pages left it."""
    row = tx.row(f"SELECT {_COLUMNS} FROM records WHERE id = ?", record)
    return base_of(row) if row is not None else None


def put(tx: Tx, held: Base, *, stale: bool) -> None:
    """Writes the base of a record."""
    body = encode_values(held.values)
    high, low = halves(canonical(held.id, held.kind, held.place, held.state, held.number, msgspec.Raw(body)))
    tx.run(
        "INSERT INTO records (id, kind, place, version, state, number, body, stale, high, low)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET kind = excluded.kind,"
        " place = excluded.place, version = excluded.version, state = excluded.state,"
        " number = excluded.number, body = excluded.body, stale = excluded.stale,"
        " high = excluded.high, low = excluded.low",
        held.id,
        held.kind,
        held.place,
        held.version,
        held.state,
        held.number,
        body,
        int(stale),
        high,
        low,
    )


def version(tx: Tx, record: str) -> tuple[int, bool] | None:
    """The version held, and whether it is stale; None when the record is not held."""
    row = tx.row("SELECT version, stale FROM records WHERE id = ?", record)
    return (int(row[0]), bool(row[1])) if row is not None else None


def drop(tx: Tx, record: str, up_to: int) -> bool:
    """Removes a record unless a version above `up_to` is held; whether it was there."""
    return bool(tx.run("DELETE FROM records WHERE id = ? AND version <= ?", record, up_to))


def in_grid(tx: Tx, grid: str, *, stale_only: bool = False) -> list[str]:
    """The ids of the records placed in a grid."""
    condition = " AND stale" if stale_only else ""
    return [row[0] for row in tx.rows(f"SELECT id FROM records WHERE place = ?{condition}", grid)]


def outside(tx: Tx, grids: Collection[str]) -> list[str]:
    """The ids of records placed in none of these grids: damage, since what leaves the scope is dropped."""
    return [id_ for id_, place in tx.rows("SELECT id, place FROM records") if place not in grids]


def remove(tx: Tx, record: str) -> None:
    """Removes a record, whatever its version."""
    tx.run("DELETE FROM records WHERE id = ?", record)


def mark_stale(tx: Tx, grid: str) -> None:
    """What is held of a grid will come again."""
    tx.run("UPDATE records SET stale = 1 WHERE place = ?", grid)


def weighed(tx: Tx) -> dict[str, Digest]:
    """The digest of each grid, made anew from what the records say: damage shows here and not in `digests`."""
    sums: dict[str, list[int]] = {}
    for id_, kind, place, _, body, state, number in tx.rows(f"SELECT {_COLUMNS} FROM records"):
        parts = halves(canonical(id_, kind, place, state, number, msgspec.Raw(bytes(body))))
        grid = sums.setdefault(place, [0, 0, 0])
        grid[:] = [have + more for have, more in zip(grid, (1, *parts), strict=True)]
    return {place: total(*parts) for place, parts in sums.items()}


def digests(tx: Tx) -> dict[str, Digest]:
    """The digest of each grid of which a record is held, as the writes have kept it."""
    rows = tx.rows("SELECT place, count(*), sum(high), sum(low) FROM records GROUP BY place")
    return {place: total(count, high, low) for place, count, high, low in rows}


def view(tx: Tx, record: str, kinds: dict[str, Kind]) -> View | None:
    """The record as shown; None when there is neither a base nor an own change over it."""
    held, own = base(tx, record), queue.laid(tx, record)
    if held is None and not own:
        return None
    name = held.kind if held is not None else own[0].change.kind
    return lay(held, own, kinds.get(name) or unknown_kind(name), record)


def rows(tx: Tx, kind: str | None, grid: str | None, saying: bytes | None) -> list[tuple[Any, ...]]:
    """Every record as the pages left it; `base_of` reads one.

    Of a kind and a grid, and with bytes that stand in its values, as far as they are named.
    """
    wanted = {"kind = ?": kind, "place = ?": grid, "instr(body, ?)": saying}
    conditions = {condition: value for condition, value in wanted.items() if value is not None}
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return tx.rows(f"SELECT {_COLUMNS} FROM records{where}", *conditions.values())


def unknown_kind(name: str) -> Kind:
    """Stands in for a kind that this device was never told of: its records are kept and shown as they are."""
    return msgspec.convert(
        {"name": name, "version": 0, "title": {"zh": name, "en": name}, "fields": {}}, Kind
    )


def base_of(row: tuple[Any, ...]) -> Base:
    """A record of `rows`."""
    id_, kind, place, version_, body, state, number = row
    return Base(id_, kind, place, version_, decode_values(body), state, number)
