"""The change with which an application creates a record. Pure.

Its id and the record's follow from the application and its key, so a repeated request is the same change
of the one table of changes: a duplicate when it says the same, refused when it does not.
"""

from typing import Any, Final

import msgspec

from server.declined import Declined, invalid
from server.kinds.registry import Registry
from server.reach import Caller
from server.records.editing import check_contact
from server.records.writing import derived_id
from server.storage.changes import Stored
from sync_protocol.changes import Act, Change
from sync_protocol.changes import decode as decode_change
from sync_protocol.ids import township_of
from sync_protocol.kinds import Kind

_encode: Final = msgspec.json.Encoder(order="deterministic").encode
_ORDER_DIGITS: Final = 8


class NewRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A record that an application hands in."""

    kind: str
    key: str
    """The application's own number for it, such as "12345:2026-884213": the same key, the same record."""
    place: str
    """A grid, or only a village or the township: then the office places it."""
    fields: dict[str, Any] = {}
    """Values by field; entries as a list, or by ids (UUIDs)."""
    version: int | None = None
    """Version of the kind; the newest when it is left out."""
    note: str | None = None


def create_change(
    new: NewRecord,
    caller: Caller,
    registry: Registry,
    change_id: str,
    now_ms: int,
    known: Stored | None,
) -> Change:
    """The create; `known` is the one that was stored under the same id, if any.

    When it was sent and by which version of the kind are not part of what it says, so they are taken over.
    """
    if known is not None and known.erased:
        raise Declined("erased")
    before = decode_change(known.payload) if known is not None else None
    at_ms, mark_ms = (before.at, before.mark) if before is not None else (now_ms, now_ms)
    version = new.version if new.version is not None else before.version if before is not None else None
    kind = registry.latest(new.kind) if version is None else registry.get(new.kind, version)
    if kind is None:
        cause = "unknown_version" if registry.known(new.kind) else "unknown_kind"
        raise invalid("kind", "there is no such kind or version here", cause)
    check_contact(kind, caller.scopes, _paths(kind, new.fields))
    record = derived_id("record", caller.id, township_of(new.place), new.key)
    return Change(
        id=change_id,
        record=record,
        kind=kind.name,
        version=kind.version,
        n=1,
        at=at_ms,
        mark=mark_ms,
        do="create",
        place=new.place,
        fields=msgspec.Raw(_encode(_with_entry_ids(kind, record, new.fields))),
        act=_first_step(kind, caller.role, new.note),
    )


def _first_step(kind: Kind, role: str, note: str | None) -> Act | None:
    """The step into the first numbered state, if it is open: what the office or an application hands in is reported."""
    workflow = kind.workflow
    if workflow is None:
        return None
    for step in workflow.actions(workflow.initial, role):
        entered = workflow.state(step.to)
        if entered is not None and entered.numbered:
            return Act(step.name, workflow.initial, step.to, note)
    return None


def _with_entry_ids(kind: Kind, record: str, fields: dict[str, Any]) -> dict[str, Any]:
    """Lists of entries with ids that follow from record, field and place in the list, and keep its order."""
    named = dict(fields)
    for name, value in fields.items():
        field = kind.field(name)
        if field is not None and field.merge == "entries" and isinstance(value, list):
            named[name] = {_entry_id(record, name, at): entry for at, entry in enumerate(value)}
    return named


def _entry_id(record: str, field: str, at: int) -> str:
    return f"{at:0{_ORDER_DIGITS}x}{derived_id('entry', record, field, str(at))[_ORDER_DIGITS:]}"


def _paths(kind: Kind, fields: dict[str, Any]) -> list[str]:
    """The paths that a create writes, down to the sub-fields of entries."""
    paths = list(fields)
    for name, value in fields.items():
        field = kind.field(name)
        if field is not None and field.of:
            entries = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
            paths += [f"{name}//{sub}" for entry in entries if isinstance(entry, dict) for sub in entry]
    return paths
