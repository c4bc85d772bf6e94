"""What the HTTP surface says of a conflict: base, every value with its author and times, what stands."""

from collections.abc import Mapping
from typing import Any

import msgspec

from server.records.veil import Veil
from server.records.views import RecordView, WhoWhen, change_of, who_when
from server.storage.changes import Stored
from server.storage.conflicts import Conflict
from sync_protocol.case import equal
from sync_protocol.standing import value_at, writer_at
from sync_protocol.state import RecordState


class SideView(msgspec.Struct, frozen=True, kw_only=True):
    """One of the values that differ, as its author wrote it."""

    value: Any
    change: str
    """To be named as `pick`."""
    who: WhoWhen | None
    stands: bool
    """Whether the record says this now."""


class ConflictView(msgspec.Struct, frozen=True, kw_only=True):
    """Values that several people wrote on one path without having seen each other's."""

    id: str
    township: str
    record: str
    kind: str
    number: str | None
    place: str
    path: str
    """A field, an entry's sub-field, state, place; "" for the record itself, kept or deleted."""
    rule: str
    """The merge rule that found it."""
    status: str
    """open: the office decides; by_rule: the rule chose, the office may choose again; decided."""
    opened_ms: int
    decided_ms: int | None
    decision: str | None
    """The change that decided it."""
    base: Any
    """What they had all seen before."""
    values: list[SideView]
    stands: Any
    """What the record says now."""
    stands_since: int
    """The version of that value."""
    version: int
    """The record's version, for If-Match."""


class ConflictDetail(ConflictView, frozen=True, kw_only=True):
    """A conflict with the rest of its record, and who decided it."""

    rest: RecordView
    decided_by: WhoWhen | None = None
    decided_why: str | None = None


class ConflictPage(msgspec.Struct, frozen=True):
    """Some conflicts, oldest first, and from where the list goes on."""

    conflicts: list[ConflictView]
    next: str | None


def conflict_view(
    township: str,
    conflict: Conflict,
    state: RecordState,
    rows: Mapping[str, Stored],
    names: dict[str, str],
    veil: Veil,
) -> ConflictView:
    """A conflict as the reader may see it; `rows` are the changes of its values, by id."""
    stands = value_at(state, conflict.path)
    values = [
        SideView(
            value=veil.at(conflict.path, side.value),
            change=side.writer.change,
            who=who_when(rows[side.writer.change], names) if side.writer.change in rows else None,
            stands=equal(side.value, stands),
        )
        for side in conflict.sides.values
    ]
    return ConflictView(
        id=conflict.conflict_id,
        township=township,
        record=conflict.record_id,
        kind=state.kind,
        number=state.number,
        place=state.place,
        path=conflict.path,
        rule=conflict.rule,
        status=conflict.status,
        opened_ms=conflict.opened_ms,
        decided_ms=conflict.decided_ms,
        decision=conflict.decision,
        base=veil.at(conflict.path, conflict.sides.base),
        values=values,
        stands=veil.at(conflict.path, stands),
        stands_since=writer_at(state, conflict.path).n,
        version=state.version,
    )


def with_rest(
    view: ConflictView, rest: RecordView, decision: Stored | None, names: dict[str, str]
) -> ConflictDetail:
    """The same with the rest of its record, and with the change that decided it."""
    change = change_of(decision) if decision is not None else None
    return ConflictDetail(
        **msgspec.structs.asdict(view),
        rest=rest,
        decided_by=who_when(decision, names) if decision is not None else None,
        decided_why=change.reason if change is not None else None,
    )
