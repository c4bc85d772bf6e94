"""The push: one transaction takes a queue in. Verdicts are stored with their effect and told after the commit.

Statements, whatever the number of changes: lock the township, the device, changes seen before, the records;
then records and changes written, the device, the counter. Three more where somebody else had changed one of
the records (its history, its open conflicts, the conflicts written).

    order.py    which elements are new, which came before, where one is missing
    judge.py    whether a new one may be merged
    merge.py    what it does to its record (sync_protocol)
    settle.py   what follows from it: registration numbers, exits, conflicts, receipts
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage import changes, conflicts, records, stream, telephones, townships
from server.storage.changes import Stored
from server.storage.townships import Township
from server.sync.draft import Draft, first_verdict
from server.sync.joined import bringing, carrying, with_targets
from server.sync.judge import Accepted, Author, Kinds, Refusal, judge
from server.sync.order import Item, Ordered, is_resend, item, order, under_other_id
from server.sync.pasts import histories
from server.sync.settle import Settled, settle
from server.sync.timeline import Proof, restored
from server.vault.keeping import keys_of
from server.vault.sealing import NOTHING, WHOLE, Contact, contact_of
from server.vault.telephones import of_record
from sync_protocol.changes import Change, fields_of
from sync_protocol.clock import Corrected, Reading, correct
from sync_protocol.codec import Unreadable
from sync_protocol.history import STATE, History, Past
from sync_protocol.ids import is_id
from sync_protocol.joining import past_of, proposed
from sync_protocol.kinds import Kind, Shape
from sync_protocol.limits import Limits
from sync_protocol.merge import merge
from sync_protocol.messages import Unanswered, Verdict
from sync_protocol.outcome import Arrival, Merged
from sync_protocol.registration import Claim, Registered, proof, proven
from sync_protocol.state import RecordState, Writer, born


class Replay(msgspec.Struct, frozen=True):
    """A quarantined change is taken in again: it keeps its own id and time, its row gets another id."""

    key: str
    corrected: Corrected


class Upload(msgspec.Struct, frozen=True):
    """What one request brings. `epoch` and what follows it are a device's; the office has none."""

    author: Author
    changes: list[Change | Unreadable]
    reading: Reading
    epoch: str | None = None
    epochs: dict[str, int] = {}
    lowest: int = 0
    proof: Proof = Proof()
    """What the cursor proves of the timeline that it was given in."""
    numbers: dict[str, Claim] = {}
    """Record to a registration number that it had there."""
    known_only: bool = False
    """Whether only changes that came before are answered: the request may be a replayed one."""
    replay: Replay | None = None
    """Set when the one change of this upload was quarantined before."""


class Own(msgspec.Struct, frozen=True):
    """A record that only this request's changes have moved from version `before` (0: new), as they left it."""

    before: int
    state: RecordState
    changes: tuple[str, ...]


@dataclass(slots=True)
class Pushed:
    """What a push did, to be told once it is committed."""

    township: Township
    ordered: Ordered
    verdicts: list[Verdict] = field(default_factory=list)
    unanswered: list[Unanswered] = field(default_factory=list)
    own: dict[str, Own] = field(default_factory=dict)
    offer_above: int | None = None
    """Set when the device has seen another timeline: offer everything above again."""


@dataclass(slots=True)
class _Batch:
    """One push under way. `head` is the last number given."""

    upload: Upload
    township: Township
    seen: dict[str, Stored]
    ordered: Ordered
    records: dict[str, RecordState]
    histories: dict[str, History]
    orphans: set[str]
    head: int
    before: dict[str, int] = field(default_factory=dict)
    drafts: list[Draft] = field(default_factory=list)
    written: dict[str, list[Draft]] = field(default_factory=dict)

    def history(self, record: str) -> History:
        history = self.histories.get(record)
        if history is None:
            history = self.histories[record] = History()
        return history

    def number(self) -> int:
        self.head += 1
        return self.head


def _telephones(batch: _Batch, contact: Mapping[str, Contact]) -> tuple[dict[str, frozenset[str]], list[str]]:
    """The telephone numbers of the records whose contact was written, and which of those are not new."""
    touched = [
        r for r, drafts in batch.written.items() if _touches(drafts, contact[r]) or not batch.before[r]
    ]
    found = {r: of_record(batch.records[r].stored()[0], contact[r]) for r in touched if not contact[r].none}
    return found, [record for record in found if batch.before[record]]


