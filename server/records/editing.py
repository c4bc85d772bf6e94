"""From what an application wants a record to be, to the change that says what it changed. Pure.

An application sends whole values. A change says only what is different, in the words of each merge rule:
members added to and removed from a set, the step of a sum, sub-fields of entries. So what others do to the
same record meanwhile merges with it.

`seen` is the version that the application had before it. A value that somebody changed since is not
overwritten: the request is declined with `version_conflict`, unless it wants just what stands.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from server.declined import Declined, invalid
from server.records.veil import Veil, is_contact
from sync_protocol.case import equal
from sync_protocol.changes import Add, Drop, Increment, Op, Put, Remove
from sync_protocol.history import EXISTENCE, PLACE
from sync_protocol.kinds import Field, InvalidField, Kind, Shape
from sync_protocol.standing import value_at, writer_at
from sync_protocol.state import RecordState

CONTACT_WRITE: Final = "contact:write"
ENTRY_ID: Final = "id"
_encode: Final = msgspec.json.Encoder(order="deterministic").encode


class EntriesEdit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What happens to one list of entries."""

    append: list[dict[str, Any]] = []
    """New entries; `id` may be given (a UUID), else the server makes one."""
    edit: dict[str, dict[str, Any]] = {}
    """Entry id to the sub-fields that change; null clears one."""
    remove: list[str] = []
    """Entry ids."""


