"""What follows from a merge: registration numbers, exits, conflicts, receipts."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage import conflicts
from server.storage.conflicts import BY_RULE, DECIDED, OPEN, Conflict
from server.storage.townships import Township
from server.sync.draft import Draft
from server.sync.register import Claims, give_numbers
from sync_protocol.case import equal
from sync_protocol.changes import Change
from sync_protocol.history import INTO, STATE
from sync_protocol.ids import uuid8
from sync_protocol.joining import JOINED
from sync_protocol.messages import Exit, Receipt
from sync_protocol.outcome import Clash, Sides
from sync_protocol.standing import value_at
from sync_protocol.state import CREATE, FIELD, RecordState, Writer

_GRID_DIGITS: Final = 15


@dataclass(slots=True)
class Settled:
    """Rows that follow from the merges of one push. Receipts are numbered when they are written."""

    conflicts: list[Conflict] = field(default_factory=list)
    exits: list[tuple[str, Exit]] = field(default_factory=list)
    receipts: list[tuple[str, Receipt]] = field(default_factory=list)


async def settle(
    connection: AsyncConnection,
    township: Township,
    drafts: Sequence[Draft],
    records: dict[str, RecordState],
    now_ms: int,
    claims: Claims,
) -> Settled:
    """Everything that follows from what was merged."""
    settled = Settled()
    await give_numbers(connection, township, drafts, records, now_ms, claims)
    for draft in drafts:
        if draft.was is not None and draft.now is not None:
            _exit(settled, draft, records[draft.element.change.record])
            _tell_reporter(settled, draft, records[draft.element.change.record])
        if draft.carries is not None and draft.carries.carries is None:
            _tell_carried(settled, draft.carries)
    clashing = [draft for draft in drafts if draft.merged.clashes]
    deciding = [
        d
        for d in drafts
        if isinstance(d.element.change, Change) and d.element.change.decides and not d.refused
    ]
    if clashing or deciding:
        touched = sorted({draft.element.change.record for draft in [*clashing, *deciding]})
        known = {
            (c.record_id, c.path): c for c in await conflicts.undecided_of(connection, township.id, touched)
        }
        settled.conflicts = _conflicts(settled, clashing, deciding, known, records, now_ms)
    return settled


def _exit(settled: Settled, draft: Draft, state: RecordState) -> None:
    """An exit for the grid that a record has left, or in which devices no longer hold it."""
    (place, held), (new_place, still_held) = draft.was or ("", False), draft.now or ("", False)
    if not held or len(place) != _GRID_DIGITS or (still_held and new_place == place):
        return
    why = "moved" if new_place != place else "deleted" if state.deleted else "closed"
    if state.restricted:
        why = "restricted"
    # A device of the old grid may learn how a matter ended, but nothing of one that is elsewhere now.
    final = (state.state, state.number) if why == "closed" else (None, None)
    settled.exits.append((place, Exit(state.id, draft.n, why, *final)))


def _conflicts(
    settled: Settled,
    clashing: Sequence[Draft],
    deciding: Sequence[Draft],
    known: dict[tuple[str, str], Conflict],
    records: dict[str, RecordState],
    now_ms: int,
) -> list[Conflict]:
    """The conflict rows to write: new ones, joined ones, decided ones."""
    written: dict[tuple[str, str], Conflict] = {}
    for draft in clashing:
        for clash in draft.merged.clashes:
            key = (draft.element.change.record, clash.path)
            open_one = written.get(key) or known.get(key)
            written[key] = _joined(open_one, clash) if open_one else _opened(draft, clash, now_ms)
            if clash.by_rule:
                _tell_displaced(settled, draft, clash)
    for draft in deciding:
        change = draft.element.change
        for key, conflict in {**known, **written}.items():
            named = isinstance(change, Change) and conflict.conflict_id == change.decides
            if named and not _is_lost(draft, conflict.path):
                decided = msgspec.structs.replace(
                    conflict, status=DECIDED, decided_ms=now_ms, decision=draft.stored_id
                )
                written[key] = decided
                _tell_sides(settled, draft, decided, value_at(records[key[0]], key[1]))
    return list(written.values())


def _is_lost(draft: Draft, path: str) -> bool:
    """Whether a decision met, on its path, what the office had not seen: then it is one value more to decide on."""
    return any(
        clash.path == path and clash.standing.writer.change != draft.element.change.id
        for clash in draft.merged.clashes
    )


def _opened(draft: Draft, clash: Clash, now_ms: int) -> Conflict:
    sides = Sides(clash.base, (clash.standing, clash.other))
    name = f"{draft.stored_id}/{clash.path}".encode()
    status = BY_RULE if clash.by_rule else OPEN
    record = draft.element.change.record
    conflict = uuid8(hashlib.sha256(name).digest())
    return Conflict(conflict, draft.n, record, clash.path, clash.rule, status, sides, now_ms)


def _joined(conflict: Conflict, clash: Clash) -> Conflict:
    status = conflict.status if clash.by_rule else OPEN
    return msgspec.structs.replace(conflict, sides=conflict.sides.joined(clash), status=status)


def _tell_reporter(settled: Settled, draft: Draft, state: RecordState) -> None:
    """Whoever reported a record is told what the office does with it and why (failures, row 24)."""
    change, reporter = draft.element.change, state.marks.writers[CREATE]
    if not isinstance(change, Change) or change.act is None or draft.entered != change.act.to:
        return
    if reporter.by != draft.author.id:
        reason = change.reason or change.act.note
        _receipt(settled, reporter, draft, STATE, change.act.to, reason)


def _tell_carried(settled: Settled, draft: Draft) -> None:
    """Whoever wrote to a joined record is told that it went on to the other one, of which nothing is said."""
    change, author = draft.element.change, draft.author
    if isinstance(change, Change) and change.into is None and not draft.restricted:
        at = draft.reading.server_ms
        settled.receipts.append((author.id, Receipt(0, change.id, JOINED, change.record, INTO, at=at)))


def _tell_displaced(settled: Settled, draft: Draft, clash: Clash) -> None:
    """The author of a value that stood, and was displaced by rule, is told; the newcomer has its verdict."""
    loser = clash.other.writer
    if loser.change != draft.stored_id:
        _receipt(settled, loser, draft, clash.path, "not_kept", None)


def _tell_sides(settled: Settled, draft: Draft, conflict: Conflict, stands: Any) -> None:
    """Every author of a value is told whether theirs stands now, and why.

    A decision for what stood already changes nothing, so the record is asked, not the decision's effects.
    """
    change = draft.element.change
    reason = change.reason if isinstance(change, Change) and change.reason else None
    for side in conflict.sides.values:
        outcome = "kept" if equal(side.value, stands) else "not_kept"
        _receipt(settled, side.writer, draft, conflict.path, outcome, reason)


def _receipt(
    settled: Settled, writer: Writer, draft: Draft, path: str, outcome: str, reason: str | None
) -> None:
    if writer.rank == FIELD and not draft.restricted:  # of a restricted one, no device hears more
        record, by, at = draft.element.change.record, draft.author.id, draft.reading.server_ms
        settled.receipts.append((writer.by, Receipt(0, writer.change, outcome, record, path, by, reason, at)))
