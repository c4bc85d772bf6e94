"""What a merge is told and what it answers: plain values, no behaviour worth a test of its own."""

from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from sync_protocol.history import Effect
from sync_protocol.kinds.declaration import OFFICE_ROLES
from sync_protocol.state import FIELD, OFFICE, Writer

Result = Literal["applied", "merged", "conflict", "quarantined", "erased"]


class Arrival(msgspec.Struct, frozen=True):
    """How a change arrived: its number, its corrected time in milliseconds, its author and their role."""

    n: int
    stamp: int
    by: str
    role: str

    @property
    def rank(self) -> int:
        """FIELD or OFFICE: in the workflow the office's step outranks the field's."""
        return OFFICE if self.role in OFFICE_ROLES else FIELD


class Side(msgspec.Struct, frozen=True):
    """One of the values that differ, and who wrote it."""

    value: Any
    writer: Writer


class Clash(msgspec.Struct, frozen=True):
    """Two people wrote one path without having seen each other: nothing is lost, somebody may have to decide."""

    path: str
    rule: str
    base: Any
    standing: Side
    other: Side
    by_rule: bool
    """Whether the rule decided (the office may still choose the other), or the office must."""


class Sides(msgspec.Struct, frozen=True):
    """What a conflict keeps: what both had seen, and every value that was written without seeing the others."""

    base: Any
    values: tuple[Side, ...]

    def joined(self, clash: Clash) -> "Sides":
        """With the sides of a further clash on the same path added, each change once."""
        known = {side.writer.change for side in self.values}
        new = [side for side in (clash.standing, clash.other) if side.writer.change not in known]
        return Sides(self.base, (*self.values, *new))


@dataclass(slots=True)
class Merged:
    """What a merge did: to which paths, with what clashes, and whether anything it touched had moved."""

    effects: list[Effect] = field(default_factory=list)
    clashes: list[Clash] = field(default_factory=list)
    concurrent: bool = False

    @property
    def result(self) -> Result:
        """The verdict's word for it."""
        if self.clashes:
            return "conflict"
        return "merged" if self.concurrent else "applied"
