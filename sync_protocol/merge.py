"""The merge: one arriving change meets one record. Total, deterministic, and the only place that decides.

In: the record as it stands, the change (already validated against its kind), how it arrived, and the
record's history above the change's base. Out: the record changed in place, what was done to each path
(`effects`), and where two people wrote the same path without having seen each other (`clashes`).

Whether a path was changed concurrently is judged in case.py; nothing here looks at the author to decide it.

What each rule does with a concurrent write:

    latest            the later stamp stands; the other is kept in a clash that is decided by rule
    review            what stands, stands; both are shown to the office
    text              combined by sentence, else review
    max, min, sum     commute; nobody's work is lost, so there is no clash
    union             additions and removals commute; a removal takes only additions that its author saw
    entries           per entry and sub-field; an edit beats a removal
    workflow          the step is lost and shown to the office; the office's own step outranks the field's

Against a value that the office decided and the author had not seen, `latest` acts as `review`. A change
that a later one of its own chain has overtaken (a replay from quarantine) leaves that path alone (row 32);
extremes and sums commute all the same. Its author's own delete is no such write: it keeps the record away alone.
"""

from datetime import datetime
from typing import Any, Final

import msgspec

from sync_protocol.case import Case, equal
from sync_protocol.changes import Add, Change, Drop, Increment, Op, Put, Remove
from sync_protocol.history import ABSENT, DELETED, EXISTENCE, INTO, KEPT, PLACE, STATE, Absent, History
from sync_protocol.kinds import Field, Kind
from sync_protocol.kinds.declaration import TEXT_CHARS_DEFAULT
from sync_protocol.outcome import Arrival, Merged, Side
from sync_protocol.state import CREATE, DECISION, FIELD, OFFICE, RecordState, Removed, Writer, enter
from sync_protocol.text import merge3

SUM_MAX: Final = 2**53 - 1
REVIVED: Final = ""
"""The mark of an entry that an edit brought back: newer than all that it says."""


def merge(
    state: RecordState, change: Change, fields: dict[str, Any], kind: Kind, arrival: Arrival, history: History
) -> Merged:
    """Applies `change` to `state`, in place.

    `fields` are the change's single values, validated. Sub-fields of entries in `change.ops` are validated
    too; the caller has refused everything that the kind, the scope or the role does not allow.
    """
    rank = DECISION if change.decides is not None else arrival.rank
    case = Case(state, change, history, Writer(arrival.n, arrival.stamp, change.id, arrival.by, rank))
    if change.do == "delete":
        _delete(case)
        return case.out
    if state.deleted and not _says_something(change, fields):
        return case.out
    stays_deleted = state.deleted and not _revive(case)
    for name, value in fields.items():
        _single(case, name, kind.fields[name], value, state.values, name, state.marks.fields)
    for op in change.ops:
        _operation(case, op, kind.fields[op.field])
    if stays_deleted:
        # As if it had come before the delete: should another edit bring the record back, all this is there.
        return case.out
    if change.act is not None:
        _act(case, kind, change.act.from_, change.act.to)
        if change.into is not None and case.marks.writer(STATE).change == change.id:
            _join(case, change.into or None)
    if change.place is not None and change.place != state.place:
        _move(case, change.place)
    return case.out


def _single(
    case: Case,
    path: str,
    declared: Field,
    value: Any,
    values: dict[str, Any],
    key: str,
    marks: dict[str, int],
) -> None:
    """Writes a single value, of the record or of an entry, under the rule of its field."""
    commutes = declared.merge in {"max", "min"}
    if case.overtaken(path, by_clearing=commutes):
        return
    writer, standing = case.marks.writers[marks.get(key, CREATE)], values.get(key)
    concurrent = case.concurrent(path, writer, standing)
    if commutes:
        value = _extreme(case, path, declared, standing, value)
    elif concurrent:
        value = _settle(case, path, declared, Side(standing, writer), value)
    if isinstance(value, Absent):
        return
    case.effect(path, standing, value)
    _assign(values, key, value)
    marks[key] = case.position


def _extreme(case: Case, path: str, declared: Field, standing: Any, value: Any) -> Any:
    """The greater or lesser; clearing leaves what its author had not seen, so that both orders end alike."""
    key = datetime.fromisoformat if declared.type == "datetime" else None
    extreme = max if declared.merge == "max" else min
    if value is None:
        return extreme(case.history.unseen(case.change, case.writer.by, path), key=key, default=None)
    return value if standing is None else extreme(standing, value, key=key)


def _settle(case: Case, path: str, declared: Field, standing: Side, value: Any) -> Any:
    """The value that a concurrent write leaves on `path`; ABSENT when what stands, stands."""
    decided = standing.writer.rank == DECISION
    by_stamp = declared.merge == "latest" and not decided
    later = (case.writer.stamp, case.writer.change) > (standing.writer.stamp, standing.writer.change)
    if equal(value, standing.value):  # said twice, it has the later of both stamps
        return value if by_stamp and later else ABSENT
    if declared.merge == "text" and not decided:
        base = case.history.base_value(case.change, case.writer.by, path)
        merged = merge3(base or "", standing.value or "", value or "")
        if merged is not None and len(merged) <= (declared.max_length or TEXT_CHARS_DEFAULT):
            return merged
    mine = Side(value, case.writer)
    if by_stamp:
        winner, loser = (mine, standing) if later else (standing, mine)
        case.clash(path, declared.merge, winner, loser, by_rule=True)
        return value if later else ABSENT
    case.clash(path, declared.merge, standing, mine, by_rule=False)
    return ABSENT


def _operation(case: Case, op: Op, declared: Field) -> None:
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


