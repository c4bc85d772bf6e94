"""Joined records (并案): what was done to the absorbed one is brought to the one that it was joined into. Pure.

An absorbed record stays what it was: a record with values, versions and devices, in the state `joined`. So
whatever comes to it is judged and merged there as ever, and a split finds it whole. What the merge *did* to it
is then brought to the surviving record, as a change of the author "absorbed record":

    entries, sets, sums   are merged
    single values         are proposals: a value that differs from what stands waits for the office
    state, place, number  stay its own

The effects are brought, not the words: what lost on the absorbed record must not win on the other one. The
absorbed record has seen all that it brought itself, and nothing that others wrote there: that is concurrent.
A split takes out again what nobody else has touched since.
"""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from sync_protocol.case import equal
from sync_protocol.changes import Add, Change, Drop, Increment, Op, Put, Remove
from sync_protocol.history import ABSENT, Effect, History, Past
from sync_protocol.kinds import Kind
from sync_protocol.outcome import Arrival, Clash, Side
from sync_protocol.standing import value_at, writer_at
from sync_protocol.state import FIELD, RecordState, Writer

JOINED: Final = "joined"
"""The state of an absorbed record; whoever reported it gets a receipt of this name."""
SPLIT: Final = "split"
"""The step that leads out of it again."""
PROPOSED: Final = "joined"
"""The rule of a conflict that holds a value of an absorbed record beside the one that stands."""
_UNSEEN: Final = 0
Entries = dict[str, dict[str, Any] | None]
"""Entry id to what was said of its sub-fields; None for one that was removed."""


class Brought(msgspec.Struct, frozen=True):
    """What the surviving record gets. `bases` are those of a change, `proposals` effects on the absorbed record."""

    ops: tuple[Op, ...] = ()
    bases: dict[str, int] = {}
    proposals: tuple[Effect, ...] = ()

    @property
    def nothing(self) -> bool:
        """Whether there is nothing to bring."""
        return not (self.ops or self.proposals)


def joins_as_a_whole(change: Change) -> bool:
    """Whether a change says both or neither: the step into or out of `joined`, and what the record is joined into."""
    enters = change.act is not None and change.act.to == JOINED
    leaves = change.act is not None and change.act.name == SPLIT
    return enters == bool(change.into) and leaves == (change.into == "")


def ends_a_join(change: Change, state: RecordState, kind: Kind) -> bool:
    """Whether a change does what only a split may: an absorbed record may be closed besides, with the other one."""
    if change.into == "":
        return state.joined_into is None
    if change.act is None or state.joined_into is None:
        return False
    entered = kind.workflow.state(change.act.to) if kind.workflow is not None else None
    return entered is None or not entered.closed


def brought(effects: Iterable[Effect], source: RecordState, target: RecordState, kind: Kind) -> Brought:
    """What these effects on `source`, which was joined into `target`, are for `target`."""
    ops: list[Op] = []
    entries: dict[str, Entries] = {}
    proposals: list[Effect] = []
    for effect in effects:
        name, _, below = effect.path.partition("/")
        declared = kind.field(name)
        match declared.merge if declared is not None else "workflow":
            case "workflow":
                continue
            case "union":
                ops += _member(name, below, effect, source, target)
            case "entries":
                _entry(entries.setdefault(name, {}), below, effect.after)
            case "sum":
                ops.append(Increment(name, (effect.after or 0) - (effect.before or 0)))
            case _ if not equal(effect.after, value_at(target, effect.path)):
                proposals.append(effect)
    bases: dict[str, int] = {}
    for name, named in entries.items():
        ops += _entry_ops(name, named, source, target)
        bases |= _bases(name, named, source, target)
    return Brought(tuple(ops), bases, tuple(proposals))


def holding(source: RecordState, kind: Kind) -> list[Effect]:
    """Every entry and member of a record, as if it had just got them: what a join brings."""
    effects = []
    for name, value in source.values.items():
        declared = kind.field(name)
        rule = declared.merge if declared is not None else ""
        if rule in {"union", "entries"}:
            effects += [Effect(f"{name}/{key}", None, _content(value, key)) for key in value]
    return effects