def _touches(drafts: list[Draft], contact: Contact) -> bool:
    """Whether any of these changes did something to a field with contact."""
    names = {effect.path.partition("/")[0] for draft in drafts for effect in draft.merged.effects}
    return not names.isdisjoint((*contact.fields, *contact.subs))


class Declared(Kinds, Protocol):
    """The kinds, with the newest declaration of each, which has every field."""

    def latest(self, name: str) -> Kind | None:
        """The newest version of a kind; None when there is none."""


def contact_in(name: str, kinds: Declared) -> Contact:
    """What is sealed of a kind; all of one that is not installed any more."""
    kind = kinds.latest(name)
    return contact_of(kind) if kind is not None else WHOLE


async def push(
    connection: AsyncConnection, township: Township, upload: Upload, kinds: Declared, limits: Limits
) -> Pushed:
    """Takes a queue in, inside the caller's transaction, which holds the lock of `township`."""
    batch, offer_above = await _open(connection, township, upload)
    for element, n in batch.ordered.take:
        _take(batch, element, n, kinds, limits)
    now_ms = upload.reading.server_ms
    settled = await settle(connection, batch.township.id, batch.drafts, batch.records, now_ms, _claims(batch))
    own = _number_records(batch)
    await _write(connection, batch, settled, kinds)
    pushed = Pushed(batch.township, batch.ordered, offer_above=offer_above, own=own)
    sent = [draft for draft in batch.drafts if draft.carries is None]
    for element, draft in zip((e for e, _ in batch.ordered.take), sent, strict=True):
        _tell(pushed, element, draft.verdict)
    drafted = {draft.stored_id: draft.verdict for draft in batch.drafts}
    for element, key in batch.ordered.again:
        first = drafted.get(key) or first_verdict(batch.seen[key], element.answers_to)
        _tell(pushed, element, msgspec.structs.replace(first, duplicate=True))
    return pushed


def _tell(pushed: Pushed, element: Item, verdict: Verdict) -> None:
    if element.answers_to is None:
        pushed.unanswered.append(Unanswered(element.index, verdict.code or "unreadable", element.key))
    else:
        number = verdict.number
        key, record = pushed.township.cursor_key, element.change.record
        shown = proof(key, record, number) if number is not None else None
        pushed.verdicts.append(msgspec.structs.replace(verdict, proof=shown) if shown else verdict)


def _claims(batch: _Batch) -> dict[str, Registered]:
    """The registration numbers that records of this push prove to have had."""
    township, numbers = batch.township, batch.upload.numbers
    found = {
        record: proven(township.cursor_key, township.id, record, numbers[record])
        for record in batch.written
        if record in numbers
    }
    return {record: number for record, number in found.items() if number is not None}


async def _open(connection: AsyncConnection, township: Township, upload: Upload) -> tuple[_Batch, int | None]:
    """Reads everything that the changes meet, and notices a restore."""
    items = [item(index, change, upload.author.id) for index, change in enumerate(upload.changes)]
    if upload.replay is not None:
        items = [msgspec.structs.replace(i, key=upload.replay.key, origin=i.key) for i in items]
    named = {name for i in items if isinstance(i.change, Change) for name in i.change.predecessors}
    tip, tip_change = upload.proof.tip, upload.proof.tip_change
    wanted = {i.key for i in items} | named | ({tip_change} if tip else set())
    seen = await changes.by_ids(connection, township.id, sorted(wanted))
    reused = [under_other_id(i).key for i in items if i.key in seen and not is_resend(i, seen)]
    seen |= await changes.by_ids(connection, township.id, reused)
    offer_above = None
    if tip and (tip_change not in seen or seen[tip_change].n != tip):
        now_ms = upload.reading.server_ms
        township, offer_above = await restored(connection, township, upload.author.id, upload.proof, now_ms)
    counter = upload.epochs.get(upload.epoch or "", 0)
    ordered = order(items, seen, counter, upload.lowest)
    if upload.known_only:
        ordered = Ordered(again=ordered.again, counter=counter)
    taken = _surviving(township, ordered)
    wanted = {element.change.record for element, _ in ordered.take if is_id(element.change.record)}
    states = await records.by_ids(connection, township.id, sorted(wanted))
    states = await with_targets(connection, township.id, states, taken)
    known, orphans = await histories(connection, township.id, taken, states, seen, upload.author.id)
    return _Batch(upload, township, seen, ordered, states, known, orphans, township.counter), offer_above


