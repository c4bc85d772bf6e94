"""Erases records: their values go, wherever they are written, in one transaction.

    the record         a tombstone: id, kind, place, state and number stay
    its changes        id, number, times, outcome and a keyed fingerprint stay
    conflicts, receipts, assignments, words of holds
    devices            an exit to the grid that holds it, a receipt to every device that ever wrote it
    the erasure        a change of its own, so that every reader of the feed learns of it

What waits for the list outside the database is marked so in the same transaction (`listing.py`).
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.audit.acts import Actor
from server.storage import changes, erasing, erasures, records, stream, townships
from server.storage.changes import Stored
from server.storage.erasing import Written
from server.storage.erasures import Erasure
from server.storage.townships import Township
from server.vault.keeping import keys_of
from server.vault.sealing import NOTHING
from server.vault.township import TownshipKeys
from sync_protocol.erasing import ERASED, blank
from sync_protocol.ids import place_level, uuid8
from sync_protocol.messages import Exit, Receipt
from sync_protocol.state import OFFICE, RecordState, Writer

_ROLE: Final = "administrator"


class Order(msgspec.Struct, frozen=True):
    """Why records are erased, by whom and when: the server's time in milliseconds since 1970 UTC."""

    cause: str
    """`asked` or `retention`."""
    reason: str
    by: Actor
    now_ms: int


class _Numbers:
    """Gives numbers of the township, in order."""

    def __init__(self, counter: int) -> None:
        self.last = counter

    def next(self) -> int:
        self.last += 1
        return self.last


async def erase(
    connection: AsyncConnection, township: Township, states: Sequence[RecordState], order: Order
) -> list[Erasure]:
    """Erases records that are not erased yet; the caller holds the township's lock and has looked for holds."""
    if not states:
        return []
    ids = [state.id for state in states]
    written = await erasing.blank_changes(connection, township.id, ids)
    await erasing.blank_conflicts(connection, township.id, ids)
    await erasing.blank_receipts(connection, township.id, written)
    await erasing.forget_words(connection, township.id, ids)
    numbers = _Numbers(township.counter)
    keys = await keys_of(connection, township.id)
    rows = {state.id: _change(township, keys, state.id, numbers.next(), order) for state in states}
    exits = [one for state in states for one in _exit(state, rows[state.id].n)]
    for state in states:
        row = rows[state.id]
        blank(state, Writer(row.n, row.stamp_ms, row.change_id, row.author, OFFICE))
    for state in states:
        state.version = numbers.next()
    nothing = {state.id: NOTHING for state in states}
    await records.write(connection, township.id, states, order.now_ms, nothing)
    await changes.append(connection, township.id, list(rows.values()), list(nothing.values()))
    await stream.write_exits(connection, township.id, exits)
    await stream.write_receipts(connection, township.id, _receipts(written, numbers, order.now_ms))
    newest = rows[states[-1].id]
    await townships.bump(connection, township.id, numbers.last, newest.n, newest.change_id)
    done = [_erasure(township.id, state, order) for state in states]
    await erasures.add(connection, township.id, done)
    return done


def _change(township: Township, keys: TownshipKeys, record: str, n: int, order: Order) -> Stored:
    """The erasure as a change of its record. It says nothing; who did it is in the audit as well."""
    author = order.by.id if order.by.sort in {"person", "application"} else township.identity
    key = erasing.keyed(keys, f"{record} {n}".encode())
    return Stored(
        change_id=uuid8(key),
        n=n,
        record_id=record,
        author=author,
        role=_ROLE,
        epoch=None,
        counter=0,
        at_ms=order.now_ms,
        offset_ms=0,
        uncertainty_ms=0,
        stamp_ms=order.now_ms,
        received_ms=order.now_ms,
        result=ERASED,
        code=None,
        origin=None,
        fingerprint=key,
        payload=b"",
        effects=b"[]",
        verdict=b"",
    )


def _exit(state: RecordState, n: int) -> list[tuple[str, Exit]]:
    """The exit of a record that devices hold; others have left already."""
    held = state.held and place_level(state.place) == "grid"
    return [(state.place, Exit(state.id, n, ERASED))] if held else []


def _receipts(written: Sequence[Written], numbers: _Numbers, now_ms: int) -> list[tuple[str, Receipt]]:
    """To each device that ever wrote one of the records: what it still keeps of it has to go."""
    last: Mapping[tuple[str, str], Written] = {
        (one.author, one.record_id): one for one in written if one.of_device
    }
    return [
        (device, Receipt(numbers.next(), one.change_id, ERASED, record, at=now_ms))
        for (device, record), one in last.items()
    ]


def _erasure(township: str, state: RecordState, order: Order) -> Erasure:
    return Erasure(
        township,
        state.id,
        state.kind,
        state.number,
        order.cause,
        order.reason,
        str(order.by),
        order.now_ms,
    )
