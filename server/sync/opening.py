"""How a push begins: everything that its changes meet is read, and a restore of the server is noticed.

A change that was made on what a restore took back is counted as made on what survived it.
"""

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage import changes, records
from server.storage.townships import Township
from server.sync.batch import Batch, Upload
from server.sync.joined import with_targets
from server.sync.order import Item, Ordered, is_resend, item, order, under_other_id
from server.sync.pasts import histories
from server.sync.timeline import restored
from sync_protocol.changes import Change, fields_of
from sync_protocol.codec import Unreadable
from sync_protocol.history import STATE, History
from sync_protocol.ids import is_id


async def open_batch(
    connection: AsyncConnection, township: Township, upload: Upload
) -> tuple[Batch, int | None]:
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
    is_lost = tip and (tip_change not in seen or seen[tip_change].n != tip)
    if is_lost or township.lacks(upload.proof.head):
        now_ms = upload.reading.server_ms
        township = await restored(connection, township, upload.author.id, upload.proof, now_ms)
        # A change that stands where it stood proves that numbers up to it mean what they meant to the device. Of those
        # below a change that is lost nobody can tell: others may have been given them before the restore was noticed.
        offer_above = 0 if is_lost else tip
    counter = upload.epochs.get(upload.epoch or "", 0)
    ordered = order(items, seen, counter, upload.lowest)
    # What a device brings with the request that shows a restore may build on what was lost: before it comes what is
    # offered again, in the device's next request. That the counter goes on proves nothing, since a copy of the device
    # may have counted here too. Of a revoked one everything waits for the office anyway; it gets no page, and a
    # program that does not know the answer's `cursor` would never hand in.
    unfounded = offer_above is not None and not upload.author.revoked
    if upload.known_only or unfounded:
        ordered = Ordered(again=ordered.again, counter=counter)
    taken = _surviving(township, ordered)
    wanted = {element.change.record for element, _ in ordered.take if is_id(element.change.record)}
    states = await records.by_ids(connection, township.id, sorted(wanted))
    states = await with_targets(connection, township.id, states, taken)
    known, orphans = await histories(connection, township.id, taken, states, seen, upload.author.id)
    return Batch(upload, township, seen, ordered, states, known, orphans, township.counter), offer_above


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


def resumed(change: Change, history: History, epoch: str) -> Change:
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