def _surviving(township: Township, ordered: Ordered) -> list[Change]:
    """The new changes, with bases from lost timelines counted as the head they were lost above."""
    if township.lost_spans:
        ordered.take = [(_rebased(element, township), n) for element, n in ordered.take]
    return [element.change for element, _ in ordered.take if isinstance(element.change, Change)]


def _rebased(element: Item, township: Township) -> Item:
    change = element.change
    if isinstance(change, Unreadable):
        return element
    base = township.survived(change.base)
    bases = {path: township.survived(base) for path, base in change.bases.items()}
    if base == change.base and bases == change.bases:
        return element
    rebased = msgspec.structs.replace(change, base=base, bases=bases)
    return msgspec.structs.replace(element, change=rebased, travelled=element.fingerprint)


def _resumed(change: Change, history: History, epoch: str) -> Change:
    """A change whose base a restore took back, made on what its author had seen for certain.

    That is the record's create, whose number is another now, and what the same installation had written
    before it, which it offers again in order. What others had written in the lost span may never come again.
    """
    paths = {*fields_of(change), *(op.path for op in change.ops), *((STATE,) if change.act else ())}
    unnamed = [path for path in sorted(paths) if change.predecessor(path) is None]
    edits = {path: past for path in unnamed if (past := history.last_edit(path)) is not None}
    base = max(change.base, history.created())
    own = {path: past.change.id for path, past in edits.items() if past.epoch == epoch and past.n > base}
    return msgspec.structs.replace(change, base=base, on={**change.on, **own})


def _take(batch: _Batch, element: Item, counter: int, kinds: Kinds, limits: Limits) -> None:
    """Judges and merges one new change."""
    change, author = element.change, batch.upload.author
    state = batch.records.get(change.record)
    history = batch.history(change.record)
    if element.travelled and isinstance(change, Change):
        change = _resumed(change, history, batch.upload.epoch or "")
    verdict = judge(change, author, state, kinds, limits, orphan=change.record in batch.orphans)
    n, reading = batch.number(), batch.upload.reading
    said = (
        (change.at, change.mark, change.since) if isinstance(change, Change) else (reading.device_ms, 0, None)
    )
    seen_stamp = _seen_stamp(change, history, author.id)
    replay = batch.upload.replay
    corrected = correct(*said, reading, seen_stamp) if replay is None else replay.corrected
    draft = Draft(element, author, batch.upload.epoch, counter, n, said[0], reading, corrected)
    batch.drafts.append(draft)
    if isinstance(verdict, Refusal) or isinstance(change, Unreadable):
        draft.refused = verdict if isinstance(verdict, Refusal) else Refusal("unreadable")
        if isinstance(change, Change):
            if change.do == "create" and state is None:
                batch.orphans.add(change.record)
            history.add(
                Past(n, author.id, corrected.stamp_ms, change, quarantined=True, epoch=batch.upload.epoch)
            )
        return
    arrival = Arrival(n, corrected.stamp_ms, author.id, author.role)
    draft.said = verdict.canonical(change)
    draft.merged = _apply(batch, draft.said, verdict, arrival, history, draft)
    effects = tuple(draft.merged.effects)
    history.add(Past(n, author.id, corrected.stamp_ms, draft.said, effects, epoch=batch.upload.epoch))
    _bring(batch, draft, verdict.shape)


