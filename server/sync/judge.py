"""Whether a change may be merged, and if not, why it waits in quarantine. Pure.

Everything that can be refused is refused here, before the merge touches a record, so the merge itself can
be total. A refusal never says anything of a record that the author may not see: an unknown record and one
out of scope get the same answer.
"""

from typing import Any, Final, Protocol

import msgspec

from sync_protocol.changes import Act, Add, Change, Drop, Increment, Op, Put, Remove
from sync_protocol.codec import Unreadable
from sync_protocol.erasing import ERASED
from sync_protocol.ids import is_id, township_of
from sync_protocol.joining import ends_a_join, joins_as_a_whole
from sync_protocol.kinds import InvalidField, Shape, Title
from sync_protocol.kinds.declaration import OFFICE_ROLES
from sync_protocol.limits import Limits
from sync_protocol.state import CREATE, RecordState, encode_values

_ENTRY_ID: Final = Title("条目编号应为小写 UUID", "an entry id is a UUID in lower case")
INCREMENT_MAX: Final = 2**31
"""So that no number of them leaves 64 bits, and a sum never has to be cut off."""
_INCREMENT: Final = Title("增量应在 ±2^31 以内", "an increment lies within ±2^31")
SINGLE_RULES: Final = frozenset({"latest", "review", "text", "max", "min"})


class Author(msgspec.Struct, frozen=True):
    """Whoever made the changes of one request."""

    id: str
    township: str
    role: str
    grids: frozenset[str] | None
    """The grids that the author may write in; None for the whole township."""
    revoked: bool = False


class Refusal(msgspec.Struct, frozen=True):
    """Why a change is not merged: a code, and where it helps, the field and the reason in words.

    It waits in quarantine; with the code `erased` it waits for nobody, and nothing of what it said is kept.
    """

    code: str
    field: str | None = None
    reason: str | None = None


class Accepted(msgspec.Struct, frozen=True):
    """What the merge needs: single values checked, or the canonical body of a new record."""

    shape: Shape
    fields: dict[str, Any] = {}
    body: bytes = b""
    ops: tuple[Op, ...] = ()

    def canonical(self, change: Change) -> Change:
        """The change with its values in canonical form: 3 and 3.0 must not look like two opinions later.

        Its counter is nought: that is the queue's business, and has a column of its own.
        """
        fields = msgspec.Raw(self.body or encode_values(self.fields))
        return msgspec.structs.replace(change, n=0, fields=fields, ops=self.ops)


class Kinds(Protocol):
    """The kinds that this server knows."""

    def shape(self, name: str, version: int) -> Shape | None:
        """The checks of one version of a kind; None when it is not installed."""

    def known(self, name: str) -> bool:
        """Whether any version of a kind is installed."""


def judge(
    change: Change | Unreadable,
    author: Author,
    state: RecordState | None,
    kinds: Kinds,
    limits: Limits,
    *,
    orphan: bool = False,
) -> Accepted | Refusal:
    """What the merge may do with a change; `orphan` says that its record's create waits in quarantine."""
    if state is not None and state.erased:
        return Refusal(ERASED)  # also to whoever is out of scope: of what they wrote nothing may be kept
    if author.revoked:
        return Refusal("revoked_device")
    if isinstance(change, Unreadable):
        return Refusal(change.code, None, change.reason)
    if not _in_scope(change, author, state):
        return Refusal("depends_on" if orphan else "not_in_scope")
    shape = kinds.shape(change.kind, change.version)
    if shape is None:
        return Refusal("unknown_version" if kinds.known(change.kind) else "unknown_kind")
    try:
        if state is None:
            return _create(change, author, shape)
        return _edit(change, author, state, shape, limits)
    except InvalidField as problem:
        return Refusal(problem.code, problem.path, problem.reason.en)


def _in_scope(change: Change, author: Author, state: RecordState | None) -> bool:
    """Whether the author may write this record; a new one must lie where they work."""
    if state is None:
        place = change.place or ""
        if change.do != "create" or township_of(place) != author.township:
            return False
        return author.grids is None or place in author.grids
    if author.grids is None:
        return True
    if state.place not in author.grids or state.closed:
        return False
    # What follows its create in the queue still arrives; the author reads nothing of it.
    return not state.restricted or state.marks.writers[CREATE].by == author.id


def _create(change: Change, author: Author, shape: Shape) -> Accepted | Refusal:
    if shape.kind.roles and author.role not in shape.kind.roles:
        return Refusal("not_permitted", "kind", f"the role {author.role} makes no records of this kind")
    body = shape.check_create(change.fields)
    if change.act is not None:
        workflow = shape.kind.workflow
        initial = workflow.initial if workflow is not None else ""
        refused = _step(change, change.act, author, shape, set(msgspec.json.decode(body)))
        if refused is not None or change.act.from_ != initial:
            return refused or Refusal("not_permitted", "state", f"a new record starts in {initial}")
    return Accepted(shape, body=body)


