"""The round lies in the past, whole, and in one year, whenever the demo is started."""

from datetime import datetime, timedelta

import pytest

from demo.clocks import SHANGHAI, sunday_before

NEW_YEAR = datetime(2027, 1, 1, tzinfo=SHANGHAI)


@pytest.mark.parametrize("hours", range(-15 * 24, 15 * 24, 7))
def test_the_last_round_that_is_over(hours: int) -> None:
    now = NEW_YEAR + timedelta(hours=hours, minutes=1)
    sunday = sunday_before(now)
    over = sunday + timedelta(days=4)
    assert sunday.isoweekday() == 7
    assert over <= now < over + timedelta(days=14)
    assert sunday.year == (over - timedelta(seconds=1)).year
