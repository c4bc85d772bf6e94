"""Reads snapshots and problems from the store."""

from collections.abc import Iterator
from functools import partial
from operator import itemgetter
from typing import Any

import msgspec

from client_sdk import editing
from client_sdk.listing import Line, as_stored, that_say
from client_sdk.record import Delivery, Record, snapshot
from client_sdk.store import meta, news, problems, queue, records
from client_sdk.store.database import Tx
from client_sdk.store.store import Store
from sync_protocol.codes import CODES
from sync_protocol.kinds import Kind
from sync_protocol.overlay import Base, Laid, View, lay
from sync_protocol.state import encode_values

RETURNED = "returned"
_NEXT = {
    problems.DIFFERS: (
        "请核对两处内容：保留现值，或重新填报我的内容",
        "compare the two: keep what stands, or submit yours again",
    ),
    RETURNED: ("请按退回意见补正后重新上报", "correct what was asked for, then report it again"),
}


class Differing(msgspec.Struct, frozen=True):
    """One path with two values."""

    own: Any
    """我填的: what this worker wrote."""
    standing: Any
    """What stands."""


class Trouble(msgspec.Struct, frozen=True):
    """What a Problem says, without the way to answer it."""

    id: int
    record: Record
    what: str
    values: dict[str, Differing]
    code: str | None
    reason: str | None
    next_zh: str
    next_en: str


class Reading:
    """Views of one transaction, with what they need read once."""

    def __init__(self, tx: Tx, store: Store) -> None:
        """Reads the kinds and the worker's role."""
        self.tx = tx
        self.kinds = store.kinds(tx)
        profile = meta.profile(tx)
        self.role = profile.worker.role if profile is not None else ""

    def kind(self, name: str) -> Kind:
        """The kind, or a stand-in for one that this device was never told of."""
        return self.kinds.get(name) or records.unknown_kind(name)

    def one(self, record: str) -> Record | None:
        """A record as shown; None when it is not here or was deleted."""
        view = records.view(self.tx, record, self.kinds) if record.isascii() else None
        if view is None or not view.whole or view.deleted:
            return None
        return self._snapshot(view, queue.statuses_of(self.tx, record), problems.troubled(self.tx))

    def partly(self, record: str, seen: Record | None = None) -> Record | None:
        """The same, also of a record that left while its changes wait: those over what was last seen of it."""
        view = records.view(self.tx, record, self.kinds)
        if view is None:
            return None
        if not view.whole and seen is not None:
            base = Base(record, seen.kind, seen.grid, seen.version, seen.values, seen.state, seen.number)
            own: list[Laid] = queue.laid(self.tx, record)
            view = lay(base, own, self.kind(seen.kind), record)
        return self._snapshot(view, queue.statuses_of(self.tx, record), problems.troubled(self.tx))

    def lines(self, kind: str | None = None, grid: str | None = None, text: str | None = None) -> list[Line]:
        """Every record as shown, of a kind, of a grid, or with a text, if they are named, in the order of their ids."""
        if not all(named is None or named.isascii() for named in (kind, grid)):
            return []  # neither has such a name, and a lone surrogate could not even be looked for
        stored = as_stored(text) if text is not None else None
        held = {row[0]: row for row in records.rows(self.tx, kind, grid, stored)}
        laid = {record: own for record, own in queue.all_laid(self.tx).items() if kind in {None, own[0]}}
        statuses, troubled = queue.statuses(self.tx), problems.troubled(self.tx)
        numbers = news.numbers(self.tx)
        lines = [
            self._held(row, statuses.get(id_, set()), troubled, numbers.get(id_))
            for id_, row in held.items()
            if id_ not in laid
        ]
        for id_, (name, own) in laid.items():
            base = records.base_of(held[id_]) if id_ in held else records.base(self.tx, id_)
            view = lay(base, own, self.kind(name), id_)
            if view.whole and not view.deleted and grid in {None, view.place}:
                lines.append(_changed(self._snapshot(view, statuses.get(id_, set()), troubled)))
        lines.sort(key=itemgetter(0))
        return lines if text is None else that_say(lines, text)

    def _held(self, row: tuple[Any, ...], statuses: set[str], troubled: set[str], told: str | None) -> Line:
        """A record without own changes over it, which is nothing but what the pages left."""
        id_, name, _, _, body, state, number = row
        kind = self.kind(name)
        delivery = self._delivery(id_, state, kind, statuses, troubled)
        return Line(
            id_, name, state, number or told, delivery, body, partial(_as_held, row, kind, delivery, told)
        )

    def troubles(self) -> Iterator[Trouble]:
        """Problems, those of changes first, then records that were returned."""
        for row in problems.every(self.tx):
            record = self.partly(row.record) or self._told(row)
            if record is not None:
                yield self._trouble(row, record)
        for line in self.lines():
            if editing.returned(self.kind(line.kind), line.state, self.role):
                why = news.reason(self.tx, line.id, RETURNED)
                yield Trouble(-1, line.make(), RETURNED, {}, None, why, *_NEXT[RETURNED])

    def _trouble(self, row: problems.Row, record: Record) -> Trouble:
        held = records.base(self.tx, row.record)
        values = {
            path: Differing(own, problems.standing(held, path) if held is not None else None)
            for path, own in row.own.items()
        }
        code = CODES.get(row.code or "")
        reason = row.reason or (f"{code.zh} / {code.en}" if code is not None else None)
        words = (code.next_zh, code.next_en) if code is not None else _NEXT[problems.DIFFERS]
        return Trouble(row.id, record, row.what, values, row.code, reason, *words)

    def _told(self, row: problems.Row) -> Record | None:
        """The record of a problem whose change is no longer over it: as it stands or, once it left, what that said."""
        held, own = records.base(self.tx, row.record), queue.get(self.tx, row.change)
        if held is not None:
            view = lay(held, [], self.kind(held.kind), row.record)
        elif own is not None:
            view = lay(None, [Laid(own[0])], self.kind(own[0].kind), row.record)
        else:
            return None
        return self._snapshot(view, set(), {row.record})

    def _snapshot(self, view: View, statuses: set[str], troubled: set[str]) -> Record:
        kind = self.kind(view.kind)
        number = None if view.number is not None else news.number_of(self.tx, view.id)
        delivery = self._delivery(view.id, view.state, kind, statuses, troubled)
        return snapshot(view, kind, delivery, number)

    def _delivery(
        self, record: str, state: str | None, kind: Kind, statuses: set[str], troubled: set[str]
    ) -> Delivery:
        if queue.DRAFT in statuses:
            return "draft"
        if queue.QUARANTINED in statuses or record in troubled:
            return "attention"
        if queue.QUEUED in statuses:
            return "waiting"
        return "attention" if editing.returned(kind, state, self.role) else "received"


def _as_held(row: tuple[Any, ...], kind: Kind, delivery: Delivery, told: str | None) -> Record:
    return snapshot(lay(records.base_of(row), [], kind, row[0]), kind, delivery, told)


def _changed(record: Record) -> Line:
    values = encode_values(record.values)
    return Line(record.id, record.kind, record.state, record.number, record.delivery, values, lambda: record)