def withdrawn(source: RecordState, target: RecordState, kind: Kind) -> Brought:
    """What leaves `target` when `source` is split from it: entries and members that nobody else has touched.

    What others wrote since stays: an edit beats a removal.
    """
    ops: list[Op] = []
    for name, value in target.values.items():
        declared = kind.field(name)
        rule = declared.merge if declared is not None else ""
        if rule == "union":
            ops += [Remove(name, member) for member in value if _only_its_own(target, name, member, source)]
        elif rule == "entries":
            ops += [Drop(name, entry) for entry in value if _untouched(target, name, entry, source)]
    return Brought(tuple(ops))


def proposed(change: Change, found: Brought, target: RecordState, arrival: Arrival) -> list[Clash]:
    """The values that wait for the office: each beside the one that stands."""
    writer = Writer(arrival.n, arrival.stamp, change.id, arrival.by, FIELD)
    return [
        Clash(
            one.path,
            PROPOSED,
            one.before,
            Side(value_at(target, one.path), writer_at(target, one.path)),
            Side(one.after, writer),
            by_rule=False,
        )
        for one in found.proposals
    ]


def past_of(change: Change, effects: Iterable[Effect], arrival: Arrival) -> History:
    """What the merge has to know of the past: what stood on the absorbed record before, as the base of texts."""
    return History([Past(arrival.n, arrival.by, arrival.stamp, change, tuple(effects))])


def _content(value: Any, key: str) -> Any:
    return dict(value[key]) if isinstance(value, dict) else True


def _member(
    name: str, member: str, effect: Effect, source: RecordState, target: RecordState
) -> list[Add | Remove]:
    if effect.after:
        return [Add(name, member)]
    return [Remove(name, member)] if _only_its_own(target, name, member, source) else []


def _entry(named: Entries, below: str, after: Any) -> None:
    """Notes what became of an entry, or of one sub-field of it; None for one that was removed."""
    entry, _, sub = below.partition("/")
    if not sub:
        named[entry] = None if after is None else dict(after)
    else:
        named[entry] = {**(named.get(entry) or {}), sub: after}


def _entry_ops(name: str, named: Entries, source: RecordState, target: RecordState) -> list[Op]:
    ops: list[Op] = []
    for entry, values in named.items():
        if values is not None:
            there = {sub: v for sub, v in values.items() if not equal(v, _standing(target, name, entry, sub))}
            ops += [Put(name, entry, msgspec.Raw(msgspec.json.encode(there)))] if there else []
        elif _untouched(target, name, entry, source):
            ops.append(Drop(name, entry))
    return ops


def _standing(target: RecordState, name: str, entry: str, sub: str) -> Any:
    """The value of a sub-field; of an entry that is not there, a value that equals nothing."""
    known = (target.values.get(name) or {}).get(entry)
    return known.get(sub) if known is not None else ABSENT


def _bases(name: str, named: Entries, source: RecordState, target: RecordState) -> dict[str, int]:
    """The sub-fields that somebody else wrote in the surviving record: the absorbed one has not seen that."""
    return {
        f"{name}/{entry}/{sub}": _UNSEEN
        for entry, values in named.items()
        for sub in values or ()
        if _by_another(target, name, entry, sub, source)
    }


def _by_another(target: RecordState, name: str, entry: str, sub: str, source: RecordState) -> bool:
    if entry not in (target.values.get(name) or {}):
        return False
    marks = target.marks.entries.get(name, {}).get(entry)
    # An entry that came with the create has no marks of its own; in a later one, what has none was never set.
    return marks is None or (sub in marks and target.marks.writers[marks[sub]].by != source.id)


def _only_its_own(target: RecordState, name: str, member: str, source: RecordState) -> bool:
    there = member in (target.values.get(name) or ())
    return there and all(writer.by == source.id for writer in target.marks.additions(name, member))


def _untouched(target: RecordState, name: str, entry: str, source: RecordState) -> bool:
    """Whether the surviving record has an entry, and only the absorbed one has ever written in it."""
    marks = target.marks.entries.get(name, {}).get(entry, {})
    there = entry in (target.values.get(name) or {})
    return there and bool(marks) and all(target.marks.writers[at].by == source.id for at in marks.values())
