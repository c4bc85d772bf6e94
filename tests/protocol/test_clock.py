"""Honest time (G8, failures row 10): any clock is accepted, none blocks, none wins for ever."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from sync_protocol.clock import LINK_MS, Corrected, Reading, correct

NOW = 1_795_300_000_000
"""A moment in November 2026."""
YEAR_MS = 31_557_600_000
ANY_MS = st.integers(-(2**63) + 1, 2**63 - 1)
FROM_1970_TO_2099 = st.integers(-NOW, 73 * YEAR_MS)
"""How far a clock may be ahead: from 1970 to 2099."""
SPANS = st.integers(0, 30 * 86_400_000)
WAYS = st.integers(0, LINK_MS)
"""One way over the link."""
WRONG = st.integers(-3_600_000, 3_600_000) | st.integers(-200 * YEAR_MS, 200 * YEAR_MS)
"""By how much somebody sets a clock."""
EARLY = st.sampled_from([0, 1])
"""Whether it is before the save."""


@dataclass
class Round:
    """A contact, a save and an upload; what the device's clock shows at each, and by how much it was moved between."""

    since_contact: int
    until_sent: int
    way_back: int = 0
    way_there: int = 0
    ahead: int = 0
    before: int = 0
    """How far the clock was moved between the contact's arrival and the save."""
    after: int = 0
    """How far between the save and the request."""

    @property
    def saved(self) -> int:
        return NOW - self.way_there - self.until_sent

    def corrected(self, seen: int = 0) -> Corrected:
        contact = self.saved - self.since_contact
        at = self.saved + self.ahead + self.before
        mark, since = contact - self.way_back, at - contact - self.ahead
        sent = NOW - self.way_there + self.ahead + self.before + self.after
        return correct(at, mark, since, Reading(sent, NOW), seen)

    @property
    def off(self) -> int:
        return abs(self.corrected().stamp_ms - self.saved)


@given(ANY_MS, ANY_MS, st.none() | ANY_MS, ANY_MS)
def test_no_reading_is_refused_and_none_leads_past_receipt(
    at: int, mark: int, since: int | None, device: int
) -> None:
    found = correct(at, mark, since, Reading(device, NOW))
    assert min(max(mark, 0), NOW) <= found.stamp_ms <= NOW
    assert 0 <= found.uncertainty_ms <= NOW - min(max(mark, 0), NOW)


@given(FROM_1970_TO_2099, SPANS, SPANS)
def test_a_steady_clock_is_corrected_exactly_whatever_its_year(ahead: int, since: int, ago: int) -> None:
    found = Round(since, ago, ahead=ahead).corrected()
    assert found.stamp_ms == NOW - ago
    assert found.uncertainty_ms <= LINK_MS


@given(FROM_1970_TO_2099, SPANS, SPANS, WAYS, WAYS, WRONG, EARLY)
def test_the_truth_lies_within_the_uncertainty_when_a_clock_is_set_once(
    ahead: int, since: int, until: int, back: int, there: int, by: int, early: int
) -> None:
    one = Round(since, until, back, there, ahead, before=by * early, after=by * (1 - early))
    assert one.off <= one.corrected().uncertainty_ms


@given(FROM_1970_TO_2099, SPANS, SPANS, WAYS, WAYS, WRONG, WRONG)
def test_the_truth_lies_within_the_uncertainty_however_often_it_is_set_one_way(
    ahead: int, since: int, until: int, back: int, there: int, before: int, after: int
) -> None:
    """Also the drift of a clock that only loses, or only gains: as much as there is."""
    way = 1 if before >= 0 else -1
    one = Round(since, until, back, there, ahead, before, way * abs(after))
    assert one.off <= one.corrected().uncertainty_ms