class Edit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an application wants to change of a record. Null clears a field."""

    fields: dict[str, Any] = {}
    entries: dict[str, EntriesEdit] = {}
    place: str | None = None
    """A grid, village or township code: moves the record, or places it."""
    reason: str | None = None


@dataclass(slots=True)
class Changed:
    """What of an edit is different from what stands."""

    fields: dict[str, Any] = field(default_factory=dict)
    ops: list[Op] = field(default_factory=list)
    place: str | None = None

    @property
    def nothing(self) -> bool:
        """Whether the record says already what was asked for."""
        return not (self.fields or self.ops or self.place is not None)


@dataclass(slots=True, frozen=True)
class Editor:
    """Everything that an edit is compared with."""

    state: RecordState
    shape: Shape
    seen: int | None
    """None when the caller takes whatever stands."""
    scopes: frozenset[str]
    new_id: Callable[[], str]

    @property
    def kind(self) -> Kind:
        """The kind that the edit is written against."""
        return self.shape.kind


def changed(editor: Editor, edit: Edit) -> Changed:
    """The difference; declines what is stale, not allowed by the token, or no value of its field."""
    out = Changed()
    try:
        for name, value in edit.fields.items():
            _field(editor, out, name, value)
        for name, entries in edit.entries.items():
            _entries(editor, out, name, entries)
    except InvalidField as problem:
        raise invalid(problem.path, problem.reason.en, problem.code) from None
    if edit.place is not None and edit.place != editor.state.place:
        check_seen(editor.state, editor.seen, PLACE)
        out.place = edit.place
    if not out.nothing:
        check_seen(editor.state, editor.seen, EXISTENCE)
    return out


def check_seen(state: RecordState, seen: int | None, *paths: str) -> None:
    """Declines when one of `paths` was written after the version that the caller has seen."""
    if seen is not None and seen > state.version:
        raise Declined("version_conflict", "If-Match names no version of this record", version=state.version)
    stale = [path for path in paths if seen is not None and writer_at(state, path).n > seen]
    if stale:
        raise Declined("version_conflict", field=stale[0], fields=stale, version=state.version)


def check_contact(kind: Kind, scopes: frozenset[str], paths: Iterable[str]) -> None:
    """Declines the writing of contact without its scope."""
    for path in paths:
        if CONTACT_WRITE not in scopes and is_contact(kind, path):
            raise Declined(
                "forbidden", f"this needs the scope {CONTACT_WRITE}", scope=CONTACT_WRITE, field=path
            )


def _field(editor: Editor, out: Changed, name: str, raw: Any) -> None:
    check_contact(editor.kind, editor.scopes, [name])
    # Checked as a value of the whole field, whatever its rule, so that a difference is made of canonical ones.
    value = editor.shape.check_values(_encode({name: raw}))[name]
    declared, standing = editor.kind.fields[name], editor.state.values.get(name)
    if declared.merge == "entries":
        raise invalid(name, "entries are appended, edited and removed one by one: see `entries`")
    if equal(value, standing) or (not value and declared.merge == "union" and not standing):
        return
    check_seen(editor.state, editor.seen, name)
    _check_mask(editor, name, value, standing)
    if declared.merge == "union":
        out.ops += _members(name, set(standing or []), set(value or []))
    elif declared.merge == "sum":
        out.ops.append(_step(name, standing, value))
    else:
        out.fields[name] = value


def _members(name: str, standing: set[str], wanted: set[str]) -> Iterator[Op]:
    for member in sorted(wanted - standing):
        yield Add(name, member)
    for member in sorted(standing - wanted):
        yield Remove(name, member)


def _step(name: str, standing: Any, wanted: Any) -> Increment:
    if wanted is None:
        raise invalid(name, "a sum is not cleared; write 0")
    return Increment(name, wanted - (standing or 0))


def _entries(editor: Editor, out: Changed, name: str, edit: EntriesEdit) -> None:
    check_contact(editor.kind, editor.scopes, [name])
    declared = editor.kind.field(name)
    if declared is None or declared.merge != "entries":
        raise invalid(name, "there is no such list of entries", "unknown_field")
    for values in edit.append:
        entry = values.get(ENTRY_ID) or editor.new_id()
        _append(editor, out, declared, str(entry), {k: v for k, v in values.items() if k != ENTRY_ID})
    for entry, values in edit.edit.items():
        _edit_entry(editor, out, declared, entry, values)
    for entry in edit.remove:
        _remove_entry(editor, out, declared, entry)


def _append(editor: Editor, out: Changed, declared: Field, entry: str, values: dict[str, Any]) -> None:
    if entry in (editor.state.values.get(declared.name) or {}):
        # Appended before, by the same request: what it says is compared like an edit.
        _edit_entry(editor, out, declared, entry, values)
        return
    check_contact(editor.kind, editor.scopes, [f"{declared.name}/{entry}/{sub}" for sub in values])
    checked = editor.shape.check_entry(declared.name, _encode(values), partial=False)
    out.ops.append(Put(declared.name, entry, msgspec.Raw(_encode(checked))))


def _edit_entry(editor: Editor, out: Changed, declared: Field, entry: str, values: dict[str, Any]) -> None:
    path = f"{declared.name}/{entry}"
    if entry not in (editor.state.values.get(declared.name) or {}):
        check_seen(editor.state, editor.seen, path)
        raise invalid(path, "there is no such entry")
    checked = editor.shape.check_entry(declared.name, _encode(values), partial=True)
    new: dict[str, Any] = {}
    for sub, value in checked.items():
        standing = value_at(editor.state, f"{path}/{sub}")
        if equal(value, standing):
            continue
        check_contact(editor.kind, editor.scopes, [f"{path}/{sub}"])
        check_seen(editor.state, editor.seen, f"{path}/{sub}")
        _check_mask(editor, f"{path}/{sub}", value, standing)
        new[sub] = value
    if new:
        out.ops.append(Put(declared.name, entry, msgspec.Raw(_encode(new))))


def _remove_entry(editor: Editor, out: Changed, declared: Field, entry: str) -> None:
    if entry in (editor.state.values.get(declared.name) or {}):
        check_seen(editor.state, editor.seen, f"{declared.name}/{entry}")
        out.ops.append(Drop(declared.name, entry))


def is_mask(kind: Kind, path: str, value: Any, *standing: Any) -> bool:
    """Whether `value` is the masked form of contact: what a reader was shown who may not read contact."""
    veil = Veil(kind, full=False)
    return (
        value is not None and is_contact(kind, path) and any(value == veil.at(path, one) for one in standing)
    )


def _check_mask(editor: Editor, path: str, value: Any, standing: Any) -> None:
    """A reader who was shown 138****1234 and sends the record back must not overwrite the number with it."""
    if is_mask(editor.kind, path, value, standing):
        raise invalid(path, "this is the masked form of what stands, not a value")
