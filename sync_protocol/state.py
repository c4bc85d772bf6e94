"""A record as the server holds it: values, and for each of them who wrote it last.

`values` maps a field to its value: single values as they are, sets as a sorted list of members, entries as
{entry id: {sub-field: value}}; a cleared field is absent. `marks` says, per path, which writer's value
stands. Writers are kept once in a list and referred to by position; whatever is not named refers to
writer 0, the create: a create counts as having set every field, the absent ones too.

Both are stored as JSON bytes next to each other in one row, so a record is read and written whole.
"""

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from sync_protocol.changes import Change
from sync_protocol.ids import is_id
from sync_protocol.kinds import Kind, Workflow

CREATE: Final = 0
RESTRICTED: Final = "restricted"
"""The field by which a record is for named people of the township only, whatever its kind."""
PARENT: Final = "parent"
"""The field that names the matter which a record is a member of."""
_SAYS_RESTRICTED: Final = b'"restricted":true'
_SAYS_PARENT: Final = b'"parent":'
FIELD, OFFICE, DECISION = 0, 1, 2
Values = dict[str, Any]


class Writer(msgspec.Struct, frozen=True, array_like=True):
    """The change whose value stands on a path."""

    n: int
    """The township's number of the change: the version of the path."""
    stamp: int
    """The change's corrected time in milliseconds, see clock.py."""
    change: str
    by: str
    """The author: a device, a person of the office, or an application."""
    rank: int = FIELD
    """FIELD, OFFICE, or DECISION: a value that the office decided after it saw what differed."""


class Removed(msgspec.Struct, array_like=True):
    """An entry that was removed: by whom, and what it said, because an edit brings it back."""

    writer: int
    values: Values
    marks: dict[str, int] = {}


class Marks(
    msgspec.Struct,
    omit_defaults=True,
    rename={"fields": "f", "sets": "s", "members": "m", "entries": "e", "removed": "r", "writers": "w"},
):
    """Who wrote what: positions in `writers`, by field, set member, and sub-field of an entry."""

    writers: list[Writer]
    fields: dict[str, int] = {}
    sets: dict[str, int] = {}
    """Who changed a set last, whatever the member: a page sends the set then."""
    members: dict[str, dict[str, list[int]]] = {}
    """Field to member to its additions; a member may be added by several people at once."""
    entries: dict[str, dict[str, dict[str, int]]] = {}
    """Field to entry id to sub-field; an entry that came later than the create names each sub-field it has."""
    removed: dict[str, dict[str, Removed]] = {}

    def writer(self, field: str) -> Writer:
        """Who wrote a single value."""
        return self.writers[self.fields.get(field, CREATE)]

    def additions(self, field: str, member: str) -> list[Writer]:
        """Who added a member that stands in the set."""
        return [self.writers[at] for at in self.members.get(field, {}).get(member, [CREATE])]

    def sub_writer(self, field: str, entry: str, sub: str) -> Writer:
        """Who wrote a sub-field of an entry that stands."""
        return self.writers[self.entries.get(field, {}).get(entry, {}).get(sub, CREATE)]

    def add_writer(self, writer: Writer) -> int:
        """The position of `writer`, which is appended unless it is the last one already."""
        if self.writers[-1] != writer:
            self.writers.append(writer)
        return len(self.writers) - 1


