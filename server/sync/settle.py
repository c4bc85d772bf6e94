"""What follows from a merge: registration numbers, exits, conflicts, receipts, and the stored change itself."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage import conflicts, stream
from server.storage.changes import Stored
from server.storage.conflicts import BY_RULE, DECIDED, OPEN, Conflict
from server.sync.judge import Author, Refusal
from server.sync.order import Item
from sync_protocol.case import equal
from sync_protocol.changes import Change, encode
from sync_protocol.clock import Corrected, Reading
from sync_protocol.codec import Unreadable
from sync_protocol.history import NUMBER, STATE, Effect
from sync_protocol.ids import uuid8
from sync_protocol.kinds import Kind
from sync_protocol.messages import Exit, Receipt, Verdict
from sync_protocol.outcome import Clash, Merged, Sides
from sync_protocol.standing import value_at
from sync_protocol.state import CREATE, FIELD, RecordState, Writer

SHANGHAI: Final = timezone(timedelta(hours=8), "Asia/Shanghai")
"""The year of a registration number is the township's year; the zone has had no other offset since 1991."""
_GRID_DIGITS: Final = 15
_NO_EFFECTS: Final = b"[]"
_encode: Final = msgspec.json.Encoder().encode
_decode_verdict: Final = msgspec.json.Decoder(Verdict).decode


@dataclass(slots=True)
class Draft:
    """A change on its way into the table: how it came, and what became of it."""

    element: Item
    author: Author
    epoch: str | None
    counter: int
    n: int
    at_ms: int
    reading: Reading
    corrected: Corrected
    said: Change | None = None
    """The change with canonical values; None for one that was refused."""
    refused: Refusal | None = None
    merged: Merged = field(default_factory=Merged)
    kind: Kind | None = None
    was: tuple[str, bool] | None = None
    """Place of the record before, and whether devices held it; None for a new one."""
    now: tuple[str, bool] | None = None
    entered: str | None = None
    """The state of the workflow after it."""
    number: str | None = None
    """The registration number that this change brought."""
    _verdict: Verdict | None = None

    @property
    def stored_id(self) -> str:
        """The id under which the change is stored."""
        return self.element.key

    @property
    def verdict(self) -> Verdict:
        """The first verdict, which is the verdict for ever; asked for only when `settle` has given numbers."""
        if self._verdict is None:
            self._verdict = self._judged()
        return self._verdict

    def _judged(self) -> Verdict:
        answered = self.element.answers_to or self.stored_id
        if self.refused is not None:
            code, where, reason = self.refused.code, self.refused.field, self.refused.reason
            return Verdict(answered, "quarantined", self.n, code, where, reason)
        differs = tuple(sorted({clash.path for clash in self.merged.clashes}))
        return Verdict(answered, self.merged.result, self.n, number=self.number, differs=differs)

    def stored(self) -> Stored:
        """The row of the table of changes."""
        change, verdict = self.element.change, self.verdict
        payload = _payload(self.said or change)
        return Stored(
            change_id=self.stored_id,
            n=self.n,
            record_id=change.record or None,
            author=self.author.id,
            role=self.author.role,
            epoch=self.epoch,
            counter=self.counter,
            at_ms=self.at_ms,
            offset_ms=self.reading.offset_ms,
            uncertainty_ms=self.corrected.uncertainty_ms,
            stamp_ms=self.corrected.stamp_ms,
            received_ms=self.reading.server_ms,
            result=verdict.result,
            code=verdict.code,
            origin=self.element.origin,
            fingerprint=self._fingerprint(payload),
            payload=payload,
            effects=_encode(self.merged.effects) if self.merged.effects else _NO_EFFECTS,
            verdict=b"" if _is_plain(verdict, self.stored_id) else _encode(verdict),
        )

    def _fingerprint(self, payload: bytes) -> bytes:
        """The element's fingerprint; that of the payload where the values travelled in canonical form."""
        change, said = self.element.change, self.said
        if self.element.travelled or said is None or not isinstance(change, Change) or change.ops:
            return self.element.fingerprint
        canonical = bytes(said.fields) == bytes(change.fields)
        return hashlib.sha256(payload).digest() if canonical else self.element.fingerprint


