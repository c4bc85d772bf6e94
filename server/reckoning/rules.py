"""What a rule says, as data. Everything that a township may decide about deadlines is here, and nothing else is."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from sync_protocol.kinds import Title

Fact = str | bool
Role = Literal["village_officer", "clerk", "leader", "administrator", "county_handler"]
Approver = Literal["clerk", "leader", "administrator", "county_handler"]
Measure = Literal["urge", "circulate", "supervise"]
MEASURES: Final[Mapping[Measure, Title]] = {
    "urge": Title("催办", "Urge"),
    "circulate": Title("通报", "Circulate"),
    "supervise": Title("督办", "Supervise"),
}
_Hours = Annotated[int, Meta(ge=0, le=24 * 366)]
_Days = Annotated[int, Meta(ge=0, le=1_000)]
_Months = Annotated[int, Meta(ge=0, le=36)]
_Words = Annotated[str, Meta(min_length=1, max_length=500)]


class Span(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """So much time, in one unit."""

    hours: _Hours | None = None
    days: _Days | None = None
    """Calendar days, each to the same time of the day."""
    months: _Months | None = None
    """To the same day of a later month; to its last day where it has no such day."""
    working_days: _Days | None = None

    def __post_init__(self) -> None:
        """Refuses a span in two units."""
        if len(self.given) > 1:
            message = "one unit, hours, days, months or working_days"
            raise ValueError(message)

    @property
    def given(self) -> dict[str, int]:
        """The unit that was given, with its number; empty where none was: no time at all."""
        units = {
            "hours": self.hours,
            "days": self.days,
            "months": self.months,
            "working_days": self.working_days,
        }
        return {unit: n for unit, n in units.items() if n is not None}


NO_TIME: Final = Span()


class Length(Span, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """How long something may take."""

    ends: Literal["moment", "day"] = "moment"
    """Whether it is over at that very time, or with that day, at midnight."""
    rolls: bool = False
    """Whether a last day that is not worked gives way to the next one that is."""


class Happening(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What may happen to a record: it enters one of these states, or somebody writes one of these fields."""

    entered: tuple[str, ...] = ()
    written: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuses what can never happen."""
        if not (self.entered or self.written):
            message = "states in `entered`, or fields in `written`"
            raise ValueError(message)


class Escalation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What follows when the date has passed."""

    to: Role
    measures: Annotated[tuple[Measure, ...], Meta(min_length=1)]
    after: Span = NO_TIME
    """How long after the date; at the date itself when it is left out."""


class Allowance(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """By how much the date may be moved, how often, and who approves it."""

    by: Span
    approver: Approver
    times: Annotated[int, Meta(ge=1, le=10)] = 1

    def __post_init__(self) -> None:
        """Refuses an allowance of nothing."""
        if not any(self.by.given.values()):
            message = "some time, such as days = 30"
            raise ValueError(message)


class Rule(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True, dict=True
):
    """One rule about the records of one kind."""

    title: Title
    source: _Words
    """The practice, or the article of a law, that it comes from."""
    kind: str = "matter"
    start: Happening
    restarts: bool = False
    """Whether a further start, while the clock runs, starts it anew."""
    met: Happening
    """What ends it."""
    when: dict[str, tuple[Fact, ...]] = {}
    """Field (or `state`) to the values with which the rule applies; all have to fit."""
    unless: dict[str, tuple[Fact, ...]] = {}
    """The same for values with which it does not; none may fit."""
    length: Length
    warn: Span | None = None
    """How long before the date a warning is given."""
    explain: bool = False
    """Whether a written explanation is asked for once the date has passed."""
    escalate: Escalation | None = None
    extension: Allowance | None = None

    @property
    def watched(self) -> frozenset[str]:
        """The fields whose values decide whether it applies."""
        return frozenset({*self.when, *self.unless})

    def applies(self, facts: Mapping[str, Fact | None]) -> bool:
        """Whether a record with these values falls under it."""
        return all(facts.get(name) in values for name, values in self.when.items()) and not any(
            facts.get(name) in values for name, values in self.unless.items()
        )


class Holiday(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """One holiday of the yearly notice: the days off, and the weekend days that are worked for them."""

    name: _Words
    from_: date
    to: date
    works: tuple[date, ...] = ()


class Year(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The working days of a year, as the State Council's notice shifts them."""

    source: _Words
    holidays: tuple[Holiday, ...]


class RuleSet(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Rules by name, and years of holidays: those that ship, or what a township lays over them."""

    rules: dict[str, Rule] = {}
    years: dict[str, Year] = {}
    without: tuple[str, ...] = ()
    """Of a township: shipped rules that do not count here."""
    edition: Annotated[int, Meta(ge=0)] = 0
    """Of the shipped set: higher whenever it says something else. 0 in a township's own."""

    def under(self, own: "RuleSet") -> "RuleSet":
        """This set with a township's own laid over it: by name, the township's rule or year counts."""
        kept = {name: rule for name, rule in self.rules.items() if name not in own.without}
        return RuleSet({**kept, **own.rules}, {**self.years, **own.years}, edition=self.edition)
