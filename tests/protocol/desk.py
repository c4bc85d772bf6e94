"""A server of one record without a database, and people who edit it, for tests of the merge.

`Desk` takes changes as the push does (tests/sync/test_push_and_desk.py holds it to that). A `Hand` is a
device or a person: what it saves travels with what its screen showed, computed by the device's own overlay;
nothing of that is told by the test.
"""

from dataclasses import dataclass
from typing import Any

import msgspec

from server.sync.judge import Author, Refusal, judge
from sync_protocol.changes import EMPTY, Act, Add, Change, Drop, Increment, Op, Put, Remove, fields_of
from sync_protocol.clock import Reading, correct
from sync_protocol.history import DELETED, KEPT, Effect, History, Past
from sync_protocol.kinds import Kind
from sync_protocol.limits import DEFAULTS
from sync_protocol.merge import merge
from sync_protocol.outcome import Arrival, Clash, Merged, Result
from sync_protocol.overlay import Base, Laid, Parts, View, cause, lay
from sync_protocol.state import RecordState, Writer, born
from tests.protocol.kinds_for_tests import SHEET, TestKinds

TOWNSHIP = "321283104"
RECORD = "01900000-0000-7000-8000-000000000800"
NOW = 1_795_300_000_000
OFFICE = "clerk"
FIELD = "grid_worker"


def id_of(number: int) -> str:
    return f"01900000-0000-7000-8000-{number:012}"


def entry(number: int) -> str:
    return f"01900000-0000-7000-8000-{number + 700:012}"


class Taken(msgspec.Struct, frozen=True):
    """One change after it was taken in: its number, and what it did, or why it waits."""

    n: int
    change: Change
    merged: Merged
    refused: Refusal | None = None

    @property
    def result(self) -> Result:
        return "quarantined" if self.refused is not None else self.merged.result

    @property
    def effects(self) -> list[Effect]:
        return self.merged.effects

    @property
    def clashes(self) -> list[Clash]:
        return self.merged.clashes


class Desk:
    """The record, its history, and the township's counter."""

    township = TOWNSHIP

    def __init__(self, kind: Kind = SHEET) -> None:
        self.kind = kind
        self.kinds = TestKinds(kind)
        self.authors: dict[str, tuple[str, str]] = {}
        self.record: RecordState | None = None
        self.history = History()
        self.head = 0
        self.now = NOW
        self.taken: list[Taken] = []

    @property
    def grids(self) -> tuple[str, str]:
        return (f"{self.township}203001", f"{self.township}203002")

    @property
    def state(self) -> RecordState:
        assert self.record is not None
        return self.record

    @property
    def values(self) -> dict[str, Any]:
        return self.state.values

    @property
    def clashes(self) -> list[Clash]:
        return [clash for taken in self.taken for clash in taken.clashes]

    def take(self, change: Change, by: str, role: str = FIELD) -> Taken:
        """Judges and merges one change, as the push does. With the device's clock right, `at` is its stamp."""
        self.now += 1
        self.authors[change.id] = (by, role)
        pasts = [self.history.own(name, by) for name in change.predecessors]
        seen_stamp = max((past.stamp for past in pasts if past is not None), default=0)
        stamp = correct(
            change.at, change.mark, change.since, Reading(self.now, self.now), seen_stamp
        ).stamp_ms
        return self._take(change, self.author(by, role), stamp)

    def author(self, by: str, role: str) -> Author:
        """Somebody of the office, or a device of the first grid."""
        return Author(by, self.township, role, None if role == OFFICE else frozenset(self.grids[:1]))

    def replay(self, change: Change) -> Taken:
        """Takes a quarantined change in again: as its author's, with the stamp that it had, wherever it lies."""
        (by, role), past = self.authors[change.id], self.history.own(change.id, self.authors[change.id][0])
        assert past is not None
        return self._take(change, Author(by, self.township, role, None), past.stamp)

    def _take(self, change: Change, author: Author, stamp: int) -> Taken:
        self.head += 1
        by = author.id
        verdict = judge(change, author, self.record, self.kinds, DEFAULTS)
        if isinstance(verdict, Refusal):
            self.history.add(Past(self.head, by, stamp, change, quarantined=True))
            return self._taken(Taken(self.head, change, Merged(), verdict))
        said, kind = verdict.canonical(change), verdict.shape.kind
        arrival, merged = Arrival(self.head, stamp, by, author.role), Merged()
        if self.record is None:
            writer = Writer(arrival.n, stamp, change.id, by, arrival.rank)
            self.record = born(said, verdict.body, kind, writer)
        else:
            merged = merge(self.record, said, verdict.fields, kind, arrival, self.history)
        self.history.add(Past(self.head, by, stamp, said, tuple(merged.effects)))
        taken = self._taken(Taken(self.head, said, merged))
        self.head += 1
        self.record.version = self.head
        self.record.body, self.record.marking = self.record.stored()  # to be read again, as from a row
        return taken

    def _taken(self, taken: Taken) -> Taken:
        self.taken.append(taken)
        return taken


def raw(values: dict[str, Any]) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(values))


def put(number: int, **values: Any) -> Put:
    return Put("steps", entry(number), raw(values))


def drop(number: int) -> Drop:
    return Drop("steps", entry(number))


def add(value: str) -> Add:
    return Add("tags", value)


def remove(value: str) -> Remove:
    return Remove("tags", value)


def increment(by: int) -> Increment:
    return Increment("groups", by)


