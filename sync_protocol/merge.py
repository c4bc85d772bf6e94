"""The merge: one arriving change meets one record. Total, deterministic, and the only place that decides.

In: the record as it stands, the change (already validated against its kind), how it arrived, and the
record's history above the change's base. Out: the record changed in place, what was done to each path
(`effects`), and where two people wrote the same path without having seen each other (`clashes`).

Concurrency is judged per path. A path was changed concurrently when its standing version is newer than
what the author saw, except when the standing value is exactly what the author's own named predecessor
submitted. "Written by the same device" is not enough: that earlier change may have been merged with
somebody else's since (failures, row 30). Nothing here may look at the author to decide concurrency.

What each rule does with a concurrent write:

    latest            the later stamp stands; the other is kept in a clash that is decided by rule
    review            what stands, stands; both are shown to the office
    text              combined by sentence, else review
    max, min, sum     commute; nobody's work is lost, so there is no clash
    union             additions and removals commute; a removal takes only additions that its author saw
    entries           per entry and sub-field; an edit beats a removal
    workflow          the step is lost and shown to the office; the office's own step outranks the field's

Against a value that the office decided and the author had not seen, `latest` acts as `review`. A change
that a later one of its own chain has overtaken (a replay from quarantine) leaves that path alone (row 32).
"""

from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from sync_protocol.changes import Add, Change, Drop, Increment, Op, Put, Remove
from sync_protocol.history import ABSENT, EXISTENCE, PLACE, STATE, Absent, Effect, History
from sync_protocol.kinds import Field, Kind
from sync_protocol.outcome import Arrival, Clash, Merged, Side
from sync_protocol.state import (
    CREATE,
    DECISION,
    FIELD,
    OFFICE,
    Marks,
    RecordState,
    Removed,
    Writer,
    enter,
    written,
)
from sync_protocol.text import merge3

SUM_MAX: Final = 2**53 - 1
REVIVED: Final = ""
"""The mark of an entry that an edit brought back: newer than all that it says."""


@dataclass(slots=True)
class _Case:
    """Everything one merge looks at, and what it has found so far."""

    state: RecordState
    change: Change
    history: History
    writer: Writer
    out: Merged = field(default_factory=Merged)

    @property
    def marks(self) -> Marks:
        return self.state.marks

    @property
    def position(self) -> int:
        """Where this change stands among the record's writers; it joins them at its first write."""
        return self.marks.add_writer(self.writer)

    def effect(self, path: str, before: Any, after: Any) -> None:
        self.out.effects.append(Effect(path, before, after))

    def base_value(self, path: str) -> Any:
        """What the author had on the screen: an own earlier value, else what the history tells."""
        base = self.history.submitted(self.change.predecessor(path), path)
        if isinstance(base, Absent):
            base = self.history.value_at(path, self.change.base_of(path), None)
        return base

    def clash(self, path: str, rule: str, standing: Side, other: Side, *, by_rule: bool) -> None:
        self.out.clashes.append(Clash(path, rule, self.base_value(path), standing, other, by_rule))

    def concurrent(self, path: str, writer: Writer, standing: Any) -> bool:
        """Whether `path` was changed since the author looked; see the head of this file."""
        if writer.n <= self.change.base_of(path) or writer.n == self.writer.n:
            return False
        predecessor = self.change.predecessor(path)
        if predecessor is not None and equal(self.history.submitted(predecessor, path), standing):
            return False
        self.out.concurrent = True
        return True


def merge(
    state: RecordState, change: Change, fields: dict[str, Any], kind: Kind, arrival: Arrival, history: History
) -> Merged:
    """Applies `change` to `state`, in place.

    `fields` are the change's single values, validated. Sub-fields of entries in `change.ops` are validated
    too; the caller has refused everything that the kind, the scope or the role does not allow.
    """
    rank = DECISION if change.decides is not None else arrival.rank
    case = _Case(state, change, history, Writer(arrival.n, arrival.stamp, change.id, arrival.by, rank))
    if change.do == "delete":
        _delete(case)
        return case.out
    if state.deleted and not _revive(case):
        return case.out
    for name, value in fields.items():
        _single(case, name, kind.fields[name], value, state.values, name, state.marks.fields)
    for op in change.ops:
        _operation(case, op, kind.fields[op.field])
    if change.act is not None:
        _act(case, kind, change.act.from_, change.act.to)
    if change.place is not None and change.place != state.place:
        _move(case, change.place)
    return case.out


