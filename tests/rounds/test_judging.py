"""Periods of each cadence, and what is told of a round. Silence is told as silence."""

from datetime import date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.reckoning.spans import ZONE
from server.rounds.cadence import CADENCES, TITLES, Cadence, Screening, day_of, period_of
from server.rounds.judging import TITLES as STANDINGS
from server.rounds.judging import Contact, Report, judged

DAY = date(2026, 2, 20)
PERIOD = period_of(Screening(cut_off_hour=20), DAY)
HOUR_MS = 3_600_000


def report(made_h: float, received_h: float, **other: Any) -> Report:
    """A report made and received so many hours after the day began."""
    made_ms, received_ms = (PERIOD.begins_ms + int(hours * HOUR_MS) for hours in (made_h, received_h))
    given = {"record": "r", "grid": "g", "first": DAY, "last": DAY, "visits": 1, "found": 0, "zero": True}
    return Report(**{**given, "made_ms": made_ms, "received_ms": received_ms, **other})


@pytest.mark.parametrize(
    ("cadence", "first", "last"),
    [
        ("daily", date(2026, 2, 20), date(2026, 2, 20)),
        ("weekly", date(2026, 2, 16), date(2026, 2, 22)),
        ("half_month", date(2026, 2, 16), date(2026, 2, 28)),
        ("month", date(2026, 2, 1), date(2026, 2, 28)),
    ],
)
def test_a_period_is_that_in_which_the_day_lies(cadence: Cadence, first: date, last: date) -> None:
    period = period_of(Screening(cadence, 24), DAY)
    assert (period.first, period.last) == (first, last)
    midnight = datetime(first.year, first.month, first.day, tzinfo=ZONE)
    assert period.begins_ms == int(midnight.timestamp()) * 1_000
    assert day_of(period.cut_off_ms - 1) == last
    assert set(TITLES) == set(CADENCES)


@given(st.dates(date(2000, 1, 1), date(2099, 12, 31)), st.sampled_from(CADENCES))
def test_periods_follow_each_other_without_a_gap(day: date, cadence: Cadence) -> None:
    screening = Screening(cadence)
    period = period_of(screening, day)
    assert period.first <= day <= period.last
    for inside in (period.first, period.last):
        assert period_of(screening, inside) == period
    after = period_of(screening, date.fromordinal(period.last.toordinal() + 1))
    assert after.first.toordinal() == period.last.toordinal() + 1


@pytest.mark.parametrize(
    ("reports", "heard_h", "now_h", "standing"),
    [
        ([report(18, 19)], 19, 30, "in_time"),
        ([report(18, 40)], 40, 50, "arrived_late"),
        ([report(21, 40)], 40, 50, "made_later"),
        ([report(21, 40), report(18, 41)], 41, 50, "arrived_late"),
        ([report(21, 22), report(18, 19)], 22, 50, "in_time"),
        ([], None, 19, "waiting"),
        ([], 5, 30, "heard"),
        ([], -1, 30, "silent"),
        ([], None, 30, "silent"),
        ([report(18, 19, first=date(2026, 2, 19), last=date(2026, 2, 19))], 19, 30, "heard"),
        ([report(18, 19, first=date(2026, 2, 19), last=date(2026, 2, 21))], 19, 30, "in_time"),
    ],
)
def test_what_is_told_of_a_round(
    reports: list[Report], heard_h: int | None, now_h: int, standing: str
) -> None:
    heard_ms = None if heard_h is None else PERIOD.begins_ms + heard_h * HOUR_MS
    contact = Contact(1, heard_ms)
    told = judged(PERIOD, reports, contact, PERIOD.begins_ms + now_h * HOUR_MS)
    assert told.standing == standing
    assert told.standing in STANDINGS


def test_of_a_grid_without_a_device_nothing_else_is_told() -> None:
    assert judged(PERIOD, [], Contact(), PERIOD.begins_ms + 30 * HOUR_MS).standing == "no_device"


def test_nobody_is_told_of_a_missing_report() -> None:
    words = "".join(f"{title.zh} {title.en}" for title in STANDINGS.values()).lower()
    assert not any(word in words for word in ("缺报", "漏报", "未报", "missing", "failed"))
