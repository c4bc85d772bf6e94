"""What the server tells an application, as immutable snapshots. Unknown members of an answer are passed over."""

from datetime import date
from typing import Any

import msgspec

_GRID_DIGITS = 15
_VILLAGE_DIGITS = 12


class OfficeRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A record as it stood when it was read. Edits take the snapshot that was shown, and give the new one.

    `fields` has what was set, as JSON has it: times as RFC 3339 texts, sets as lists of codes, entries as
    {entry id: {sub-field: value}}. `masked` says that contact in it is masked, because the token does not
    read contact.
    """

    id: str
    kind: str
    township: str
    place: str
    state: str | None
    number: str | None
    version: int
    closed: bool
    deleted: bool
    fields: dict[str, Any]
    masked: bool
    joined_into: str | None = None
    """The record that it was joined into; what is said of it is said there."""

    @property
    def grid(self) -> str | None:
        """The grid where it lies; None until the office has placed it in one."""
        return self.place if len(self.place) == _GRID_DIGITS else None

    @property
    def village(self) -> str | None:
        """The village where it lies; None while only the township is known."""
        return self.place[:_VILLAGE_DIGITS] if len(self.place) >= _VILLAGE_DIGITS else None


class Who(msgspec.Struct, frozen=True, kw_only=True):
    """Who made a change, and when: by their own clock, by the server's estimate, and on arrival (in ms)."""

    author: str
    author_name: str | None
    role: str
    at_ms: int
    estimated_ms: int
    uncertainty_ms: int
    received_ms: int


class Effect(msgspec.Struct, frozen=True):
    """What a change did to one path."""

    path: str
    before: Any
    after: Any


class HistoryEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One change of a record; `fields` is what a create set, `effects` what a later change did."""

    change: str
    n: int
    who: Who
    result: str
    code: str | None
    origin: str | None
    do: str | None
    action: str | None
    note: str | None
    reason: str | None
    decides: str | None
    fields: dict[str, Any]
    effects: list[Effect]


class OfficeAction(msgspec.Struct, frozen=True, kw_only=True):
    """A step of the workflow that is open now; `missing` is what the record needs for it and has not."""

    name: str
    title: dict[str, str]
    to: str
    needs: tuple[str, ...]
    missing: tuple[str, ...]


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One of the values that differ, and whether the record says it now."""

    value: Any
    change: str
    who: Who | None
    stands: bool


class Conflict(msgspec.Struct, frozen=True, kw_only=True):
    """Values that several people wrote on one path without having seen each other's."""

    id: str
    township: str
    record: str
    kind: str
    number: str | None
    place: str
    path: str
    rule: str
    status: str
    """open, by_rule (the rule chose, you may choose again), decided."""
    opened_ms: int
    decided_ms: int | None
    decision: str | None
    base: Any
    values: list[Side]
    stands: Any
    stands_since: int
    version: int
    rest: OfficeRecord | None = None
    """The record; only where one conflict is shown."""


class Quarantined(msgspec.Struct, frozen=True, kw_only=True):
    """A device's change that could not be applied when it came."""

    id: str
    township: str
    n: int
    code: str
    field: str | None
    why: str | None
    who: Who
    record: str | None
    record_exists: bool
    wanted: dict[str, Any] | None
    """What it wanted, as far as it can be decoded: do, kind, place, fields, operations, action, ..."""
    bytes: int
    masked: bool


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """A quarantined change (`origin`) that was taken in again."""

    origin: str
    change: str
    record: str
    result: str
    n: int


class StillQuarantined(msgspec.Struct, frozen=True, kw_only=True):
    """A change that waited for the one replayed, and cannot be applied even so."""

    origin: str
    code: str
    field: str | None
    why: str


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a quarantined change, and of those that waited for it."""

    taken: list[Taken]
    refused: list[StillQuarantined]
    discarded: bool
    record: OfficeRecord | None


class OfficeChange(msgspec.Struct, frozen=True, kw_only=True):
    """One event of the feed. Save `cursor` once it is dealt with; `record` is the record after it."""

    cursor: str
    township: str
    n: int
    change: str
    action: str
    """created, edited, acted, moved, deleted, decided, replayed, conflict, erased, joined, split, brought."""
    transition: str | None
    result: str
    who: Who
    origin: str | None
    decides: str | None
    note: str | None
    reason: str | None
    effects: list[Effect]
    record: OfficeRecord
    into: str | None = None
    """The record that this one was joined into; "" of a split."""


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One value of a dimension, and how many matters it has; None where they are too few to be shown."""

    code: str | None
    matters: int | None
    name: str | None = None


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """How many matters that were received from `since` up to but without `until`, in all and by cell.

    Cells stand in the order of their codes. Counts below `least` are None.
    """

    measure: str
    by: str | None
    since: date
    until: date
    matters: int | None
    cells: list[Cell]
    least: int


class RecordPage(msgspec.Struct, frozen=True):
    """As the server pages records."""

    records: list[OfficeRecord]
    next: str | None


class HistoryPage(msgspec.Struct, frozen=True):
    """As the server pages a history."""

    changes: list[HistoryEntry]
    next: str | None


class ConflictPage(msgspec.Struct, frozen=True):
    """As the server pages conflicts."""

    conflicts: list[Conflict]
    next: str | None


class QuarantinePage(msgspec.Struct, frozen=True):
    """As the server pages the quarantine."""

    changes: list[Quarantined]
    next: str | None


class Actions(msgspec.Struct, frozen=True):
    """As the server lists actions."""

    actions: list[OfficeAction]


class FeedPage(msgspec.Struct, frozen=True):
    """As the server pages the feed."""

    changes: list[OfficeChange]
    cursor: str