def equal(one: Any, other: Any) -> bool:
    """Equality of JSON values, where true is not 1."""
    return type(one) is type(other) and bool(one == other)


def _single(
    case: _Case,
    path: str,
    declared: Field,
    value: Any,
    values: dict[str, Any],
    key: str,
    marks: dict[str, int],
) -> None:
    """Writes a single value, of the record or of an entry, under the rule of its field."""
    writer, standing = case.marks.writers[marks.get(key, CREATE)], values.get(key)
    concurrent = case.concurrent(path, writer, standing)
    if declared.merge in {"max", "min"} and standing is not None and value is not None:
        value = max(standing, value) if declared.merge == "max" else min(standing, value)
    elif concurrent:
        value = _settle(case, path, declared, Side(standing, writer), value)
    if isinstance(value, Absent):
        return
    case.effect(path, standing, value)
    _assign(values, key, value)
    marks[key] = case.position


def _settle(case: _Case, path: str, declared: Field, standing: Side, value: Any) -> Any:
    """The value that a concurrent write leaves on `path`; ABSENT when what stands, stands."""
    if equal(value, standing.value) or case.history.overtaken(case.change, path):
        return ABSENT
    if declared.merge == "text":
        merged = merge3(case.base_value(path) or "", standing.value or "", value or "")
        if merged is not None and len(merged) <= (declared.max_length or len(merged)):
            return merged
    mine = Side(value, case.writer)
    if declared.merge == "latest" and standing.writer.rank != DECISION:
        later = (case.writer.stamp, case.writer.change) > (standing.writer.stamp, standing.writer.change)
        winner, loser = (mine, standing) if later else (standing, mine)
        case.clash(path, declared.merge, winner, loser, by_rule=True)
        return value if later else ABSENT
    case.clash(path, declared.merge, standing, mine, by_rule=False)
    return ABSENT


def _operation(case: _Case, op: Op, declared: Field) -> None:
    match op:
        case Add():
            _add(case, op)
        case Remove():
            _remove(case, op)
        case Increment():
            _increment(case, op)
        case Put():
            _put(case, op, {sub.name: sub for sub in declared.of})
        case Drop():
            _drop(case, op)


def _increment(case: _Case, op: Increment) -> None:
    standing = case.state.values.get(op.field)
    case.concurrent(op.field, case.marks.writer(op.field), standing)
    total = min(max((standing or 0) + op.by, -SUM_MAX), SUM_MAX)
    case.effect(op.field, standing, total)
    case.state.values[op.field] = total
    case.marks.fields[op.field] = case.position


def _add(case: _Case, op: Add) -> None:
    members: list[str] = case.state.values.get(op.field) or []
    if op.value not in members and case.history.overtaken(case.change, op.path):
        return
    additions = case.marks.members.setdefault(op.field, {})
    standing = additions.get(op.value, [CREATE]) if op.value in members else []
    additions[op.value] = [*standing, case.position]
    case.marks.sets[op.field] = case.position
    if op.value not in members:
        case.state.values[op.field] = sorted([*members, op.value])
        case.effect(op.path, None, after=True)


def _remove(case: _Case, op: Remove) -> None:
    members: list[str] = case.state.values.get(op.field) or []
    if op.value not in members:
        return
    seen, own = case.change.base_of(op.path), case.change.predecessor(op.path)
    additions = case.marks.members.setdefault(op.field, {})
    unseen = [at for at in additions.get(op.value, [CREATE]) if not _saw(case.marks.writers[at], seen, own)]
    if unseen:
        additions[op.value] = unseen
        case.out.concurrent = True
        return
    additions.pop(op.value, None)
    case.marks.sets[op.field] = case.position
    case.effect(op.path, before=True, after=None)
    _assign(case.state.values, op.field, [member for member in members if member != op.value] or None)


def _saw(writer: Writer, base: int, own: str | None) -> bool:
    return writer.n <= base or writer.change == own