@dataclass(slots=True)
class RecordState:
    """One record of the central database, as the merge reads and changes it.

    `body` and `marking` are what is stored; they are decoded when somebody first looks, so that a create is
    validated once and never encoded again.
    """

    id: str
    kind: str
    version: int
    """The number of the last write; above that of every change it holds."""
    placed: int
    """The number at which it was created here, moved here, reopened or revived: pages bring it whole above."""
    place: str
    body: bytes | Values
    marking: bytes | Marks
    state: str | None = None
    """Where it stands in its kind's workflow; None for a kind without one."""
    number: str | None = None
    """Registration number."""
    deleted: bool = False
    closed: bool = False
    counted: tuple[str, int, int] | None = None
    """The grid whose digest counts it, and the halves of its own digest there, as stored; None for a new one."""

    new: bool = False
    """Whether no row of it is stored yet."""
    joined_into: str | None = None
    """The record that it was joined into (并案); what comes to it is brought there too (joining.py)."""
    erased: bool = False
    """Whether its values are gone for good: it is a tombstone then, and nothing is taken in for it any more."""

    @property
    def held(self) -> bool:
        """Whether devices of its grid hold it."""
        return not (self.deleted or self.closed or self.restricted)

    @property
    def restricted(self) -> bool:
        """Whether it is for named people of the township only, and so on no device."""
        if isinstance(self.body, bytes) and _SAYS_RESTRICTED not in self.body:
            return False  # the common case need not be decoded
        return self.values.get(RESTRICTED) is True

    @property
    def parent(self) -> str | None:
        """The record that its field `parent` names, in whatever kind has one."""
        if isinstance(self.body, bytes) and _SAYS_PARENT not in self.body:
            return None  # as above
        named = self.values.get(PARENT)
        return named if isinstance(named, str) and is_id(named) else None

    @property
    def values(self) -> Values:
        """The values, to be read and changed."""
        if isinstance(self.body, bytes):
            self.body = decode_values(self.body)
        return self.body

    @property
    def marks(self) -> Marks:
        """The marks, to be read and changed."""
        if isinstance(self.marking, bytes):
            self.marking = decode_marks(self.marking)
        return self.marking

    def stored(self) -> tuple[bytes, bytes]:
        """Values and marks as they are stored: canonical JSON."""
        body = self.body if isinstance(self.body, bytes) else encode_values(self.body)
        marking = (
            self.marking if isinstance(self.marking, bytes) else encode_marks(live_writers(self.marking))
        )
        return body, marking


def born(change: Change, body: bytes | Values, kind: Kind, writer: Writer) -> RecordState:
    """A new record: as its create says, in the first state of its workflow or the one that the create steps into."""
    state = RecordState(
        change.record, kind.name, writer.n, writer.n, change.place or "", body, Marks([writer]), new=True
    )
    if kind.workflow is not None:
        to = change.act.to if change.act is not None else kind.workflow.initial
        enter(state, kind.workflow, to, writer.n)
    return state


def enter(state: RecordState, workflow: Workflow | None, to: str, n: int) -> None:
    """Puts the record into a state of its workflow; a closed one leaves the devices, a reopened one returns."""
    entered = workflow.state(to) if workflow is not None else None
    closed = entered is not None and entered.closed
    if state.closed and not closed:
        state.placed = n
    state.closed = closed
    state.state = to


encode_values: Final = msgspec.json.Encoder(order="sorted").encode
encode_marks: Final = msgspec.json.Encoder().encode
decode_values: Final = msgspec.json.Decoder(dict[str, Any]).decode
decode_marks: Final = msgspec.json.Decoder(Marks).decode


def live_writers(marks: Marks) -> Marks:
    """The same marks with writers that no path refers to any more left out; the create keeps its place."""
    if len(marks.writers) == 1:
        return marks
    used = sorted(_references(marks) | {CREATE})
    if len(used) == len(marks.writers):
        return marks
    to = {old: new for new, old in enumerate(used)}
    return Marks(
        writers=[marks.writers[old] for old in used],
        fields=_renumber(marks.fields, to),
        sets=_renumber(marks.sets, to),
        members={
            field: {member: [to[at] for at in ats] for member, ats in members.items()}
            for field, members in marks.members.items()
        },
        entries={
            field: {entry: _renumber(subs, to) for entry, subs in entries.items()}
            for field, entries in marks.entries.items()
        },
        removed={
            field: {e: Removed(to[r.writer], r.values, _renumber(r.marks, to)) for e, r in entries.items()}
            for field, entries in marks.removed.items()
        },
    )


def _renumber(subs: dict[str, int], to: dict[int, int]) -> dict[str, int]:
    return {sub: to[at] for sub, at in subs.items()}


def _references(marks: Marks) -> set[int]:
    found = {*marks.fields.values(), *marks.sets.values()}
    for members in marks.members.values():
        found.update(at for ats in members.values() for at in ats)
    for entries in marks.entries.values():
        found.update(at for subs in entries.values() for at in subs.values())
    for gone in marks.removed.values():
        for removed in gone.values():
            found.add(removed.writer)
            found.update(removed.marks.values())
    return found
