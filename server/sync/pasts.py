"""What the merge has to know of the past: the history of records that somebody has moved on."""

from typing import Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage import changes
from server.storage.changes import Stored
from sync_protocol.changes import Change
from sync_protocol.changes import decode as decode_change
from sync_protocol.history import Effect, History, Past
from sync_protocol.state import RecordState

_decode_effects: Final = msgspec.json.Decoder(tuple[Effect, ...]).decode


async def histories(
    connection: AsyncConnection,
    township: str,
    taken: list[Change],
    states: dict[str, RecordState],
    seen: dict[str, Stored],
    author: str,
) -> tuple[dict[str, History], set[str]]:
    """The history of records that moved since their author looked, and those whose own create is quarantined.

    A chain was begun on a page that only its first changes name, so with a predecessor all history counts.
    """
    chained = {c.record for c in taken if c.predecessors & seen.keys()}
    moved = chained | {c.record for c in taken if c.record in states and states[c.record].version > c.base}
    created = {c.record for c in taken if c.do == "create"}
    missing = {c.record for c in taken if c.record not in states} - created
    bases = (0 if c.predecessors else min([c.base, *c.bases.values()]) for c in taken if c.record in moved)
    above = min(bases, default=0)
    rows = await changes.of_records(connection, township, sorted(moved), above)
    of_missing = await changes.of_records(connection, township, sorted(missing))
    orphans = {row.record_id for row in of_missing if row.author == author and _creates(row)}
    pasts: dict[str, list[Past]] = {record: [] for record in moved}
    for row in [*rows, *(s for s in seen.values() if s.n <= above or s.record_id not in moved)]:
        past = past_of(row)
        if past is not None and row.record_id is not None:
            pasts.setdefault(row.record_id, []).append(past)
    return {record: History(found) for record, found in pasts.items()}, {r for r in orphans if r is not None}


def _creates(row: Stored) -> bool:
    past = past_of(row)
    return past is not None and past.change.do == "create"


def past_of(row: Stored) -> Past | None:
    """A stored change as the merge reads it; None for one that could not be decoded when it came."""
    try:
        change = decode_change(row.payload)
    except (ValueError, RecursionError):
        return None
    effects = _decode_effects(row.effects)
    return Past(
        row.n, row.author, row.stamp_ms, change, effects, quarantined=row.quarantined, epoch=row.epoch
    )
