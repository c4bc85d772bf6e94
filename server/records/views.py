"""What the HTTP surface says of records and their history: plain structs, with contact veiled."""

from typing import Any

import msgspec

from server.records.veil import Veil
from server.storage.changes import Stored
from sync_protocol.changes import Change
from sync_protocol.changes import decode as decode_change
from sync_protocol.history import Effect
from sync_protocol.state import RecordState

_decode_effects = msgspec.json.Decoder(tuple[Effect, ...]).decode


class RecordView(msgspec.Struct, frozen=True, kw_only=True):
    """A record as it stands."""

    id: str
    kind: str
    township: str
    place: str
    """A grid (15 digits), or only a village (12) or the township (9) until the office places it."""
    state: str | None
    number: str | None
    version: int
    """Also the ETag, for If-Match."""
    closed: bool
    deleted: bool
    joined_into: str | None
    """The record that it was joined into (并案)."""
    erased: bool
    """Whether its values are gone for good: docs/privacy.md."""
    fields: dict[str, Any]
    """Values by field; a set as a list of codes, entries by their ids. What was never set is not there."""
    masked: bool
    """Whether contact in `fields` is masked, because the token does not read contact."""


class RecordPage(msgspec.Struct, frozen=True):
    """Some records, and from where the list goes on; None at its end."""

    records: list[RecordView]
    next: str | None


class EffectView(msgspec.Struct, frozen=True):
    """What a change did to one path. Paths: docs/protocol.md."""

    path: str
    before: Any
    after: Any


class WhoWhen(msgspec.Struct, frozen=True, kw_only=True):
    """Who made a change, and when: by their own clock, by the server's estimate, and on arrival."""

    author: str
    author_name: str | None
    role: str
    at_ms: int
    """The author's clock, as it was."""
    estimated_ms: int
    uncertainty_ms: int
    received_ms: int


class HistoryItem(msgspec.Struct, frozen=True, kw_only=True):
    """One change of a record, as it was judged."""

    change: str
    n: int
    who: WhoWhen
    result: str
    """applied, merged, conflict, quarantined; replayed, discarded: the office's word on `origin`; erased."""
    code: str | None
    origin: str | None
    """The quarantined change that this one takes in again, or closes; or that of a joined record which it brings."""
    do: str | None
    """create, edit, delete; None for a closing and for what is, or was, in quarantine."""
    action: str | None
    """The step of the workflow."""
    note: str | None
    reason: str | None
    decides: str | None
    """The conflict that this change decided."""
    into: str | None
    """The record that it joined this one into; "" where it split it from there."""
    fields: dict[str, Any]
    """Of a create: what it set. Later changes say it as effects."""
    effects: list[EffectView]


class HistoryPage(msgspec.Struct, frozen=True):
    """Some changes of a record, oldest first, and from where the list goes on."""

    changes: list[HistoryItem]
    next: str | None


class Closing(msgspec.Struct, frozen=True):
    """The payload of a closing: why, and what the office corrected before the change was taken in again."""

    closes: str
    reason: str | None = None
    corrected: tuple[str, ...] = ()


def record_view(
    township: str, state: RecordState, veil: Veil, only: frozenset[str] | None = None
) -> RecordView:
    """A record as the reader may see it; `only` names the fields that were asked for."""
    values = state.values
    if only is not None:
        values = {name: value for name, value in values.items() if name in only}
    fields, masked = veil.values(values)
    return RecordView(
        id=state.id,
        kind=state.kind,
        township=township,
        place=state.place,
        state=state.state,
        number=state.number,
        version=state.version,
        closed=state.closed,
        deleted=state.deleted,
        joined_into=state.joined_into,
        erased=state.erased,
        fields=fields,
        masked=masked,
    )


def who_when(row: Stored, names: dict[str, str]) -> WhoWhen:
    """Who made a stored change, and when."""
    return WhoWhen(
        author=row.author,
        author_name=names.get(row.author),
        role=row.role,
        at_ms=row.at_ms,
        estimated_ms=row.stamp_ms,
        uncertainty_ms=row.uncertainty_ms,
        received_ms=row.received_ms,
    )


def change_of(row: Stored) -> Change | None:
    """The change that a row holds; None for a closing, and for what could not be decoded."""
    try:
        return decode_change(row.payload)
    except (ValueError, RecursionError):
        return None


def effects_of(row: Stored, veil: Veil) -> list[EffectView]:
    """What a stored change did, as the reader may see it."""
    return [
        EffectView(e.path, veil.at(e.path, e.before), veil.at(e.path, e.after))
        for e in _decode_effects(row.effects)
    ]


def closing_reason(row: Stored) -> str | None:
    """Why the office closed a quarantined change; None for other rows."""
    try:
        return msgspec.json.decode(row.payload, type=Closing).reason
    except (ValueError, RecursionError):
        return None


def history_item(row: Stored, names: dict[str, str], veil: Veil) -> HistoryItem:
    """One row of a record's history. What a quarantined change says is the quarantine's to show."""
    change = None if row.quarantined else change_of(row)
    act = change.act if change is not None else None
    fields: dict[str, Any] = {}
    if change is not None and change.do == "create":
        fields = veil.values(msgspec.json.decode(change.fields))[0]
    return HistoryItem(
        change=row.change_id,
        n=row.n,
        who=who_when(row, names),
        result=row.result,
        code=row.code,
        origin=row.origin,
        do=change.do if change is not None else None,
        action=act.name if act is not None else None,
        note=act.note if act is not None else None,
        reason=change.reason if change is not None else closing_reason(row),
        decides=change.decides if change is not None else None,
        into=change.into if change is not None else None,
        fields=fields,
        effects=effects_of(row, veil),
    )