def _bring(batch: _Batch, draft: Draft, shape: Shape) -> None:
    """Brings what was done to a joined record to the one that it was joined into, and from there on."""
    what = bringing(draft, batch.records, shape.kind)
    if what is None:
        return
    n = batch.number()
    change, further = carrying(draft, what, n, shape.kind)
    batch.drafts.append(further)
    author, stamp = further.author, further.corrected.stamp_ms
    arrival = Arrival(n, stamp, author.id, author.role)
    past = past_of(change, draft.merged.effects, arrival)
    merged = further.merged = _apply(batch, change, Accepted(shape), arrival, past, further)
    merged.concurrent = True  # no device has seen it, so pages bring what it did
    merged.clashes += proposed(change, what.found, what.target, arrival)
    batch.history(change.record).add(Past(n, author.id, stamp, change, tuple(merged.effects)))
    _bring(batch, further, shape)


def _seen_stamp(change: Change | Unreadable, history: History, by: str) -> int:
    """The greatest stamp of the own earlier changes that a change was made on; 0 where there is none."""
    named = change.predecessors if isinstance(change, Change) else ()
    return max([past.stamp for name in named if (past := history.own(name, by)) is not None], default=0)


def _apply(
    batch: _Batch, change: Change, accepted: Accepted, arrival: Arrival, history: History, draft: Draft
) -> Merged:
    state = batch.records.get(change.record)
    kind = accepted.shape.kind
    draft.kind = kind
    if state is None:
        writer = Writer(arrival.n, arrival.stamp, change.id, arrival.by, arrival.rank)
        state = batch.records[change.record] = born(change, accepted.body, kind, writer)
        batch.before[change.record] = 0
        merged = Merged()
    else:
        batch.before.setdefault(change.record, state.version)
        draft.was = (state.place, state.held)
        merged = merge(state, change, accepted.fields, kind, arrival, history)
        if state.held and not draft.was[1]:
            state.placed = arrival.n  # it comes back whole, whyever it had left
    draft.now, draft.entered = (state.place, state.held), state.state
    draft.restricted = state.restricted
    batch.written.setdefault(change.record, []).append(draft)
    return merged


def _number_records(batch: _Batch) -> dict[str, Own]:
    """Gives every written record its number, and says which of them only this request has moved."""
    own = {}
    for record, drafts in batch.written.items():
        state = batch.records[record]
        state.version = batch.number()
        if {draft.merged.result for draft in drafts} == {"applied"}:
            own[record] = Own(batch.before[record], state, tuple([draft.element.key for draft in drafts]))
    return own


async def _rows(
    connection: AsyncConnection, batch: _Batch, kinds: Declared
) -> tuple[list[Stored], list[Contact]]:
    """The rows of the table of changes, and what of each is sealed; of erased ones nothing is left to be."""
    drafts = batch.drafts
    erased = any(draft.erased for draft in drafts)
    keys = await keys_of(connection, batch.township.id) if erased else None
    contact = [
        NOTHING if draft.erased else contact_in(draft.kind.name, kinds) if draft.kind else WHOLE
        for draft in drafts
    ]
    return [draft.stored(keys) for draft in drafts], contact


async def _write(connection: AsyncConnection, batch: _Batch, settled: Settled, kinds: Declared) -> None:
    township, now_ms = batch.township.id, batch.upload.reading.server_ms
    contact = {record: contact_in(state.kind, kinds) for record, state in batch.records.items()}
    written = [batch.records[record] for record in batch.written]
    await records.write(connection, township, written, now_ms, contact)
    await telephones.put(connection, township, *_telephones(batch, contact))
    await changes.append(connection, township, *await _rows(connection, batch, kinds))
    await conflicts.write(connection, township, settled.conflicts, contact)
    await stream.write_exits(connection, township, settled.exits)
    # Applications and people of the office read the feed and the history; nobody would fetch their receipts.
    listening = await stream.devices_among(connection, township, {author for author, _ in settled.receipts})
    told = [(author, one) for author, one in settled.receipts if author in listening]
    receipts = [(device, msgspec.structs.replace(one, n=batch.number())) for device, one in told]
    await stream.write_receipts(connection, township, receipts)
    if batch.drafts:
        newest = batch.drafts[-1]
        await townships.bump(connection, township, batch.head, newest.n, newest.stored_id)
    gap = batch.ordered.gap
    if gap is not None and batch.upload.epoch is not None:
        author, epoch = batch.upload.author.id, batch.upload.epoch
        await stream.write_gap(connection, township, author, epoch, *gap, now_ms)
