"""Cadences of screening, their periods and cut-offs, in Asia/Shanghai. Pure."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal, TypeAlias, get_args

import msgspec

from server.reckoning.spans import ZONE
from sync_protocol.kinds import Title

Cadence: TypeAlias = Literal["daily", "weekly", "half_month", "month"]
CADENCES: Final[tuple[Cadence, ...]] = get_args(Cadence)
TITLES: Final[Mapping[Cadence, Title]] = {
    "daily": Title("每日", "Daily"),
    "weekly": Title("每周", "Weekly"),
    "half_month": Title("每半月", "Every half month"),
    "month": Title("每月", "Monthly"),
}
HOURS_MAX: Final = 48
_HALF: Final = 15
_WEEK_DAYS: Final = 7


class Screening(msgspec.Struct, frozen=True):
    """How often a place is screened, until when a report is in time, and whom its people call."""

    cadence: Cadence = "daily"
    cut_off_hour: int = 20
    """So many hours after the last day of the period began."""
    duty_phone: str | None = None


class Period(msgspec.Struct, frozen=True):
    """Days of one round, both ends included, and the moment until which its report is in time."""

    first: date
    last: date
    begins_ms: int
    cut_off_ms: int


def cadence_of(word: str) -> Cadence | None:
    """The cadence that a word names; None for none."""
    return next((one for one in CADENCES if one == word), None)


def period_of(screening: Screening, day: date) -> Period:
    """The period in which a day lies."""
    first, last = _days(screening.cadence, day)
    return Period(first, last, _ms(first), _ms(last) + screening.cut_off_hour * 3_600_000)


def _days(cadence: Cadence, day: date) -> tuple[date, date]:
    month_end = (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    match cadence:
        case "daily":
            return day, day
        case "weekly":
            monday = day - timedelta(days=day.weekday())
            return monday, monday + timedelta(days=_WEEK_DAYS - 1)
        case "half_month":
            return (
                (day.replace(day=1), day.replace(day=_HALF))
                if day.day <= _HALF
                else (day.replace(day=_HALF + 1), month_end)
            )
        case "month":
            return day.replace(day=1), month_end


def day_of(ms: int) -> date:
    """The day of a time of the server."""
    return datetime.fromtimestamp(ms / 1_000, UTC).astimezone(ZONE).date()


def _ms(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=ZONE).timestamp() * 1_000)
