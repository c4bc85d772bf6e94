"""The pull: one page of the stream, read in one snapshot.

Records, exits and receipts are one stream by number. A page brings of each lane what lies above its
position, up to a budget of bytes: a record whole when it came into its grid after the lane's base, else the
fields that are newer than the base. Position moves with every page, base only when an answer is complete
(failures, row 29), so a scan under which records change skips nothing.

Exits are always sent. The device, which holds a version of every record, ignores an exit below the version
it holds; leaving exits out here would need to know what the device will be sent later, and a grid revoked
between two pages makes that knowledge wrong (docs/decisions/exits-are-always-sent.md).
"""

from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage import records, stream, townships
from server.storage.townships import Township
from server.sync.batch import Own
from sync_protocol.cursor import Cursor, Lane, fold, rescope, restart, seal
from sync_protocol.erasing import ERASED
from sync_protocol.history import PLACE
from sync_protocol.limits import Limits
from sync_protocol.messages import Exit, Page, PageRecord, Receipt
from sync_protocol.state import RecordState

_RECORD_BYTES: Final = 800
"""A usual record: so many rows are asked for at a time as fill the page with such."""
_OVERHEAD_BYTES: Final = 90
_RECEIPTS_MAX: Final = 500


class Reader(msgspec.Struct, frozen=True):
    """Who reads, from where, and how much."""

    township: str
    device: str
    grids: tuple[str, ...]
    cursor: Cursor | None
    reread: tuple[str, ...] = ()
    page_bytes: int = 0
    own: dict[str, Own] = {}
    """Records that only the changes of this very request have moved."""


@dataclass(slots=True)
class _Filling:
    """A page being filled."""

    budget: int
    records: list[PageRecord] = field(default_factory=list)
    exits: list[Exit] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)

    def full(self) -> bool:
        return self.budget <= 0


async def pull(connection: AsyncConnection, reader: Reader, limits: Limits) -> tuple[Township, Page]:
    """The next page of a reader's stream; raises LookupError for a township never opened."""
    township = await townships.read(connection, reader.township)
    if township is None:
        message = f"township {reader.township} was never opened"
        raise LookupError(message)
    start, dropped, restarted = _start(reader, township)
    filling = _Filling(_budget(reader.page_bytes, limits))
    lanes = [await _lane(connection, reader, lane, township.counter, filling) for lane in start.lanes]
    upto = min((lane.position for lane in lanes), default=township.counter)
    await _receipts(connection, reader, start, upto, filling)
    receipts = filling.receipts[-1].n if filling.receipts else start.receipts
    now = (township.tip, township.tip_change, township.register)
    cursor = Cursor(reader.device, tuple(lanes), receipts, *now)
    complete = not filling.full() and all(lane.position >= township.counter for lane in lanes)
    fresh = _finished(start, lanes, township.counter)
    digests = await records.digests(connection, reader.township, reader.grids) if complete else {}
    left = 0 if complete else await _left(connection, reader.township, lanes)
    cursor = fold(cursor, township.counter) if complete else cursor
    page = Page(
        seal(cursor, township.cursor_key),
        filling.records,
        filling.exits,
        filling.receipts,
        complete,
        restarted,
        fresh,
        dropped,
        digests,
        left,
    )
    return township, page


def _budget(asked: int, limits: Limits) -> int:
    return min(max(asked or limits.page_bytes_default, limits.page_bytes_min), limits.page_bytes_max)


def _start(reader: Reader, township: Township) -> tuple[Cursor, tuple[str, ...], tuple[str, ...]]:
    """Where the page starts, the grids that the device has lost, and those that begin anew with this page."""
    head = township.counter
    cursor, dropped = rescope(reader.cursor, reader.grids, reader.device, head)
    stale = {grid for lane in cursor.lanes if _behind(lane, township.horizon) for grid in lane.grids}
    again = tuple(sorted(stale.union(reader.reread).intersection(reader.grids)))
    if again:
        cursor = restart(cursor, again, head)
    restarted = tuple(sorted(grid for lane in cursor.lanes if lane.position == 0 for grid in lane.grids))
    return cursor, dropped, restarted


def _behind(lane: Lane, horizon: int) -> bool:
    """Whether exits that the lane would have to read may be gone."""
    return max(lane.position, lane.exits_above) < horizon


def _finished(start: Cursor, lanes: list[Lane], head: int) -> tuple[str, ...]:
    """The grids whose first reading reached the head with this page."""
    ends = zip(start.lanes, lanes, strict=True)
    return tuple(
        sorted(g for began, now in ends if began.base == 0 and now.position >= head for g in now.grids)
    )


