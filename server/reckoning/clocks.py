"""What happened to a record, and the rules: its deadlines. The same answer whenever and wherever it is asked.

A rule's clock waits once the start has happened, and runs as long as the rule applies to the record's values;
it stops when what the rule asks for has happened, or when the rule ceases to apply. So a record has one
deadline a rule for each time that its clock ran. It is known by the number of the change that set the clock
going, which never changes, however often the rest is reckoned again.
"""

from collections.abc import Mapping, Sequence
from typing import Final, Literal

import msgspec

from server.reckoning import spans
from server.reckoning.rules import Fact, Happening, Rule, Span
from server.reckoning.workdays import Calendar

STATE: Final = "state"
Status = Literal["running", "met", "dropped"]
RUNNING: Final[Status] = "running"
MET: Final[Status] = "met"
DROPPED: Final[Status] = "dropped"
"""The rule ceased to apply, or the clock was started anew."""


class Moment(msgspec.Struct, frozen=True):
    """One change of a record, as far as deadlines go; its time is the server's, when it was received."""

    n: int
    """The township's number of the change."""
    at_ms: int
    entered: str | None = None
    """The state that the record stepped into."""
    facts: Mapping[str, Fact | None] = {}
    """Values that it gave to fields."""
    written: frozenset[str] = frozenset()
    """Fields that it wrote, entries and sets included."""
    gone: bool = False
    """Whether the record was deleted or erased with it."""


class Extension(msgspec.Struct, frozen=True):
    """An approved extension of one deadline."""

    rule: str
    started_n: int
    by: Span


class Deadline(msgspec.Struct, frozen=True, kw_only=True):
    """One deadline of a record. Times in milliseconds since 1970 UTC."""

    rule: str
    started_n: int
    started_ms: int
    due_ms: int
    status: Status
    ended_ms: int | None = None
    unknown: tuple[int, ...] = ()
    """Years on its way of which no notice says which days are worked: the date may be wrong by some days."""

    def is_overdue(self, now_ms: int) -> bool:
        """Whether it is, or was, not met in time."""
        return self.due_ms < (now_ms if self.ended_ms is None else self.ended_ms)


class _Run(msgspec.Struct):
    """One time that a clock ran."""

    n: int
    at_ms: int
    status: Status = RUNNING
    ended_ms: int | None = None

    def end(self, status: Status, at_ms: int) -> None:
        self.status, self.ended_ms = status, at_ms


def deadlines(
    moments: Sequence[Moment],
    rules: Mapping[str, Rule],
    calendar: Calendar,
    extensions: Sequence[Extension] = (),
) -> list[Deadline]:
    """Every deadline of a record, running and ended, by rule and start. `moments` are in the order of `n`."""
    granted: dict[tuple[str, int], list[Span]] = {}
    for one in extensions:
        granted.setdefault((one.rule, one.started_n), []).append(one.by)
    return [
        _deadline(name, rule, run, calendar, granted.get((name, run.n), []))
        for name, rule in sorted(rules.items())
        for run in _runs(rule, moments)
    ]


def _deadline(name: str, rule: Rule, run: _Run, calendar: Calendar, granted: Sequence[Span]) -> Deadline:
    reached = spans.due(run.at_ms, rule.length, calendar)
    unknown = reached.unknown
    for by in granted:
        reached = spans.after(reached.ms, by, calendar)
        unknown |= reached.unknown
    return Deadline(
        rule=name,
        started_n=run.n,
        started_ms=run.at_ms,
        due_ms=reached.ms,
        status=run.status,
        ended_ms=run.ended_ms,
        unknown=tuple(sorted(unknown)),
    )


def _runs(rule: Rule, moments: Sequence[Moment]) -> list[_Run]:
    """The times that a rule's clock ran."""
    facts: dict[str, Fact | None] = {}
    runs: list[_Run] = []
    running: _Run | None = None
    waiting = False
    for moment in moments:
        facts.update(moment.facts)
        if moment.entered is not None:
            facts[STATE] = moment.entered
        met, begun = _happened(rule.met, moment), _happened(rule.start, moment)
        waiting = (waiting or begun) and not met and not moment.gone
        applies = waiting and rule.applies(facts)
        anew = begun and rule.restarts
        if running is not None and (anew or not applies):
            running.end(MET if met and not moment.gone else DROPPED, moment.at_ms)
            running = None
        if applies and running is None:
            running = _Run(moment.n, moment.at_ms)
            runs.append(running)
    return runs


def _happened(what: Happening, moment: Moment) -> bool:
    return moment.entered in what.entered or not moment.written.isdisjoint(what.written)
