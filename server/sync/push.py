"""The push: one transaction takes a queue in. Verdicts are stored with their effect and told after the commit.

Statements, whatever the number of changes: lock the township, the device, changes seen before, the records;
then records and changes written, the device, the counter. Three more where somebody else had changed one of
the records (its history, its open conflicts, the conflicts written).

    opening.py  what they meet
    order.py    which elements are new, which came before, where one is missing
    judge.py    whether a new one may be merged
    merge.py    what it does to its record (sync_protocol)
    settle.py   what follows from it: registration numbers, exits, conflicts, receipts
    writing.py  the rows of all that
"""

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage.townships import Township
from server.sync.batch import Batch, Own, Pushed, Upload
from server.sync.draft import Draft, first_verdict
from server.sync.joined import bringing, carrying
from server.sync.judge import Accepted, Kinds, Refusal, judge
from server.sync.opening import open_batch, resumed
from server.sync.order import Item
from server.sync.settle import settle
from server.sync.writing import Declared, write
from sync_protocol.changes import Change
from sync_protocol.clock import correct
from sync_protocol.codec import Unreadable
from sync_protocol.history import History, Past
from sync_protocol.joining import past_of, proposed
from sync_protocol.kinds import Shape
from sync_protocol.limits import Limits
from sync_protocol.merge import merge
from sync_protocol.messages import Unanswered, Verdict
from sync_protocol.outcome import Arrival, Merged
from sync_protocol.registration import Registered, proof, proven
from sync_protocol.state import Writer, born


async def push(
    connection: AsyncConnection, township: Township, upload: Upload, kinds: Declared, limits: Limits
) -> Pushed:
    """Takes a queue in, inside the caller's transaction, which holds the lock of `township`."""
    batch, offer_above = await open_batch(connection, township, upload)
    for element, n in batch.ordered.take:
        _take(batch, element, n, kinds, limits)
    now_ms = upload.reading.server_ms
    settled = await settle(connection, batch.township, batch.drafts, batch.records, now_ms, _claims(batch))
    own = _number_records(batch)
    await write(connection, batch, settled, kinds)
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


def _claims(batch: Batch) -> dict[str, Registered]:
    """The registration numbers that records of this push prove to have had."""
    township, numbers = batch.township, batch.upload.numbers
    found = {
        record: proven(township.cursor_key, township.id, record, numbers[record])
        for record in {draft.element.change.record for draft in batch.drafts} & numbers.keys()
    }
    return {record: number for record, number in found.items() if number is not None}


def _take(batch: Batch, element: Item, counter: int, kinds: Kinds, limits: Limits) -> None:
    """Judges and merges one new change."""
    change, author = element.change, batch.upload.author
    state = batch.records.get(change.record)
    history = batch.history(change.record)
    if element.travelled and isinstance(change, Change):
        change = resumed(change, history, batch.upload.epoch or "")
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


def _bring(batch: Batch, draft: Draft, shape: Shape) -> None:
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
    batch: Batch, change: Change, accepted: Accepted, arrival: Arrival, history: History, draft: Draft
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


def _number_records(batch: Batch) -> dict[str, Own]:
    """Gives every written record its number, and says which of them only this request has moved."""
    own = {}
    for record, drafts in batch.written.items():
        state = batch.records[record]
        state.version = batch.number()
        if {draft.merged.result for draft in drafts} == {"applied"}:
            own[record] = Own(batch.before[record], state, tuple([draft.element.key for draft in drafts]))
    return own
