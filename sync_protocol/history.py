"""What happened to one record after a given version, as far as a merge needs to know.

A `Past` is one stored change with what it did. The server keeps every one; a merge gets those of the
record that are newer than the base of the change at hand, and those which it names as predecessors.
"""

from typing import Any, Final

import msgspec

from sync_protocol.changes import Add, Change, Put, Remove, fields_of


class Absent:
    """The value of a path of which nothing is known, as distinct from None, a cleared value."""


ABSENT: Final = Absent()
REMOVED: Final = None
EXISTENCE: Final = ""
"""The path of the record itself: deleted or not."""
STATE: Final = "state"
PLACE: Final = "place"
NUMBER: Final = "number"


class Effect(msgspec.Struct, frozen=True, array_like=True):
    """What one change did to one path: from what, to what."""

    path: str
    before: Any
    after: Any


class Past(msgspec.Struct, frozen=True):
    """A stored change: its number, its author, its stamp, and its effects (none where it had none).

    A quarantined one is no part of the record, but a later change may have been made on what it shows.
    """

    n: int
    by: str
    stamp: int
    change: Change
    effects: tuple[Effect, ...] = ()
    quarantined: bool = False


class History:
    """The pasts of one record, oldest first, and the predecessors that are not among them."""

    def __init__(self, pasts: list[Past] | None = None) -> None:
        """Starts with what the server has stored."""
        self._pasts = sorted(pasts or [], key=lambda past: past.n)
        self._by_id = {past.change.id: past for past in self._pasts}

    def add(self, past: Past) -> None:
        """Appends what has just been merged."""
        self._pasts.append(past)
        self._by_id[past.change.id] = past

    def get(self, change_id: str | None) -> Past | None:
        """A past by its change id."""
        return self._by_id.get(change_id or "")

    def value_at(self, path: str, base: int, standing: Any) -> Any:
        """What `path` said at version `base`: what the first later effect on it found there."""
        for past in self._pasts:
            if past.n > base:
                for effect in past.effects:
                    if effect.path == path:
                        return effect.before
        return standing

    def submitted(self, change_id: str | None, path: str) -> Any:
        """What a change wanted `path` to be, ABSENT when it is unknown or did not touch it."""
        past = self.get(change_id)
        return ABSENT if past is None else submitted(past.change, path)

    def overtaken(self, change: Change, path: str) -> bool:
        """Whether a later change of the same chain has written `path` already (failures, row 32).

        True when a stored change names `change`, directly or through others, as what its author saw there.
        """
        chain = {change.id}
        for past in self._pasts:
            if past.change.predecessor(path) in chain and _wrote(past, path):
                if not past.quarantined:
                    return True
                chain.add(past.change.id)
        return False


def submitted(change: Change, path: str) -> Any:
    """What `change` wanted `path` to be; ABSENT when it did not touch it. A create touched every field."""
    field, _, below = path.partition("/")
    if path == STATE and change.act is not None:
        return change.act.to
    if path == PLACE:
        return change.place if change.place is not None else ABSENT
    entry, _, sub = below.partition("/")
    for op in reversed(change.ops):
        if op.field == field:
            found = _submitted_by(op, below, entry, sub)
            if not isinstance(found, Absent):
                return found
    fields = fields_of(change)
    if field in fields or change.do == "create":
        return _inside(fields.get(field), entry, sub)
    return ABSENT


def _submitted_by(op: Any, below: str, entry: str, sub: str) -> Any:
    if isinstance(op, Add) and op.value == below:
        return True
    if isinstance(op, Remove) and op.value == below:
        return REMOVED
    if isinstance(op, Put) and op.entry == entry:
        values = msgspec.json.decode(op.values)
        return values.get(sub, ABSENT) if sub else values
    return ABSENT


def _inside(value: Any, entry: str, sub: str) -> Any:
    if not entry or value is None:
        return value
    if isinstance(value, list):
        return True if entry in value else REMOVED
    inner = value.get(entry)
    return inner.get(sub) if sub and inner is not None else inner


def _wrote(past: Past, path: str) -> bool:
    return not isinstance(submitted(past.change, path), Absent)
