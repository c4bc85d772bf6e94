"""What the HTTP surface says of a quarantined change: why it waits, whose it is, and what it wanted."""

from typing import Any

import msgspec

from server.records.veil import Veil
from server.records.views import RecordView, WhoWhen, change_of, who_when
from server.storage.changes import Stored
from server.sync.draft import first_verdict
from sync_protocol.changes import Add, Change, Drop, Increment, Op, Put, Remove, fields_of, object_of
from sync_protocol.history import STATE


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a change wanted, as far as it can be read."""

    do: str
    kind: str
    kind_version: int
    place: str | None
    fields: dict[str, Any]
    operations: list[dict[str, Any]]
    """Additions, removals, increments and entries, as they travelled."""
    action: str | None
    to: str | None
    """The state that its step leads to."""
    note: str | None
    reason: str | None


class QuarantinedView(msgspec.Struct, frozen=True, kw_only=True):
    """A change that could not be applied when it came."""

    id: str
    township: str
    n: int
    code: str
    """Why: see docs/errors.md."""
    field: str | None
    why: str | None
    """The reason in words, where the code alone does not tell."""
    who: WhoWhen
    record: str | None
    record_exists: bool
    """Whether the record that it is about is known to the server."""
    wanted: Wanted | None
    """None for what cannot be decoded."""
    bytes: int
    """Its size as it travelled."""
    masked: bool


class QuarantinePage(msgspec.Struct, frozen=True):
    """Some quarantined changes, oldest first, and from where the list goes on."""

    changes: list[QuarantinedView]
    next: str | None


class Taken(msgspec.Struct, frozen=True):
    """A quarantined change that was taken in again."""

    origin: str
    """Its own id."""
    change: str
    """The id of the row that it is now."""
    record: str
    result: str
    """applied, merged or conflict."""
    n: int


class StillQuarantined(msgspec.Struct, frozen=True):
    """A change that waited for this one, and cannot be applied even so."""

    origin: str
    code: str
    field: str | None
    why: str


class Replayed(msgspec.Struct, frozen=True):
    """What became of a quarantined change, and of those that waited for it."""

    taken: list[Taken]
    """In the order in which they were taken in; empty after a discard."""
    refused: list[StillQuarantined]
    discarded: bool
    record: RecordView | None
    """The record as it stands; None when there is none."""


def quarantined_view(
    township: str, row: Stored, names: dict[str, str], veil: Veil, *, record_exists: bool
) -> QuarantinedView:
    """A quarantined change as the reader may see it."""
    verdict = first_verdict(row)
    change = change_of(row)
    wanted = _wanted(change, veil) if change is not None else None
    return QuarantinedView(
        id=row.change_id,
        township=township,
        n=row.n,
        code=row.code or "unreadable",
        field=verdict.field,
        why=verdict.reason,
        who=who_when(row, names),
        record=row.record_id,
        record_exists=record_exists,
        wanted=wanted,
        bytes=len(row.payload),
        masked=change is not None and wanted != _wanted(change, Veil(veil.kind, full=True)),
    )


def kind_of(row: Stored) -> str | None:
    """The kind that a change names; None when it cannot be decoded."""
    change = change_of(row)
    return change.kind if change is not None else None


def _wanted(change: Change, veil: Veil) -> Wanted:
    act = change.act
    fields, _ = veil.values(fields_of(change))
    return Wanted(
        do=change.do,
        kind=change.kind,
        kind_version=change.version,
        place=change.place,
        fields=fields,
        operations=[_operation(op, veil) for op in change.ops],
        action=act.name if act is not None else None,
        to=veil.at(STATE, act.to) if act is not None else None,
        note=act.note if act is not None else None,
        reason=change.reason,
    )


def _operation(op: Op, veil: Veil) -> dict[str, Any]:
    match op:
        case Add() | Remove():
            return {"op": "add" if isinstance(op, Add) else "remove", "field": op.field, "value": op.value}
        case Increment():
            return {"op": "increment", "field": op.field, "by": op.by}
        case Put():
            values = object_of(op.values)
            shown = {sub: veil.at(f"{op.path}/{sub}", value) for sub, value in values.items()}
            return {"op": "put", "field": op.field, "entry": op.entry, "values": shown}
        case Drop():
            return {"op": "drop", "field": op.field, "entry": op.entry}
