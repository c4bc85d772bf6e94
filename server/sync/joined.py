"""Joined records in a push: which change brings what happened to the absorbed one to the surviving one.

What decides is sync_protocol/joining.py. The change that it makes is one more of the push: it has a number and
a row of its own, with the absorbed record as its author and the change that it brings as its origin.
"""

import hashlib
from collections.abc import Sequence

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage import records
from server.storage.changes import Stored
from server.sync.draft import Draft
from server.sync.judge import Author
from server.sync.order import Item
from sync_protocol.changes import Change
from sync_protocol.history import INTO
from sync_protocol.ids import is_id, uuid8
from sync_protocol.joining import Brought, brought, holding, withdrawn
from sync_protocol.kinds import Kind
from sync_protocol.state import RecordState


class Bringing(msgspec.Struct, frozen=True):
    """What one change to `source` brings to `target`."""

    source: RecordState
    target: RecordState
    found: Brought


async def with_targets(
    connection: AsyncConnection, township: str, states: dict[str, RecordState], taken: Sequence[Change]
) -> dict[str, RecordState]:
    """The same records with those that they were, or are to be, joined into: one read for each join on the way."""
    found = dict(states)
    wanted = {change.into for change in taken if change.into and is_id(change.into)}
    wanted |= _targets(states)
    while missing := sorted(wanted - found.keys()):
        fresh = await records.by_ids(connection, township, missing)
        found |= fresh
        wanted = _targets(fresh)
    return found


def _targets(states: dict[str, RecordState]) -> set[str]:
    return {state.joined_into for state in states.values() if state.joined_into is not None}


def bringing(draft: Draft, states: dict[str, RecordState], kind: Kind) -> Bringing | None:
    """What a change that was just merged brings to another record; None where it brings nothing."""
    source = states[draft.element.change.record]
    moved = next((effect for effect in draft.merged.effects if effect.path == INTO), None)
    leaves = moved is not None and moved.before is not None
    target = states.get((moved.before if moved is not None and leaves else source.joined_into) or "")
    if target is None or target.deleted or target.id in _passed(draft):
        return None
    if leaves:
        found = withdrawn(source, target, kind)
    elif source.restricted and not target.restricted:
        return None  # what is for named people only does not get out by a join
    else:
        effects = holding(source, kind) if moved is not None else draft.merged.effects
        found = brought(effects, source, target, kind)
    return None if found.nothing else Bringing(source, target, found)


def _passed(draft: Draft) -> set[str]:
    """The records that a change has come through."""
    passed, link = {draft.element.change.record}, draft.carries
    while link is not None:
        passed.add(link.element.change.record)
        link = link.carries
    return passed


def carrying(draft: Draft, what: Bringing, n: int, kind: Kind) -> tuple[Change, Draft]:
    """The change that brings it, on its way into the table. It has seen the surviving record as it stands."""
    key = uuid8(hashlib.sha256(f"joined/{draft.stored_id}/{what.target.id}".encode()).digest())
    change = Change(
        id=key,
        record=what.target.id,
        kind=kind.name,
        version=kind.version,
        n=0,
        at=draft.at_ms,
        base=what.target.version,
        bases=what.found.bases,
        ops=what.found.ops,
    )
    author = Author(what.source.id, draft.author.township, draft.author.role, None)
    element = Item(draft.element.index, key, change, origin=draft.stored_id)
    how = (draft.at_ms, draft.reading, draft.corrected, change)
    return change, Draft(element, author, None, 0, n, *how, kind=kind, carries=draft)


def is_carried(row: Stored, change: Change | None) -> bool:
    """Whether a stored change was brought from a joined record; a replay says the id of what it takes in again."""
    return row.origin is not None and change is not None and change.id == row.change_id
