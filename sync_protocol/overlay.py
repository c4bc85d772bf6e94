"""How a device shows a record: what the pages brought, with its own pending changes laid over it.

An own change is laid over by the very merge that the server uses, told that its author had seen
everything; so where nothing was concurrent, the screen already shows what the server will make of it.

    lay(base, laid, kind)                 the record as shown, with what its author sees (`Sight`)
    apply_page_record(base, page, own)    the base after one record of a page
    cause(sight, parts)                   what an edit of that screen travels with: base, bases, on, after
    writes(change)                        what a change wanted each path to be

Bases move only by pages. A verdict `applied` moves nothing but the paths that its change wrote (`bases`),
because only of these the device knows what stands. A create that was applied counts for every path.

`own` of a page may name only changes whose verdict is `applied`: what a merge made of a concurrent one the
device cannot know, so the server sends those values themselves.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from sync_protocol.changes import Act, Add, Change, Do, Drop, Increment, Op, Put, Remove, fields_of
from sync_protocol.history import EXISTENCE, PLACE, STATE, History
from sync_protocol.kinds import Kind
from sync_protocol.merge import merge
from sync_protocol.messages import PageRecord
from sync_protocol.outcome import Arrival
from sync_protocol.state import Marks, RecordState, Values, Writer, born

_SEEN_ALL: Final = 2**62
_OWN_ROLE: Final = "clerk"
"""A role of the office: a worker's own step shows on the worker's screen whatever state the page brought."""


class Base(msgspec.Struct, frozen=True):
    """A record as the pages left it; `values` as in state.py."""

    id: str
    kind: str
    place: str
    version: int
    values: Values
    state: str | None = None
    number: str | None = None


class Laid(msgspec.Struct, frozen=True):
    """An own change that lies over the base; `applied` is its number if its verdict was `applied`, else 0."""

    change: Change
    applied: int = 0


class Sight(msgspec.Struct, frozen=True):
    """The causal past of a screen: what somebody who edits it has seen."""

    version: int = 0
    bases: dict[str, int] = {}
    """Paths whose own applied value is newer than `version`."""
    shown: dict[str, str] = {}
    """Path to the latest own change that no page has brought yet."""
    after: str | None = None
    """The own create, while no page has brought the record."""


class View(msgspec.Struct, frozen=True):
    """A record as shown."""

    id: str
    kind: str
    place: str
    values: Values
    state: str | None
    number: str | None
    deleted: bool
    whole: bool
    """False when neither a page nor an own create says what the record was: it left, its edits are unsent."""
    sight: Sight


class Parts(msgspec.Struct, frozen=True):
    """What a change says, before it is known what it was made on."""

    do: Do = "edit"
    fields: dict[str, Any] = {}
    ops: tuple[Op, ...] = ()
    act: Act | None = None
    place: str | None = None


class Cause(msgspec.Struct, frozen=True):
    """What a change was made on, under the names of changes.py."""

    base: int = 0
    bases: dict[str, int] = {}
    on: dict[str, str] = {}
    after: str | None = None


def lay(base: Base | None, laid: Sequence[Laid], kind: Kind, record: str) -> View:
    """The record as shown: `laid`, in the order in which they were saved, over `base`."""
    state = _state(base, record, kind)
    version, after = (base.version, None) if base is not None else (0, None)
    bases: dict[str, int] = {}
    shown: dict[str, str] = {}
    for at, one in enumerate(laid):
        change = one.change
        if change.do == "create":
            if base is None:
                state = _write(state, change, kind, at + 1)
                version, after = one.applied, change.id
            continue
        edited = _edited_entries(change, state)
        state = _write(state, change, kind, at + 1)
        for path in paths(_parts(change)):
            if path in edited:
                continue  # what is named for an entry holds for all of it, and this wrote but a part
            shown[path] = change.id
            if one.applied:
                bases[path] = one.applied
    sight = Sight(version, {path: n for path, n in bases.items() if n > version}, shown, after)
    number = base.number if base is not None else None
    whole = base is not None or after is not None
    return View(
        record, kind.name, state.place, state.values, state.state, number, state.deleted, whole, sight
    )


def apply_page_record(
    base: Base | None, page: PageRecord, own: Sequence[Change], kind: Kind | None
) -> Base | None:
    """The base after one record of a page; None when the device holds nothing that it could be applied to.

    `own` are the changes that `page.own` names, in its order; they need `kind`, nothing else does.
    """
    whole = tells_all(page, own)
    if base is None and not whole:
        return None
    held = None if whole else base
    values = _copied(held.values) if held is not None else {}
    place, name = (held.place, held.kind) if held is not None else (page.place, page.kind)
    if own and kind is not None:
        state = _state(held, page.id, kind)
        for at, change in enumerate(own):
            state = _write(state, change, kind, at + 1)
        values, place, name = state.values, state.place, kind.name
    for field, value in msgspec.json.decode(page.fields).items():
        _assign(values, field, value)
    for field, entries in page.entries.items():
        merged = {**(values.get(field) or {}), **entries}
        _assign(values, field, {entry: subs for entry, subs in merged.items() if subs is not None} or None)
    known = (held.state, held.number) if held is not None else (None, None)
    state_now, number = page.state or known[0], page.number or known[1]
    return Base(page.id, page.kind or name, page.place or place, page.n, values, state_now, number)


def tells_all(page: PageRecord, own: Sequence[Change]) -> bool:
    """Whether nothing that the device held before says anything of the record beside this row."""
    return page.whole or (bool(own) and own[0].do == "create")


def cause(sight: Sight, parts: Parts) -> Cause:
    """What an edit of a screen travels with. A create travels with nothing."""
    if parts.do == "create":
        return Cause()
    seen = set(paths(parts))
    below = tuple(f"{op.path}/" for op in parts.ops if isinstance(op, Drop))
    if parts.do == "delete":
        seen |= {*sight.shown, *sight.bases}
    elif below:
        seen |= {path for path in {*sight.shown, *sight.bases} if path.startswith(below)}
    on = {path: sight.shown[path] for path in sorted(seen & sight.shown.keys())}
    bases = {path: sight.bases[path] for path in sorted(seen & sight.bases.keys())}
    return Cause(sight.version, bases, on, sight.after)


def paths(parts: Parts) -> Iterable[str]:
    """The paths that a change writes, as the merge names them; a create writes every one and lists none."""
    if parts.do == "create":
        return
    if parts.do == "delete":
        yield EXISTENCE
    yield from parts.fields
    for op in parts.ops:
        yield op.path
        if isinstance(op, Put):
            for sub in msgspec.json.decode(op.values):
                yield f"{op.path}/{sub}"
    if parts.act is not None:
        yield STATE
    if parts.place is not None:
        yield PLACE


def writes(change: Change) -> dict[str, Any]:
    """What a change wants each path to be, as far as that can differ from what stands: no increments."""
    wanted: dict[str, Any] = fields_of(change)
    if change.do == "delete":
        wanted[EXISTENCE] = "deleted"
    for op in change.ops:
        match op:
            case Add():
                wanted[op.path] = True
            case Remove() | Drop():
                wanted[op.path] = None
            case Put():
                subs = msgspec.json.decode(op.values).items()
                wanted |= {f"{op.path}/{name}": value for name, value in subs}
            case Increment():
                pass
    if change.act is not None:
        wanted[STATE] = change.act.to
    if change.place is not None and change.do == "edit":
        wanted[PLACE] = change.place
    return wanted


def _edited_entries(change: Change, state: RecordState) -> set[str]:
    """The entries of which the change writes some sub-fields, as distinct from those that it adds."""
    return {
        op.path for op in change.ops if isinstance(op, Put) and op.entry in (state.values.get(op.field) or {})
    }


def _parts(change: Change) -> Parts:
    return Parts(change.do, fields_of(change), change.ops, change.act, change.place)


def _state(base: Base | None, record: str, kind: Kind) -> RecordState:
    marks = Marks([Writer(0, 0, "", "")])
    if base is None:
        return RecordState(record, kind.name, 0, 0, "", {}, marks)
    return RecordState(
        base.id, base.kind, base.version, 0, base.place, _copied(base.values), marks, base.state
    )


def _write(state: RecordState, change: Change, kind: Kind, at: int) -> RecordState:
    """The record with `change` in it; `at` orders the changes that lie over one base."""
    if change.do == "create":
        return born(change, fields_of(change), kind, Writer(at, at, change.id, ""))
    known = tuple(op for op in change.ops if op.field in kind.fields)
    unopposed = msgspec.structs.replace(change, base=_SEEN_ALL, bases={}, on={}, after=None, ops=known)
    fields = fields_of(change)
    # Of a newer version of the kind, say: it is shown as it is, and hides nothing else.
    for name in fields.keys() - kind.fields.keys():
        _assign(state.values, name, fields.pop(name))
    merge(state, unopposed, fields, kind, Arrival(at, at, "", _OWN_ROLE), History())
    return state


def _assign(values: Values, key: str, value: Any) -> None:
    if value is None:
        values.pop(key, None)
    else:
        values[key] = value


def _copied(values: Values) -> Values:
    """A copy down to the sub-fields of entries, which the merge writes in place."""
    return {
        name: {key: dict(inner) if isinstance(inner, dict) else inner for key, inner in value.items()}
        if isinstance(value, dict)
        else value
        for name, value in values.items()
    }
