"""What one merge looks at, and whether a path was changed concurrently: the test that everything rests on.

A path was changed concurrently when its standing version is newer than what the author saw, except when
the standing value is exactly what the author's own named predecessor submitted. "Written by the same
device" is not enough: that earlier change may have been merged with somebody else's since (failures, row
30). An equal value that the office decided is no exemption either: a decision that was not seen is news.
Nor is one that somebody else wrote in an entry: there the later stamp stands, whatever came first.
"""

from dataclasses import dataclass, field
from typing import Any

from sync_protocol.changes import Change
from sync_protocol.history import EXISTENCE, KEPT, Absent, Effect, History, Past
from sync_protocol.outcome import Clash, Merged, Side
from sync_protocol.state import DECISION, Marks, RecordState, Writer


@dataclass(slots=True)
class Case:
    """Everything one merge looks at, and what it has found so far."""

    state: RecordState
    change: Change
    history: History
    writer: Writer
    out: Merged = field(default_factory=Merged)

    @property
    def marks(self) -> Marks:
        """The record's marks."""
        return self.state.marks

    @property
    def position(self) -> int:
        """Where this change stands among the record's writers; it joins them at its first write."""
        return self.marks.add_writer(self.writer)

    def effect(self, path: str, before: Any, after: Any) -> None:
        """Notes what was done to a path."""
        self.out.effects.append(Effect(path, before, after))

    def clash(self, path: str, rule: str, standing: Side, other: Side, *, by_rule: bool) -> None:
        """Notes that two people wrote a path without having seen each other."""
        base = KEPT if path == EXISTENCE else self.history.base_value(self.change, self.writer.by, path)
        self.out.clashes.append(Clash(path, rule, base, standing, other, by_rule))

    def overtaken(self, path: str, *, by_clearing: bool = False) -> bool:
        """Whether a later change of the author's own chain has written `path` already; see History.overtaken."""
        return self.history.overtaken(self.change, path, by_clearing=by_clearing)

    def concurrent(self, path: str, writer: Writer, standing: Any) -> bool:
        """Whether `path` was changed since the author looked; see the head of this file."""
        if writer.n <= self.history.base_of(self.change, self.writer.by, path) or writer.n == self.writer.n:
            return False
        past = self.history.taken_in(self.change, self.writer.by, path)
        if past is not None and self._is_what(past, path, writer, standing):
            return False
        self.out.concurrent = True
        return True

    def _is_what(self, past: Past, path: str, writer: Writer, standing: Any) -> bool:
        """Whether the standing value is exactly what the named predecessor submitted.

        One that is named for a whole entry may have left this sub-field of it alone: then what showed there
        is what that one was made on itself.
        """
        link: Past | None = past
        while link is not None:
            submitted = self.history.submitted(link, path)
            if not isinstance(submitted, Absent):
                may_be_others = writer.rank != DECISION and path.count("/") <= 1
                return equal(submitted, standing) and (writer.change == link.change.id or may_be_others)
            if writer.change == link.change.id:  # it cannot be compared: a create's first state, an increment
                return True
            before = self.history.own(link.change.predecessor(path), self.writer.by)
            link = before if before is not None and before.n < link.n else None
        return False


def equal(one: Any, other: Any) -> bool:
    """Equality of JSON values, where true is not 1."""
    return type(one) is type(other) and bool(one == other)