async def _receipts(
    connection: AsyncConnection, reader: Reader, start: Cursor, upto: int, filling: _Filling
) -> None:
    """Receipts up to `upto`: they never run ahead of their records, and of one elsewhere say only the outcome.

    An erasure names its record everywhere: whatever the device still keeps of it has to go.
    """
    found = await stream.receipts_of(
        connection, reader.township, reader.device, start.receipts, _RECEIPTS_MAX
    )
    places = await records.places(connection, reader.township, [one.record for one in found if one.record])
    for one in found:
        if filling.full() or one.n > upto:
            return
        known = one.outcome == ERASED or places.get(one.record or "") in reader.grids
        receipt = one if known else Receipt(one.n, one.change, one.outcome)
        filling.receipts.append(receipt)
        filling.budget -= len(msgspec.json.encode(receipt))
    if len(found) == _RECEIPTS_MAX:
        filling.budget = 0


async def _lane(
    connection: AsyncConnection, reader: Reader, lane: Lane, head: int, filling: _Filling
) -> Lane:
    """Fills the page from one lane and says how far it came."""
    own, skip = _own(reader, lane)
    position = lane.position
    while position < head and not filling.full():
        most = filling.budget // _RECORD_BYTES + 1
        states = await records.page(connection, reader.township, lane.grids, position, most, skip)
        exits = await stream.exits_of(
            connection, reader.township, lane.grids, max(position, lane.exits_above), most
        )
        upto = min(
            states[-1].version if len(states) == most else head, exits[-1].n if len(exits) == most else head
        )
        found: list[RecordState | Exit] = [*states, *own, *exits]
        for thing in sorted(found, key=_number):
            if not position < _number(thing) <= upto:
                continue
            if filling.full():
                upto = position
                break
            _put(filling, thing, lane, reader.own)
            position = _number(thing)
        position = upto
    return msgspec.structs.replace(lane, position=position)


def _own(reader: Reader, lane: Lane) -> tuple[list[RecordState], tuple[int, int]]:
    """The records that need not be read back, because this very request has just written them, and their numbers.

    Only where all that it wrote in a row is such; should somebody have written one of them since, it comes
    once more with its new version.
    """
    there = [one for one in reader.own.values() if one.state.held and one.state.place in lane.grids]
    versions = sorted(one.state.version for one in reader.own.values())
    in_a_row = bool(versions) and versions[-1] - versions[0] + 1 == len(versions)
    if not in_a_row or any(one.before > lane.base for one in there):
        return [], (0, 0)
    new = [one.state for one in there if one.state.version > lane.position]
    return new, (versions[0], versions[-1])


def _number(thing: RecordState | Exit) -> int:
    return thing.n if isinstance(thing, Exit) else thing.version


def _put(filling: _Filling, thing: RecordState | Exit, lane: Lane, own: dict[str, Own]) -> None:
    if isinstance(thing, Exit):
        filling.exits.append(thing)
        filling.budget -= _OVERHEAD_BYTES
        return
    row = page_record(thing, lane.base, own.get(thing.id))
    filling.records.append(row)
    filling.budget -= (
        _OVERHEAD_BYTES + len(row.fields) + (len(msgspec.json.encode(row.entries)) if row.entries else 0)
    )


def page_record(state: RecordState, base: int, own: Own | None) -> PageRecord:
    """A record as a reader needs it who has everything up to `base`.

    What this very request has changed, and nobody else since `base`, is named instead of sent back.
    """
    if own is not None and own.state.version == state.version and own.before <= base:
        place = state.place if own.before == 0 else ""
        kind = state.kind if own.before == 0 else ""
        return PageRecord(
            state.id, state.version, kind, place, own=own.changes, state=state.state, number=state.number
        )
    if state.placed > base:
        body = msgspec.Raw(state.stored()[0])
        return PageRecord(
            state.id,
            state.version,
            state.kind,
            state.place,
            whole=True,
            fields=body,
            state=state.state,
            number=state.number,
        )
    fields, entries = _newer(state, base)
    moved = state.marks.writer(PLACE).n > base
    return PageRecord(
        state.id,
        state.version,
        place=state.place if moved else "",
        fields=msgspec.Raw(msgspec.json.encode(fields)),
        entries=entries,
        state=state.state,
        number=state.number,
    )


def _newer(state: RecordState, base: int) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The fields, and the entries, that were written above `base`; None where one was cleared or removed."""
    writers, marks = state.marks.writers, state.marks
    reserved = {"", "state", PLACE}
    written = {**marks.fields, **marks.sets}
    fields = {
        name: state.values.get(name)
        for name, at in written.items()
        if writers[at].n > base and name not in reserved
    }
    entries: dict[str, dict[str, Any]] = {}
    for name, known in marks.entries.items():
        for entry, subs in known.items():
            if any(writers[at].n > base for at in subs.values()):
                entries.setdefault(name, {})[entry] = (state.values.get(name) or {}).get(entry)
    for name, gone in marks.removed.items():
        for entry, removed in gone.items():
            if writers[removed.writer].n > base:
                entries.setdefault(name, {})[entry] = None
    return fields, entries


async def _left(connection: AsyncConnection, township: str, lanes: list[Lane]) -> int:
    return sum([await records.count_above(connection, township, lane.grids, lane.position) for lane in lanes])