def _edit(
    change: Change, author: Author, state: RecordState, shape: Shape, limits: Limits
) -> Accepted | Refusal:
    refused = _rights(change, author, state)
    if refused is not None:
        return refused
    if change.do == "delete":
        numbered = state.number is not None or _will_be_numbered(state, shape)
        return Refusal("not_permitted", None, "numbered records are voided") if numbered else Accepted(shape)
    fields = shape.check_values(change.fields)
    for name in fields:
        rule = shape.kind.fields[name].merge
        if rule not in SINGLE_RULES:
            return Refusal("invalid_field", name, f"fields of rule {rule} are changed by operations")
    if _past_entries(change, state, limits):
        return Refusal("too_many_entries", None, f"at most {limits.entries_max} entries a list")
    if _too_large(change, state, limits):
        return Refusal("too_large", None, f"at most {limits.record_bytes_max} bytes a record")
    ops = tuple(_checked(op, shape, state) for op in change.ops)
    given = {*state.values, *fields, *(op.field for op in ops)}
    if _breaks_a_join(change, author, state, shape):
        return Refusal(
            "not_permitted", "state", "a record is joined, and split again, together with the other one"
        )
    step = _step(change, change.act, author, shape, given) if change.act is not None else None
    return step or Accepted(shape, fields=fields, ops=ops)


def _rights(change: Change, author: Author, state: RecordState) -> Refusal | None:
    """Why this author may not do this sort of thing to this record; None when they may."""
    if change.do == "create":
        return Refusal("record_exists")
    if change.kind != state.kind:
        return Refusal("invalid_field", "kind", f"the record is of kind {state.kind}")
    if (change.place is not None or change.decides is not None) and author.grids is not None:
        return Refusal("not_permitted", "place", "only the office moves records and decides")
    if change.into is not None and author.grids is not None:
        return Refusal("not_permitted", "into", "only the office joins records")
    if change.place is not None and township_of(change.place) != author.township:
        return Refusal("unknown_place", "place", "a record's township never changes")
    return None


def _breaks_a_join(change: Change, author: Author, state: RecordState, shape: Shape) -> bool:
    """Whether a step leads into a join, or out of one, by itself. What the field does meanwhile is merged as ever."""
    by_itself = author.role in OFFICE_ROLES and ends_a_join(change, state, shape.kind)
    return by_itself or not joins_as_a_whole(change)


def _will_be_numbered(state: RecordState, shape: Shape) -> bool:
    """Whether an earlier change of this very push has earned the record its number, which comes at the end."""
    workflow = shape.kind.workflow
    entered = workflow.state(state.state or "") if workflow is not None else None
    return entered is not None and entered.numbered


def _checked(op: Op, shape: Shape, state: RecordState) -> Op:
    """The operation with its values in canonical form; raises InvalidField."""
    match op:
        case Add() | Remove():
            shape.check_element(op.field, op.value)
        case Increment():
            if abs(shape.check_increment(op.field, op.by)) > INCREMENT_MAX:
                raise InvalidField(op.field, _INCREMENT, "invalid_field")
        case Put():
            known = op.entry in (state.values.get(op.field) or {}) or _removed(state, op)
            values = shape.check_entry(op.field, op.values, partial=known)
            _entry_id(op)
            return Put(op.field, op.entry, msgspec.Raw(msgspec.json.encode(values)))
        case Drop():
            shape.check_entry(op.field, b"{}", partial=True)
            _entry_id(op)
    return op


def _removed(state: RecordState, op: Put) -> bool:
    return op.entry in state.marks.removed.get(op.field, {})


def _entry_id(op: Put | Drop) -> None:
    if not is_id(op.entry):
        raise InvalidField(op.field, _ENTRY_ID, "invalid_field")


def _past_entries(change: Change, state: RecordState, limits: Limits) -> bool:
    """Whether the author, who saw the whole list, goes past its limit. A merge may exceed it."""
    if state.version > change.base:
        return False
    new: dict[str, set[str]] = {}
    for op in change.ops:
        if isinstance(op, Put) and op.entry not in (state.values.get(op.field) or {}):
            new.setdefault(op.field, set()).add(op.entry)
    return any(
        len(state.values.get(name) or {}) + len(more) > limits.entries_max for name, more in new.items()
    )


def _too_large(change: Change, state: RecordState, limits: Limits) -> bool:
    """Whether an edit makes a record larger than one may be; every device of its grid would have to hold it."""
    more = len(bytes(change.fields)) + sum(len(bytes(op.values)) for op in change.ops if isinstance(op, Put))
    # A record that was not decoded yet tells its size for nothing; a small edit of a small one need not be weighed.
    stored = state.body if isinstance(state.body, bytes) else b""
    if stored and len(stored) + more <= limits.record_bytes_max:
        return False
    return len(state.stored()[0]) + more > limits.record_bytes_max


def _step(change: Change, act: Act, author: Author, shape: Shape, given: set[str]) -> Refusal | None:
    """Why a step of the workflow is not open to this author; None when it is."""
    workflow = shape.kind.workflow
    transition = workflow.transition(act.name, act.from_) if workflow is not None else None
    if transition is None or transition.to != act.to:
        # Of what was sent no text is quoted: it may be anything.
        return Refusal("not_permitted", "state", "the workflow has no such step between these states")
    # Whoever may decide what differs may choose any state that the office could bring the record to.
    decides = change.decides is not None and change.do == "edit" and author.grids is None
    open_to_office = decides and not OFFICE_ROLES.isdisjoint(transition.roles)
    if author.role not in transition.roles and not open_to_office:
        return Refusal("not_permitted", "state", f"{act.name} is not open to the role {author.role}")
    words = {"note": act.note, "reason": change.reason or act.note}
    missing = transition.missing({*given, *(word for word, said in words.items() if said)})
    return Refusal("missing_field", missing[0], f"{act.name} needs {', '.join(missing)}") if missing else None
