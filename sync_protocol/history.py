"""What happened to one record after a given version, as far as a merge needs to know.

A `Past` is one stored change with what it did. The server keeps every one; a merge gets those of the
record that are newer than the base of the change at hand, and those which it names as predecessors.
"""

from typing import Any, Final

import msgspec

from sync_protocol.changes import Add, Change, Drop, Op, Put, Remove, fields_of, object_of


class Absent:
    """The value of a path of which nothing is known, as distinct from None, a cleared value."""


ABSENT: Final = Absent()
REMOVED: Final = None
EXISTENCE: Final = ""
"""The path of the record itself, whose values are these two."""
KEPT: Final = "kept"
DELETED: Final = "deleted"
STATE: Final = "state"
PLACE: Final = "place"
NUMBER: Final = "number"
INTO: Final = "into"
"""The record that this one was joined into."""


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
    epoch: str | None = None
    """The installation that sent it; None for the office."""


class History:
    """The pasts of one record, oldest first, and the predecessors that are not among them."""

    def __init__(self, pasts: list[Past] | None = None) -> None:
        """Starts with what the server has stored."""
        self._pasts: list[Past] = []
        self._by_id: dict[str, Past] = {}
        self._built_on: set[str] = set()
        self._fields: dict[int, dict[str, Any]] = {}
        # By the identity of a change object, which lives as long as this: a replay shares its change's id.
        for past in sorted(pasts or [], key=lambda past: past.n):
            self.add(past)

    def add(self, past: Past) -> None:
        """Appends what has just been merged. A replay takes the place of the quarantined past it replays.

        What its author had on the screen stays what came first: the office may have corrected the replay.
        """
        self._pasts.append(past)
        first = self._by_id.get(past.change.id)
        shown = past if first is None else msgspec.structs.replace(past, change=first.change)
        self._by_id[past.change.id] = shown
        self._built_on |= past.change.predecessors

    def own(self, change_id: str | None, by: str) -> Past | None:
        """A named predecessor, if it is known and really its author's own."""
        past = self._by_id.get(change_id or "")
        return past if past is not None and past.by == by else None

    def last_edit(self, path: str) -> Past | None:
        """The newest change that did something to `path`, or to anything below it; None where only the create did."""
        for past in reversed(self._pasts):
            if any(effect.path == path or effect.path.startswith(f"{path}/") for effect in past.effects):
                return past
        return None

    def created(self) -> int:
        """The number of the record's create, 0 where it is not among the pasts."""
        return next((past.n for past in self._pasts if past.change.do == "create"), 0)

    def base_of(self, change: Change, by: str, path: str) -> int:
        """The version of `path` under the author's own unsent work: what a whole chain was begun on.

        A page that came while the chain was pending lies below it on the screen, unseen.
        """
        base, links = change.base_of(path), {change.id}
        past = self.own(change.predecessor(path), by)
        while past is not None and past.change.id not in links:
            base = min(base, past.change.base_of(path))
            links.add(past.change.id)
            past = self.own(past.change.predecessor(path), by)
        return base

    def taken_in(self, change: Change, by: str, path: str) -> Past | None:
        """The nearest own earlier change at `path` that is part of the record.

        One that is still in quarantine is not: what it says is part of the edit that was made on it.
        """
        past = self.own(change.predecessor(path), by)
        while past is not None and past.quarantined:
            past = self.own(past.change.predecessor(path), by)
        return past

    def base_value(self, change: Change, by: str, path: str) -> Any:
        """What the author's edit of `path` started from, as far as the record ever said it."""
        past = self.taken_in(change, by, path)
        if past is not None and not isinstance(value := self.submitted(past, path), Absent):
            return value
        return self.value_at(path, self.base_of(change, by, path))

    def value_at(self, path: str, base: int) -> Any:
        """What `path` said at version `base`: what the first later effect on it found there."""
        for past in self._pasts:
            if past.n > base:
                for effect in past.effects:
                    if effect.path == path:
                        return effect.before
        return None

    def submitted(self, past: Past, path: str) -> Any:
        """What a past wanted `path` to be, ABSENT when it did not touch it."""
        fields = self._fields.get(id(past.change))
        if fields is None:
            fields = self._fields[id(past.change)] = fields_of(past.change)
        return submitted(past.change, fields, path)

    def overtaken(self, change: Change, path: str, *, by_clearing: bool = False) -> bool:
        """Whether a later change of the same chain has written `path` already (failures, row 32).

        True when a stored change names `change`, directly or through others, as what its author saw there.
        `by_clearing` asks for one that cleared it: of an extreme nothing else takes a value back.
        """
        if change.id not in self._built_on:
            return False
        chain = {change.id}
        for past in self._pasts:
            if past.change.built_on(path) & chain and past.change.id != change.id and self._wrote(past, path):
                if not past.quarantined and (not by_clearing or self.submitted(past, path) is None):
                    return True
                chain.add(past.change.id)  # a later past may be the same change, taken in again
        return False

    def edited_by_others(self, change: Change, by: str, path: str) -> bool:
        """Whether anybody, outside the change's own chain and unseen by it, has edited anything below `path`."""
        sight = self._sight(change, by, path)
        return any(
            edits(past.change, path) and not past.quarantined and not _seen(past, sight)
            for past in self._pasts
        )

    def unseen(self, change: Change, by: str, path: str) -> list[Any]:
        """What pasts wanted a `path` to be that `change` clears, as far as it had not seen them.

        Each clearing, this one or an earlier one, takes only what its author had seen.
        """
        pasts = [past for past in self._pasts if not past.quarantined and past.change.do != "delete"]
        wanted = [(past, self.submitted(past, path)) for past in pasts]
        sights = [self._sight(past.change, past.by, path) for past, value in wanted if value is None]
        sights.append(self._sight(change, by, path))
        return [
            value
            for past, value in wanted
            if not (value is None or isinstance(value, Absent) or any(_seen(past, sight) for sight in sights))
        ]

    def _sight(self, change: Change, by: str, path: str) -> tuple[int, set[str]]:
        """What the author of `change` had on the screen at `path`: a version, and own changes."""
        return self.base_of(change, by, path), self._chain(change, by)

    def _chain(self, change: Change, by: str) -> set[str]:
        chain: set[str] = {change.id}
        waiting = [change]
        while waiting:
            for name in waiting.pop().predecessors - chain:
                chain.add(name)
                past = self.own(name, by)
                if past is not None:
                    waiting.append(past.change)
        return chain

    def _wrote(self, past: Past, path: str) -> bool:
        """Whether a past wrote a path itself. A delete wrote none: whoever keeps the record keeps what it said."""
        if past.change.do == "delete" and path != EXISTENCE:
            return False
        below = any(op.path == path or op.path.startswith(f"{path}/") for op in past.change.ops)
        return below or not isinstance(self.submitted(past, path), Absent)


