"""Saves: every one is a single local transaction that puts a change into the queue (G2)."""

import dataclasses
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import msgspec

from client_sdk import editing
from client_sdk.editing import NewId
from client_sdk.reading import Reading
from client_sdk.record import Record
from client_sdk.store import meta, news, problems, queue
from client_sdk.store.database import Tx
from client_sdk.store.store import Store
from client_sdk.syncing import not_enrolled
from sync_protocol.errors import InvalidRecord, NotFound
from sync_protocol.kinds import Kind
from sync_protocol.messages import Profile
from sync_protocol.overlay import Parts, Sight, cause, paths

Seen = Record | str
Make = Callable[[Kind, Record, str], Parts | None]
"""What an edit says, from the kind, the snapshot that was seen, and the worker's role."""


class Saving:
    """Saves into one store."""

    def __init__(self, store: Store, clock: Callable[[], int], new_id: NewId) -> None:
        """`clock` is the device's, in milliseconds since 1970."""
        self._store, self._clock, self._new_id = store, clock, new_id
        self._made: set[str] = set()
        """Records made since this opening: whoever typed them goes on, also where the store is closed to its worker."""

    def create(self, kind: str, grid: str | None, values: Mapping[str, Any], *, draft: bool) -> Record:
        """A new record in one of the device's grids; the only one when none is named."""
        with self._store.take() as tx:
            reading, profile = Reading(tx, self._store), _profile(tx)
            declared = _declared(reading, kind)
            place = _place(profile, grid)
            parts = editing.create(declared, profile.worker.role, values, place, self._new_id)
            record = self._new_id()
            self._append(tx, declared, record, parts, Sight(), None, draft=draft)
            news.watch(tx, record, kind)
            made = _found(reading.one(record))
        self._made.add(record)
        return made

    def edit(self, seen: Seen, base: Record | int | None, make: Make, reason: str | None = None) -> Record:
        """An edit of what was seen. Gives the record as it is shown now, the same snapshot for no change."""
        with self._writing(seen) as tx:
            reading = Reading(tx, self._store)
            snapshot = _snapshot(reading, seen, base)
            kind = _declared(reading, snapshot.kind)
            parts = make(kind, snapshot, reading.role)
            if parts is None:
                return snapshot
            held_back = queue.held_back(tx, snapshot.id)
            self._append(tx, kind, snapshot.id, parts, snapshot.sight, reason, draft=held_back)
            problems.edited(tx, snapshot.id, paths(parts))
            return _found(reading.partly(snapshot.id, snapshot))

    def submit(self, record: str) -> Record:
        """Sends a draft on its way."""
        with self._writing(record) as tx:
            _found(Reading(tx, self._store).one(record))
            queue.release(tx, record)
            return _found(Reading(tx, self._store).one(record))

    def delete(self, seen: Seen, base: Record | int | None) -> None:
        """Deletes a record; a draft is torn up, a numbered record is refused: it can only be voided."""
        with self._store.write() as tx:
            reading = Reading(tx, self._store)
            snapshot = _snapshot(reading, seen, base)
            if queue.held_back(tx, snapshot.id):
                queue.tear_up(tx, snapshot.id)
                news.unwatch(tx, snapshot.id)
                return
            if snapshot.number is not None:
                raise InvalidRecord(
                    "number",
                    "已登记编号，只能由镇里作废 / a numbered record is voided by the office, not deleted",
                )
            kind = _declared(reading, snapshot.kind)
            self._append(tx, kind, snapshot.id, Parts("delete"), snapshot.sight, None, draft=False)

    def _writing(self, seen: Seen) -> AbstractContextManager[Tx]:
        record = seen.id if isinstance(seen, Record) else seen
        return self._store.take() if record in self._made else self._store.write()

    def _append(
        self, tx: Tx, kind: Kind, record: str, parts: Parts, sight: Sight, reason: str | None, *, draft: bool
    ) -> None:
        contact, at_ms = meta.contact(tx), self._clock()
        change = editing.change_of(
            parts,
            cause(sight, parts),
            kind,
            record,
            id_=self._new_id(),
            at_ms=at_ms,
            mark_ms=contact.server_ms if contact is not None else 0,
            since_ms=at_ms - contact.device_ms if contact is not None else None,
            reason=reason,
        )
        queue.append(tx, change, draft=draft)


def _profile(tx: Tx) -> Profile:
    profile = meta.profile(tx)
    if profile is None:
        raise not_enrolled()
    return profile


def _place(profile: Profile, grid: str | None) -> str:
    """The grid of a new record."""
    own = [one.code for one in profile.grids]
    if grid is None and len(own) == 1:
        return own[0]
    if grid not in own:
        listed = "、".join(own) or "-"
        raise InvalidRecord("grid", f"请选择本机负责的网格：{listed} / name one of this device's grids")
    return grid


def _declared(reading: Reading, name: str) -> Kind:
    kind = reading.kinds.get(name)
    if kind is None:
        if not reading.role:
            raise not_enrolled()
        listed = ", ".join(sorted(reading.kinds))
        raise InvalidRecord("kind", f"没有这种表单 / there is no kind {name}; there are: {listed}")
    return kind


def _snapshot(reading: Reading, seen: Seen, base: Record | int | None) -> Record:
    """What the user saw.

    A bare version says which of the others' values were on the screen; the device's own were there anyway.
    """
    if isinstance(seen, Record):
        return seen
    if isinstance(base, Record) and base.id == seen:
        return base
    if isinstance(base, bool) or not isinstance(base, int):
        message = "an edit by id needs base=: the Record that the user saw, or its version"
        raise TypeError(message)
    if base < 0:
        raise InvalidRecord(
            "base",
            "版本不能小于 0 / a version is 0 or above: pass the Record that the user saw, or its version",
        )
    now = _found(reading.one(seen))
    bases = {path: n for path, n in now.sight.bases.items() if n <= base}
    sight = msgspec.structs.replace(now.sight, version=min(base, now.version), bases=bases)
    return dataclasses.replace(now, _sight=sight)


def _found(record: Record | None) -> Record:
    if record is None:
        message = "没有这条记录，可能已移出或办结 / there is no such record on this device; it may have left or closed"
        raise NotFound(message)
    return record