def _put(case: _Case, op: Put, subs: dict[str, Field]) -> None:
    values: dict[str, Any] = msgspec.json.decode(op.values)
    gone = case.marks.removed.get(op.field, {}).get(op.entry)
    if gone is not None and case.history.overtaken(case.change, op.path):
        return
    entries: dict[str, dict[str, Any]] = case.state.values.setdefault(op.field, {})
    all_marks = case.marks.entries.setdefault(op.field, {})
    if gone is not None:
        del case.marks.removed[op.field][op.entry]
        entries[op.entry], all_marks[op.entry] = gone.values, {**gone.marks, REVIVED: case.position}
        case.out.concurrent = True
        case.effect(op.path, None, dict(gone.values))
    if op.entry not in entries:
        entries[op.entry] = {name: value for name, value in values.items() if value is not None}
        all_marks[op.entry] = dict.fromkeys(values, case.position)
        case.effect(op.path, None, dict(entries[op.entry]))
        return
    marks = all_marks.setdefault(op.entry, {})
    for name, value in values.items():
        _single(case, f"{op.path}/{name}", subs[name], value, entries[op.entry], name, marks)


def _drop(case: _Case, op: Drop) -> None:
    entries: dict[str, dict[str, Any]] = case.state.values.get(op.field) or {}
    if op.entry not in entries:
        return
    values = entries[op.entry]
    marks = case.marks.entries.get(op.field, {}).get(op.entry, {})
    moved = [
        case.concurrent(f"{op.path}/{name}", case.marks.writers[marks.get(name, CREATE)], values.get(name))
        for name in {**values, **marks}
    ]
    if any(moved):
        return
    case.effect(op.path, dict(values), None)
    case.marks.removed.setdefault(op.field, {})[op.entry] = Removed(case.position, values, marks)
    case.marks.entries.get(op.field, {}).pop(op.entry, None)
    kept = {entry: subs for entry, subs in entries.items() if entry != op.entry}
    _assign(case.state.values, op.field, kept or None)


def _act(case: _Case, kind: Kind, from_: str, to: str) -> None:
    writer, standing = case.marks.writer(STATE), case.state.state
    if case.concurrent(STATE, writer, standing) or standing != from_:
        if equal(to, standing) or case.history.overtaken(case.change, STATE):
            return
        mine, theirs = Side(to, case.writer), Side(standing, writer)
        if not (case.writer.rank >= OFFICE and writer.rank == FIELD):
            case.clash(STATE, "workflow", theirs, mine, by_rule=False)
            return
        case.clash(STATE, "workflow", mine, theirs, by_rule=True)
    enter(case.state, kind.workflow, to, case.writer.n)
    case.marks.fields[STATE] = case.position
    case.effect(STATE, standing, to)


def _move(case: _Case, place: str) -> None:
    writer, standing = case.marks.writer(PLACE), case.state.place
    if case.concurrent(PLACE, writer, standing):
        case.clash(PLACE, "latest", Side(place, case.writer), Side(standing, writer), by_rule=True)
    case.effect(PLACE, standing, place)
    case.state.place, case.state.placed = place, case.writer.n
    case.marks.fields[PLACE] = case.position


def _delete(case: _Case) -> None:
    if case.state.deleted:
        return
    moved = [writer for path, writer, value in written(case.state) if case.concurrent(path, writer, value)]
    if moved:
        case.clash(EXISTENCE, "delete", Side("kept", moved[-1]), Side("deleted", case.writer), by_rule=True)
        return
    case.state.deleted = True
    case.effect(EXISTENCE, "kept", "deleted")
    case.marks.fields[EXISTENCE] = case.position


def _revive(case: _Case) -> bool:
    """Brings a deleted record back, as an edit beats a removal; False when its own author removed it later."""
    deleter = case.marks.writer(EXISTENCE)
    if case.history.overtaken(case.change, EXISTENCE):
        return False
    if case.concurrent(EXISTENCE, deleter, "deleted"):
        case.clash(EXISTENCE, "delete", Side("kept", case.writer), Side("deleted", deleter), by_rule=True)
    case.state.deleted, case.state.placed = False, case.writer.n
    case.effect(EXISTENCE, "deleted", "kept")
    case.marks.fields[EXISTENCE] = case.position
    return True


def _assign(values: dict[str, Any], key: str, value: Any) -> None:
    if value is None:
        values.pop(key, None)
    else:
        values[key] = value
