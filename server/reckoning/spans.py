"""A time, and so many hours, days, months or working days from it, in the zone of the townships.

Times are milliseconds since 1970 UTC. Days are those of Asia/Shanghai, the one legal time of the country, and
keep the time of the day: three working days from Friday 16:40 are Wednesday 16:40.
"""

from calendar import monthrange
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from server.reckoning.rules import Length, Span
from server.reckoning.workdays import Calendar

ZONE: Final = ZoneInfo("Asia/Shanghai")
_HOUR_MS: Final = 3_600_000
_DAY: Final = timedelta(days=1)
_MONTHS: Final = 12


class Reached(msgspec.Struct, frozen=True):
    """A time that was counted to, and the years on the way of which no notice says which days are worked."""

    ms: int
    unknown: frozenset[int] = frozenset()


def after(start_ms: int, span: Span, calendar: Calendar) -> Reached:
    """The time that lies a span after another."""
    return _shifted(start_ms, span, calendar, 1)


def before(end_ms: int, span: Span, calendar: Calendar) -> Reached:
    """The time that lies a span before another."""
    return _shifted(end_ms, span, calendar, -1)


def due(start_ms: int, length: Length, calendar: Calendar) -> Reached:
    """When something that began is to be done, by the length of its rule."""
    reached = after(start_ms, length, calendar)
    local, unknown = _local(reached.ms), set(reached.unknown)
    day, at = local.date(), local.time()
    if length.rolls:
        day = _worked(day, calendar, unknown)
    if length.ends == "day":
        day, at = day + _DAY, time()
    return Reached(
        reached.ms if (day, at) == (local.date(), local.time()) else _ms(day, at), frozenset(unknown)
    )


def year_of(ms: int) -> int:
    """The year that it is in the townships."""
    return _local(ms).year


def _shifted(from_ms: int, span: Span, calendar: Calendar, sign: int) -> Reached:
    ((unit, n),) = span.given.items() or (("hours", 0),)
    if unit == "hours":
        return Reached(from_ms + sign * n * _HOUR_MS)
    local, unknown = _local(from_ms), set[int]()
    if unit == "days":
        day = local.date() + sign * n * _DAY
    elif unit == "months":
        day = _months(local.date(), sign * n)
    else:
        day = _working_days(local.date(), n, calendar, sign * _DAY, unknown)
    return Reached(_ms(day, local.time()), frozenset(unknown))


def _months(day: date, n: int) -> date:
    year, month = divmod(day.year * _MONTHS + day.month - 1 + n, _MONTHS)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def _working_days(day: date, n: int, calendar: Calendar, step: timedelta, unknown: set[int]) -> date:
    """The nth worked day beside a day, which itself does not count."""
    while n:
        day += step
        if not calendar.knows(day):
            unknown.add(day.year)
        n -= calendar.is_worked(day)
    return day


def _worked(day: date, calendar: Calendar, unknown: set[int]) -> date:
    """The day itself where it is worked, else the next that is."""
    while True:
        if not calendar.knows(day):
            unknown.add(day.year)
        if calendar.is_worked(day):
            return day
        day += _DAY


def _local(ms: int) -> datetime:
    return datetime.fromtimestamp(ms // 1_000, ZONE).replace(microsecond=ms % 1_000 * 1_000)


def _ms(day: date, at: time) -> int:
    local = datetime.combine(day, at, ZONE)
    return int(local.replace(microsecond=0).timestamp()) * 1_000 + local.microsecond // 1_000