def _seen(past: Past, sight: tuple[int, set[str]]) -> bool:
    base, chain = sight
    return past.n <= base or past.change.id in chain


def edits(change: Change, path: str) -> bool:
    """Whether a change edits the record (path ""), or the entry that `path` names."""
    if not path:
        return change.do != "delete"
    return any(isinstance(op, Put) and op.path == path for op in change.ops)


def submitted(change: Change, fields: dict[str, Any], path: str) -> Any:
    """What `change`, which sets `fields`, wanted `path` to be; ABSENT when it did not touch it or cannot say.

    A create touched every field, a delete everything.
    """
    if change.do == "delete":
        return DELETED if path == EXISTENCE else REMOVED
    if path == STATE:
        return change.act.to if change.act is not None else ABSENT
    if path == PLACE:
        return change.place if change.place is not None else ABSENT
    field, _, below = path.partition("/")
    entry, _, sub = below.partition("/")
    for op in reversed(change.ops):
        if op.field == field:
            found = _submitted_by(op, below, entry, sub)
            if not isinstance(found, Absent):
                return found
    if field in fields or (change.do == "create" and path):
        return _inside(fields.get(field), entry, sub)
    return ABSENT


def _submitted_by(op: Op, below: str, entry: str, sub: str) -> Any:
    match op:
        case Add(value=value) if value == below:
            return True
        case Remove(value=value) if value == below:
            return REMOVED
        case Put(entry=known, values=raw) if known == entry:
            values = object_of(raw)
            return values.get(sub, ABSENT) if sub else values
        case Drop(entry=known) if known == entry:
            return REMOVED
    return ABSENT


def _inside(value: Any, entry: str, sub: str) -> Any:
    if not entry or value is None:
        return value
    if isinstance(value, list):
        return True if entry in value else REMOVED
    inner = value.get(entry) if isinstance(value, dict) else None
    return inner.get(sub) if sub and isinstance(inner, dict) else inner
