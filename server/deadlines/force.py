"""Which rules are in force in a township: those that ship, with its own laid over them."""

from collections.abc import Collection
from functools import lru_cache
from typing import Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.deadlines.shipped import shipped_rules
from server.reckoning.rules import Rule, RuleSet
from server.reckoning.workdays import Calendar, calendar_of
from server.storage import deadline_passes

_decode: Final = msgspec.json.Decoder(RuleSet).decode
_SETS_MAX: Final = 256


class Force(msgspec.Struct, frozen=True):
    """The rules in force, and the calendar that belongs to them."""

    edition: int
    revision: int
    rules: RuleSet
    calendar: Calendar

    @property
    def age(self) -> tuple[int, int]:
        """Grows whenever other rules come into force."""
        return self.edition, self.revision

    def of_kind(self, kind: str) -> dict[str, Rule]:
        """The rules about the records of a kind."""
        return {name: rule for name, rule in self.rules.rules.items() if rule.kind == kind}

    def kinds(self) -> list[str]:
        """The kinds that there are rules about."""
        return sorted({rule.kind for rule in self.rules.rules.values()})

    def silent_years(self, years: Collection[int]) -> list[int]:
        """Those of these years of which no notice says which days are worked, though some rule asks."""
        asks = any(_asks(rule) for rule in self.rules.rules.values())
        return sorted(set(years) - self.calendar.years) if asks else []


async def in_force(connection: AsyncConnection, township: str) -> Force:
    """What is in force now."""
    own = await deadline_passes.own_rules(connection, township)
    return _force(0, b"{}") if own is None else _force(own.revision, own.body)


@lru_cache(maxsize=_SETS_MAX)
def _force(revision: int, body: bytes) -> Force:
    base = shipped_rules()
    rules = base.under(_decode(body))
    return Force(base.edition, revision, rules, calendar_of(rules))


def _asks(rule: Rule) -> bool:
    """Whether a rule goes by working days anywhere."""
    escalation = rule.escalate.after if rule.escalate is not None else None
    by = rule.extension.by if rule.extension is not None else None
    spans = (rule.length, rule.warn, escalation, by)
    return rule.length.rolls or any(span is not None and span.working_days is not None for span in spans)