def _increment(case: Case, op: Increment) -> None:
    standing = case.state.values.get(op.field)
    case.concurrent(op.field, case.marks.writer(op.field), standing)
    total = (standing or 0) + op.by
    case.effect(op.field, standing, total)
    case.state.values[op.field] = total
    case.marks.fields[op.field] = case.position


def _add(case: Case, op: Add) -> None:
    members: list[str] = case.state.values.get(op.field) or []
    if case.overtaken(op.path):
        return
    additions = case.marks.members.setdefault(op.field, {})
    standing = additions.get(op.value, [CREATE]) if op.value in members else []
    unseen = _unseen(case, op, standing)
    case.out.concurrent |= bool(unseen)  # told `applied`, its author would take the other additions for seen
    additions[op.value] = [*unseen, case.position]
    case.marks.sets[op.field] = case.position
    if op.value not in members:
        case.state.values[op.field] = sorted([*members, op.value])
        case.effect(op.path, None, after=True)


def _remove(case: Case, op: Remove) -> None:
    members: list[str] = case.state.values.get(op.field) or []
    if op.value not in members or case.overtaken(op.path):
        return
    additions = case.marks.members.setdefault(op.field, {})
    unseen = _unseen(case, op, additions.get(op.value, [CREATE]))
    if unseen:
        additions[op.value] = unseen
        case.out.concurrent = True
        return
    additions.pop(op.value, None)
    case.marks.sets[op.field] = case.position
    case.effect(op.path, before=True, after=None)
    _assign(case.state.values, op.field, [member for member in members if member != op.value] or None)


def _unseen(case: Case, op: Add | Remove, additions: list[int]) -> list[int]:
    """The additions of a member that the author of `op` had not seen."""
    base, own = case.change.base_of(op.path), case.change.predecessor(op.path)
    writers = case.marks.writers
    return [at for at in additions if writers[at].n > base and writers[at].change != own]


def _put(case: Case, op: Put, subs: dict[str, Field]) -> None:
    values: dict[str, Any] = msgspec.json.decode(op.values)
    gone = case.marks.removed.get(op.field, {}).get(op.entry)
    if op.entry not in (case.state.values.get(op.field) or {}) and case.overtaken(op.path):
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


def _drop(case: Case, op: Drop) -> None:
    entries: dict[str, dict[str, Any]] = case.state.values.get(op.field) or {}
    if op.entry not in entries:
        return
    if case.overtaken(op.path):
        return
    if case.history.edited_by_others(case.change, case.writer.by, op.path):
        case.out.concurrent = True
        return
    values = entries[op.entry]
    marks = case.marks.entries.get(op.field, {}).get(op.entry, {})
    case.effect(op.path, dict(values), None)
    case.marks.removed.setdefault(op.field, {})[op.entry] = Removed(case.position, values, marks)
    case.marks.entries.get(op.field, {}).pop(op.entry, None)
    kept = {entry: subs for entry, subs in entries.items() if entry != op.entry}
    _assign(case.state.values, op.field, kept or None)


def _act(case: Case, kind: Kind, from_: str, to: str) -> None:
    writer, standing = case.marks.writer(STATE), case.state.state
    if case.overtaken(STATE):
        return
    if case.concurrent(STATE, writer, standing) or standing != from_:
        if equal(to, standing):
            return
        mine, theirs = Side(to, case.writer), Side(standing, writer)
        if not (case.writer.rank >= OFFICE and writer.rank == FIELD):
            case.clash(STATE, "workflow", theirs, mine, by_rule=False)
            return
        case.clash(STATE, "workflow", mine, theirs, by_rule=True)
    enter(case.state, kind.workflow, to, case.writer.n)
    case.marks.fields[STATE] = case.position
    case.effect(STATE, standing, to)


def _join(case: Case, into: str | None) -> None:
    """The record is joined into another, or split from it; the step of the workflow beside it was taken."""
    case.effect(INTO, case.state.joined_into, into)
    case.state.joined_into = into


def _move(case: Case, place: str) -> None:
    writer, standing = case.marks.writer(PLACE), case.state.place
    if case.concurrent(PLACE, writer, standing):
        case.clash(PLACE, "latest", Side(place, case.writer), Side(standing, writer), by_rule=True)
    case.effect(PLACE, standing, place)
    case.state.place, case.state.placed = place, case.writer.n
    case.marks.fields[PLACE] = case.position


def _delete(case: Case) -> None:
    if case.state.deleted:
        return
    if case.history.edited_by_others(case.change, case.writer.by, EXISTENCE):
        case.out.concurrent = True
        newest = max(case.marks.writers, key=lambda writer: writer.n)
        case.clash(EXISTENCE, "delete", Side(KEPT, newest), Side(DELETED, case.writer), by_rule=True)
        return
    case.state.deleted = True
    case.effect(EXISTENCE, KEPT, DELETED)
    case.marks.fields[EXISTENCE] = case.position


def _revive(case: Case) -> bool:
    """Brings a deleted record back, as an edit beats a removal; False when its own author removed it later."""
    deleter = case.marks.writer(EXISTENCE)
    if case.overtaken(EXISTENCE):
        return False
    if case.concurrent(EXISTENCE, deleter, DELETED):
        case.clash(EXISTENCE, "delete", Side(KEPT, case.writer), Side(DELETED, deleter), by_rule=True)
    case.state.deleted, case.state.placed = False, case.writer.n
    case.effect(EXISTENCE, DELETED, KEPT)
    case.marks.fields[EXISTENCE] = case.position
    return True


def _says_something(change: Change, fields: dict[str, Any]) -> bool:
    return bool(fields or change.ops or change.act is not None or change.place is not None)


def _assign(values: dict[str, Any], key: str, value: Any) -> None:
    if value is None:
        values.pop(key, None)
    else:
        values[key] = value
