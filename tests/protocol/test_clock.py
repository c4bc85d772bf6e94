"""Honest time (G8, failures row 10): any clock is accepted, none blocks, none wins for ever."""

from hypothesis import given
from hypothesis import strategies as st

from sync_protocol.clock import LINK_MS, Reading, correct

NOW = 1_795_300_000_000
"""A moment in November 2026."""
YEAR_MS = 31_557_600_000
ANY_MS = st.integers(-(2**63) + 1, 2**63 - 1)
FROM_1970_TO_2099 = st.integers(-NOW, 73 * YEAR_MS)
"""How far a clock may be ahead: from 1970 to 2099."""
SPANS = st.integers(0, 30 * 86_400_000)


@given(ANY_MS, ANY_MS, ANY_MS, st.none() | ANY_MS)
def test_no_reading_is_refused_and_none_leads_past_receipt(
    at: int, mark: int, device: int, before: int | None
) -> None:
    found = correct(at, mark, Reading(device, NOW, before))
    assert min(max(mark, 0), NOW) <= found.stamp_ms <= NOW
    assert 0 <= found.uncertainty_ms <= NOW


@given(FROM_1970_TO_2099, SPANS, SPANS)
def test_a_steady_clock_is_corrected_exactly_whatever_its_year(ahead: int, since_mark: int, ago: int) -> None:
    saved = NOW - ago
    reading = Reading(NOW + ahead, NOW, -ahead)
    found = correct(saved + ahead, saved - since_mark, reading)
    assert found.stamp_ms == saved
    assert found.uncertainty_ms <= LINK_MS


@given(FROM_1970_TO_2099, FROM_1970_TO_2099, SPANS, SPANS)
def test_the_truth_lies_within_the_uncertainty_when_a_clock_is_set_once_on_a_round(
    ahead: int, later_ahead: int, since_mark: int, ago: int
) -> None:
    saved, mark = NOW - ago, NOW - ago - since_mark
    reading = Reading(NOW + later_ahead, NOW, -ahead)
    found = correct(saved + ahead, mark, reading)
    assert mark <= found.stamp_ms <= NOW
    assert abs(found.stamp_ms - saved) <= found.uncertainty_ms


@given(ANY_MS, ANY_MS, SPANS)
def test_no_clock_wins_for_ever(at: int, device: int, later: int) -> None:
    """Row 10: whatever was received first, an honest save after it has the later stamp."""
    wrong = correct(at, 0, Reading(device, NOW))
    saved = NOW + 1 + later
    honest = correct(saved, NOW, Reading(saved + 5, saved + 5, 0))
    assert honest.stamp_ms > wrong.stamp_ms


@given(ANY_MS, ANY_MS, st.integers(0, NOW))
def test_no_clock_loses_for_ever(at: int, device: int, mark: int) -> None:
    """A clock that stands in 1970 cannot put a save before what its author had been told."""
    assert correct(at, mark, Reading(device, NOW)).stamp_ms >= mark


@given(ANY_MS, ANY_MS, st.integers(0, NOW))
def test_a_later_thought_has_a_later_stamp(at: int, device: int, seen: int) -> None:
    found = correct(at, 0, Reading(device, NOW), seen)
    assert found.stamp_ms > seen


def test_the_reading_says_offset_and_drift() -> None:
    reading = Reading(device_ms=1_000, server_ms=5_000, offset_before_ms=3_500)
    assert (reading.offset_ms, reading.drift_ms) == (4_000, 500)
    assert Reading(1_000, 5_000).drift_ms == 0


def test_a_drifting_clock_is_less_sure() -> None:
    sure = correct(NOW - 5_000, 0, Reading(NOW, NOW, 0))
    unsure = correct(NOW - 5_000, 0, Reading(NOW, NOW, 60_000))
    assert (sure.uncertainty_ms, unsure.uncertainty_ms) == (LINK_MS, LINK_MS + 60_000)


def test_uncertainty_never_passes_what_no_clock_can_falsify() -> None:
    found = correct(NOW - 400 * YEAR_MS, NOW - 10_000, Reading(NOW, NOW, 0))
    assert (found.stamp_ms, found.uncertainty_ms) == (NOW - 10_000, 10_000)