@given(FROM_1970_TO_2099, SPANS, SPANS, WAYS, WAYS, WRONG, EARLY, st.integers(-1_000_000, 1_000_000))
def test_what_a_clock_drifts_beside_being_set_once_is_all_that_can_hide(
    ahead: int, since: int, until: int, back: int, there: int, by: int, early: int, ppm: int
) -> None:
    drifts = [span * ppm // 1_000_000 for span in (since, until)]
    one = Round(since, until, back, there, ahead, drifts[0] + by * early, drifts[1] + by * (1 - early))
    assert one.off <= one.corrected().uncertainty_ms + max(map(abs, drifts))


@given(FROM_1970_TO_2099, SPANS, SPANS, SPANS, SPANS)
def test_of_a_clock_that_runs_true_no_way_is_too_long(
    ahead: int, since: int, until: int, back: int, there: int
) -> None:
    """An answer that was carried in a file for days, a request that a proxy kept back."""
    one = Round(since, until, back, there, ahead)
    assert one.off <= one.corrected().uncertainty_ms


@given(FROM_1970_TO_2099, SPANS, SPANS, SPANS)
def test_a_clock_that_was_set_before_the_save_alone_costs_no_time(
    ahead: int, since: int, until: int, by: int
) -> None:
    assert Round(since, until, ahead=ahead, before=by).off == 0


@given(SPANS, SPANS, st.sampled_from([-NOW, 73 * YEAR_MS]))
def test_a_clock_decades_off_that_is_put_right_before_the_upload_costs_no_time(
    since: int, until: int, ahead: int
) -> None:
    assert Round(since, until, ahead=ahead, after=-ahead).off == 0


@given(ANY_MS, ANY_MS, ANY_MS, SPANS)
def test_no_clock_wins_for_ever(at: int, since: int, device: int, later: int) -> None:
    """Row 10: whatever was received first, an honest save after it has the later stamp."""
    wrong = correct(at, 0, since, Reading(device, NOW))
    saved = NOW + 1 + later
    honest = correct(saved, NOW, saved - NOW, Reading(saved + 5, saved + 5))
    assert honest.stamp_ms > wrong.stamp_ms


@given(ANY_MS, ANY_MS, ANY_MS, st.integers(0, NOW))
def test_no_clock_loses_for_ever(at: int, since: int, device: int, mark: int) -> None:
    """A clock that stands in 1970 cannot put a save before what its author had been told."""
    assert correct(at, mark, since, Reading(device, NOW)).stamp_ms >= mark


@given(ANY_MS, ANY_MS, st.none() | ANY_MS, st.integers(0, NOW))
def test_a_later_thought_has_a_later_stamp(at: int, device: int, since: int | None, seen: int) -> None:
    found = correct(at, 0, since, Reading(device, NOW), seen)
    assert found.stamp_ms > seen


@given(SPANS, SPANS, WAYS, SPANS)
def test_a_later_thought_on_a_stamp_that_is_too_late_says_by_how_much(
    since: int, until: int, there: int, late: int
) -> None:
    """What it was made on was saved before it, and is stamped `late` too late."""
    one = Round(since, until, way_there=there)
    found = one.corrected(seen=min(one.saved + late, NOW))
    assert abs(found.stamp_ms - one.saved) <= found.uncertainty_ms


def test_the_reading_says_the_offset() -> None:
    assert Reading(device_ms=1_000, server_ms=5_000).offset_ms == 4_000


def test_a_clock_that_ran_badly_is_less_sure() -> None:
    sure, unsure = Round(100_000, 5_000), Round(100_000, 5_000, before=60_000)
    assert sure.corrected().uncertainty_ms == LINK_MS
    assert unsure.corrected().uncertainty_ms == LINK_MS + 60_000


def test_uncertainty_never_passes_what_no_clock_can_falsify() -> None:
    found = correct(NOW - 400 * YEAR_MS, NOW - 10_000, -400 * YEAR_MS, Reading(NOW, NOW))
    assert (found.stamp_ms, found.uncertainty_ms) == (NOW - 10_000, 10_000)


def test_before_the_first_contact_nothing_is_known() -> None:
    assert correct(NOW - 5_000, 0, None, Reading(NOW, NOW)) == Corrected(NOW - 5_000, NOW)