class Hand:
    """Somebody who edits the record: `save` on the screen, `send` the queue, `page` what the server has.

    `number` makes the ids of their changes: the first of hand 1 is 101. The kind of `desk` is what the
    screen shows; a hand of the office sends with its role.
    """

    def __init__(self, desk: Desk, number: int, role: str = FIELD) -> None:
        self.desk, self.number, self.role = desk, number, role
        self.name = id_of(number)
        self.base: Base | None = None
        self.laid: list[Laid] = []
        self.queue: list[Change] = []
        self.saved = 0
        self.version = desk.kind.version

    def create(self, **fields: Any) -> Change:
        return self._save(Parts("create", fields, place=self.desk.grids[0]), NOW)

    def save(
        self,
        *ops: Op,
        at: int = NOW,
        act: Act | None = None,
        place: str | None = None,
        decides: str | None = None,
        **fields: Any,
    ) -> Change:
        return self._save(Parts("edit", fields, ops, act, place), at, decides)

    def step(self, name: str, to: str, *, from_: str | None = None, at: int = NOW) -> Change:
        shown = self._view().state or ""
        return self._save(Parts(act=Act(name, from_ or shown, to)), at)

    def delete(self, at: int = NOW) -> Change:
        return self._save(Parts("delete"), at)

    def send(self) -> Taken:
        """Sends the oldest waiting change and takes its verdict."""
        change = self.queue.pop(0)
        taken = self.desk.take(change, self.name, self.role)
        applied = taken.n if taken.result == "applied" else 0
        self.laid = [Laid(one.change, applied) if one.change.id == change.id else one for one in self.laid]
        return taken

    def send_all(self) -> list[Taken]:
        return [self.send() for _ in self.queue[:]]

    def page(self) -> None:
        """The base reaches what the server has; what it has been sent does not lie over it any more."""
        state, waiting = self.desk.state, {change.id for change in self.queue}
        values = msgspec.json.decode(state.stored()[0])
        self.base = Base(RECORD, state.kind, state.place, state.version, values, state.state, state.number)
        self.laid = [one for one in self.laid if one.change.id in waiting]

    def shown(self) -> dict[str, Any]:
        return self._view().values

    def _view(self) -> View:
        return lay(self.base, self.laid, self.desk.kind, RECORD)

    def _save(self, parts: Parts, at: int, decides: str | None = None) -> Change:
        self.saved += 1
        said = cause(self._view().sight, parts)
        change = Change(
            id=id_of(self.number * 100 + self.saved),
            record=RECORD,
            kind=self.desk.kind.name,
            version=self.version,
            n=self.saved,
            at=at,
            do=parts.do,
            base=said.base,
            bases=said.bases,
            on=said.on,
            after=said.after,
            place=parts.place,
            fields=raw(parts.fields) if parts.fields else EMPTY,
            ops=parts.ops,
            act=parts.act,
            decides=decides,
        )
        self.queue.append(change)
        self.laid.append(Laid(change))
        return change


def opened(hands: int = 2, *, office: bool = False, **fields: Any) -> tuple[Desk, list[Hand]]:
    """A desk with a record, and hands that have all seen it; with `office` the last is a clerk."""
    desk = Desk()
    return desk, seated(desk, hands, office=office, **fields)


def seated(desk: Desk, hands: int, *, office: bool = False, **fields: Any) -> list[Hand]:
    """Hands at a desk, the first of whom has made its record."""
    team = [Hand(desk, number + 1) for number in range(hands)]
    if office:
        team[-1].role = OFFICE
    team[0].create(**fields)
    accepted(team[0].send())
    for hand in team:
        hand.page()
    return team


def accepted(taken: Taken) -> Taken:
    assert taken.refused is None, taken.refused
    return taken


@dataclass
class Rebuilt:
    """A record made anew from what its changes did, each held against what it found."""

    values: dict[str, Any]
    place: str
    state: str | None
    number: str | None = None
    deleted: bool = False

    def apply(self, effect: Effect) -> None:
        assert effect.before == self._at(effect.path), effect
        match effect.path.split("/"):
            case [""]:
                self.deleted = effect.after == DELETED
            case ["state"]:
                self.state = effect.after
            case ["place"]:
                self.place = effect.after
            case ["number"]:
                self.number = effect.after
            case [*above, name]:
                self._set(above, name, effect.after)

    def _at(self, path: str) -> Any:
        named = {"": DELETED if self.deleted else KEPT, "state": self.state, "place": self.place}
        if path in named or path == "number":
            return named.get(path, self.number)
        value: Any = self.values
        for key in path.split("/"):
            value = (True if key in value else None) if isinstance(value, list) else (value or {}).get(key)
        return value

    def _set(self, above: list[str], name: str, after: Any) -> None:
        if above and SHEET.fields[above[0]].merge == "union":
            members = set(self.values.get(above[0]) or []) - {name} | ({name} if after else set())
            self.values[above[0]] = sorted(members)
        else:
            inside = self.values
            for key in above:
                inside = inside.setdefault(key, {})
            inside.pop(name, None)
            if after is not None:
                inside[name] = dict(after) if isinstance(after, dict) else after
        if above and not self.values[above[0]]:
            del self.values[above[0]]


def rebuilt(pasts: list[tuple[Change, list[Effect]]], kind: Kind = SHEET) -> Rebuilt:
    """The record that these changes made, oldest first; the first is its create."""
    create = pasts[0][0]
    initial = kind.workflow.initial if kind.workflow is not None else None
    state = create.act.to if create.act is not None else initial
    record = Rebuilt(fields_of(create), create.place or "", state)
    for _, effects in pasts:
        for effect in effects:
            record.apply(effect)
    return record