def _plain(change: str, result: str, n: int) -> Verdict:
    """The verdict that says no more than the row of its change."""
    return Verdict(change, result, n)


def _is_plain(verdict: Verdict, change: str) -> bool:
    """Whether the row says it all: `_plain` gives the same verdict."""
    return verdict.id == change and not (verdict.code or verdict.number or verdict.differs)


def first_verdict(row: Stored) -> Verdict:
    """The verdict that a stored change got."""
    return _decode_verdict(row.verdict) if row.verdict else _plain(row.change_id, row.result, row.n)


def _payload(change: Change | Unreadable) -> bytes:
    return encode(change) if isinstance(change, Change) else change.raw


@dataclass(slots=True)
class Settled:
    """Rows that follow from the merges of one push. Receipts are numbered when they are written."""

    conflicts: list[Conflict] = field(default_factory=list)
    exits: list[tuple[str, Exit]] = field(default_factory=list)
    receipts: list[tuple[str, Receipt]] = field(default_factory=list)


async def settle(
    connection: AsyncConnection,
    township: str,
    drafts: Sequence[Draft],
    records: dict[str, RecordState],
    now_ms: int,
) -> Settled:
    """Everything that follows from what was merged."""
    settled = Settled()
    await _register(connection, township, drafts, records, now_ms)
    for draft in drafts:
        if draft.was is not None and draft.now is not None:
            _exit(settled, draft, records[draft.element.change.record])
            _tell_reporter(settled, draft, records[draft.element.change.record])
    clashing = [draft for draft in drafts if draft.merged.clashes]
    deciding = [
        d
        for d in drafts
        if isinstance(d.element.change, Change) and d.element.change.decides and not d.refused
    ]
    if clashing or deciding:
        touched = sorted({draft.element.change.record for draft in [*clashing, *deciding]})
        known = {
            (c.record_id, c.path): c for c in await conflicts.undecided_of(connection, township, touched)
        }
        settled.conflicts = _conflicts(settled, clashing, deciding, known, records, now_ms)
    return settled


async def _register(
    connection: AsyncConnection,
    township: str,
    drafts: Sequence[Draft],
    records: dict[str, RecordState],
    now_ms: int,
) -> None:
    """Gives registration numbers, without gaps, in the order of arrival, in this transaction."""
    year = datetime.fromtimestamp(now_ms / 1000, SHANGHAI).year
    last: int | None = None
    for draft in drafts:
        state = records.get(draft.element.change.record)
        if draft.refused or state is None or state.number is not None or not _numbered(draft):
            continue
        last = (await stream.registered(connection, township, year) if last is None else last) + 1
        state.number = draft.number = f"{township}-{year}-{last:05}"
        draft.merged.effects.append(Effect(NUMBER, None, state.number))
    if last is not None:
        await stream.register(connection, township, year, last)


def _numbered(draft: Draft) -> bool:
    workflow = draft.kind.workflow if draft.kind is not None else None
    entered = workflow.state(draft.entered or "") if workflow is not None else None
    return entered is not None and entered.numbered


def _exit(settled: Settled, draft: Draft, state: RecordState) -> None:
    """An exit for the grid that a record has left, or in which devices no longer hold it."""
    (place, held), (new_place, still_held) = draft.was or ("", False), draft.now or ("", False)
    if not held or len(place) != _GRID_DIGITS or (still_held and new_place == place):
        return
    why = "moved" if new_place != place else "deleted" if state.deleted else "closed"
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
    if writer.rank == FIELD:
        record, by, at = draft.element.change.record, draft.author.id, draft.reading.server_ms
        settled.receipts.append((writer.by, Receipt(0, writer.change, outcome, record, path, by, reason, at)))
