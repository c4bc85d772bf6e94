"""Arithmetic of times in Asia/Shanghai, against days that are walked one by one and dates of the real notices."""

from datetime import date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.deadlines.shipped import shipped_rules
from server.reckoning.rules import Length, Span
from server.reckoning.spans import ZONE, after, before, due
from server.reckoning.workdays import Calendar, calendar_of
from tests.deadlines.desk import DAY_MS, HOUR_MS, at

CALENDAR = calendar_of(shipped_rules())
DAYS = [date(2025, 1, 1) + timedelta(days=n) for n in range(730)]
OFF = {
    "2025-01-01", "2025-01-28", "2025-02-04", "2025-04-04", "2025-05-05", "2025-06-02", "2025-10-08",
    "2026-01-02", "2026-02-16", "2026-02-23", "2026-04-06", "2026-05-05", "2026-06-19", "2026-09-25", "2026-10-07",
}  # fmt: skip
WORKED = {
    "2025-01-26", "2025-02-08", "2025-04-27", "2025-09-28", "2025-10-11",
    "2026-01-04", "2026-02-14", "2026-02-28", "2026-05-09", "2026-09-20", "2026-10-10",
}  # fmt: skip
TIMES = st.integers(at("2024-01-01 00:00"), at("2028-12-31 23:59"))


def local(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1_000, ZONE)


def walked(start: date, n: int, step: int) -> date:
    """The nth worked day, told from scratch: what the notices name, else Monday to Friday."""
    day = start
    while n:
        day += timedelta(days=step)
        named = day.isoformat()
        holidays = [h for year in shipped_rules().years.values() for h in year.holidays]
        off = any(h.from_ <= day <= h.to for h in holidays)
        if any(day in h.works for h in holidays) or (
            not off and datetime.fromisoformat(named).isoweekday() <= 5
        ):
            n -= 1
    return day


def test_the_notices_say_which_days_are_worked() -> None:
    assert {day for day in OFF if CALENDAR.is_worked(date.fromisoformat(day))} == set()
    assert {day.isoformat() for day in DAYS if day.weekday() > 4 and CALENDAR.is_worked(day)} == WORKED
    # Of the days that are off, so many are no weekend; counted on the notices.
    assert [
        sum(d.year == y and d.weekday() < 5 and not CALENDAR.is_worked(d) for d in DAYS) for y in (2025, 2026)
    ] == [18, 19]


@pytest.mark.parametrize(
    ("start", "length", "end"),
    [
        ("2026-03-02 16:40", Length(hours=24), "2026-03-03 16:40"),
        ("2026-03-02 16:40", Length(days=30), "2026-04-01 16:40"),
        ("2026-03-02 16:40", Length(days=0, ends="day"), "2026-03-03 00:00"),
        ("2026-03-02 23:59", Length(days=0, ends="day"), "2026-03-03 00:00"),
        ("2026-03-03 00:00", Length(days=0, ends="day"), "2026-03-04 00:00"),
        ("2026-01-31 09:00", Length(months=1), "2026-02-28 09:00"),
        ("2025-12-15 09:00", Length(months=2), "2026-02-15 09:00"),
        ("2026-03-06 16:40", Length(working_days=3), "2026-03-11 16:40"),
        # Before the Spring Festival: Saturday 14 is worked, 15 to 23 are not.
        ("2026-02-13 10:00", Length(working_days=1), "2026-02-14 10:00"),
        ("2026-02-13 10:00", Length(working_days=2), "2026-02-24 10:00"),
        ("2025-09-30 10:00", Length(working_days=3), "2025-10-11 10:00"),
        # The last day of a term that ends in the holidays.
        ("2026-02-01 10:00", Length(days=15, rolls=True), "2026-02-24 10:00"),
        ("2026-02-01 10:00", Length(days=15, rolls=True, ends="day"), "2026-02-25 00:00"),
    ],
)
def test_a_length_ends_when_it_should(start: str, length: Length, end: str) -> None:
    reached = due(at(start), length, CALENDAR)
    assert (local(reached.ms), reached.unknown) == (local(at(end)), frozenset())


def test_a_year_without_a_notice_is_named() -> None:
    reached = due(at("2026-12-30 10:00"), Length(working_days=3), CALENDAR)
    assert (local(reached.ms).date(), reached.unknown) == (date(2027, 1, 4), frozenset({2027}))
    assert due(at("2026-12-20 10:00"), Length(days=30), CALENDAR).unknown == frozenset()
    assert due(at("2027-01-01 10:00"), Length(days=1, rolls=True), CALENDAR).unknown == {2027}


@given(TIMES, st.integers(0, 60), st.sampled_from([1, -1]))
def test_working_days_are_those_that_somebody_walks(start: int, n: int, sign: int) -> None:
    reached = (after if sign == 1 else before)(start, Span(working_days=n), CALENDAR)
    begun = local(start)
    assert local(reached.ms).date() == walked(begun.date(), n, sign)
    assert local(reached.ms).time() == begun.time()
    days = {
        begun.date() + timedelta(days=sign * step)
        for step in range(1, 1 + abs((local(reached.ms).date() - begun.date()).days))
    }
    assert reached.unknown == {day.year for day in days} - {2025, 2026}


@given(TIMES, st.integers(0, 400), st.sampled_from(["hours", "days", "months", "working_days"]))
def test_what_begins_later_or_takes_longer_ends_no_earlier(start: int, n: int, unit: str) -> None:
    n = min(n, 36) if unit == "months" else n
    reached = after(start, Span(**{unit: n}), CALENDAR).ms
    assert reached >= start
    if unit == "working_days":
        # Keeping the time of the day, a start on a day off may pass one of the next worked day by hours.
        assert local(after(start + DAY_MS, Span(**{unit: n}), CALENDAR).ms).date() >= local(reached).date()
    else:
        assert after(start + HOUR_MS, Span(**{unit: n}), CALENDAR).ms >= reached
    if n < 36:
        assert after(start, Span(**{unit: n + 1}), CALENDAR).ms >= reached


@given(TIMES, st.integers(0, 400))
def test_days_and_hours_go_back_as_they_went(start: int, n: int) -> None:
    for span in (Span(days=n), Span(hours=n)):
        assert before(after(start, span, CALENDAR).ms, span, CALENDAR).ms == start


@given(start=TIMES, n=st.integers(0, 60), whole=st.booleans())
def test_a_term_that_rolls_ends_on_a_worked_day_and_one_by_days_at_midnight(
    start: int, n: int, *, whole: bool
) -> None:
    length = Length(days=n, rolls=True, ends="day" if whole else "moment")
    end = local(due(start, length, CALENDAR).ms)
    last = (end - timedelta(days=1)).date() if whole else end.date()
    assert CALENDAR.is_worked(last)
    assert not whole or end.timetz() == time(tzinfo=ZONE)
    assert end >= local(due(start, Length(days=n), CALENDAR).ms)


def test_without_a_calendar_weekends_are_known() -> None:
    assert due(at("2019-05-02 10:00"), Length(working_days=2), Calendar()).ms == at("2019-05-06 10:00")
