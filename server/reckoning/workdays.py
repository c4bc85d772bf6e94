"""Which days are worked: Monday to Friday, but for what the yearly notice shifts."""

from collections.abc import Iterable, Iterator
from datetime import date, timedelta

import msgspec

from server.reckoning.rules import Holiday, RuleSet

_SATURDAY = 5
_DAY = timedelta(days=1)


class Calendar(msgspec.Struct, frozen=True):
    """The days of the years of which there is a notice. Of any other year, weekends alone are known."""

    years: frozenset[int] = frozenset()
    off: frozenset[date] = frozenset()
    works: frozenset[date] = frozenset()

    def is_worked(self, day: date) -> bool:
        """Whether a day is worked. Of a year without a notice this is a guess: see `knows`."""
        return day in self.works or (day.weekday() < _SATURDAY and day not in self.off)

    def knows(self, day: date) -> bool:
        """Whether there is a notice for the day's year."""
        return day.year in self.years


def calendar_of(rules: RuleSet) -> Calendar:
    """The calendar of a set of rules."""
    holidays = [holiday for year in rules.years.values() for holiday in year.holidays]
    return Calendar(
        frozenset(map(int, rules.years)),
        frozenset(_days(holidays)),
        frozenset(day for holiday in holidays for day in holiday.works),
    )


def _days(holidays: Iterable[Holiday]) -> Iterator[date]:
    for holiday in holidays:
        day = holiday.from_
        while day <= holiday.to:
            yield day
            day += _DAY
