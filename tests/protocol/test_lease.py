"""The lease of a store: what a wrong clock can do, and what it cannot."""

from hypothesis import assume, given
from hypothesis import strategies as st

from sync_protocol.lease import DAY_MS, Running, Watch, elapsed_ms, look, met, since_contact_ms

DAYS = st.integers(1, 400)
AGO = st.integers(0, 200 * 365 * DAY_MS)
CLOCK = st.integers(-(10**13), 10**13)


def after(readings: list[int], days: int) -> tuple[list[str], Watch]:
    watch = Watch()
    states: list[str] = []
    for ago in readings:
        state, watch = look(watch, ago, days)
        states.append(state)
    return states, watch


def test_a_month_day_by_day() -> None:
    states, _ = after([day * DAY_MS for day in range(34)], 30)
    assert states == ["open"] * 31 + ["locked", "over", "over"]


@given(st.lists(AGO, max_size=20), AGO)
def test_without_a_lease_a_store_is_always_open(readings: list[int], ago: int) -> None:
    assert after([*readings, ago], 0)[0][-1] == "open"


@given(st.lists(AGO, max_size=20), DAYS)
def test_within_the_lease_no_store_is_locked(readings: list[int], days: int) -> None:
    assert set(after([ago % (days * DAY_MS + 1) for ago in readings], days)[0]) <= {"open"}


@given(st.lists(AGO, min_size=1, max_size=20), DAYS)
def test_a_clock_turned_back_unlocks_nothing(readings: list[int], days: int) -> None:
    states, _ = after(readings, days)
    locked = [at for at, ago in enumerate(readings) if ago > days * DAY_MS]
    assert all((state == "open") == (not locked or at < locked[0]) for at, state in enumerate(states))


@given(st.lists(st.tuples(st.integers(0, 10 * DAY_MS), AGO), min_size=1, max_size=20), DAYS)
def test_while_a_machine_runs_its_clock_says_nothing(looks: list[tuple[int, int]], days: int) -> None:
    """Open as long as the machine has run within the lease since the contact, whatever the clock on the wall showed."""
    watch, ran_ms = met(Running("start", 7)), 0
    for more_ms, by_clock_ms in looks:
        ran_ms += more_ms
        now = Running("start", 7 + ran_ms)
        ago_ms = elapsed_ms(watch, now, by_clock_ms)
        assert ago_ms == ran_ms
        state, watch = look(watch, ago_ms, days, now)
        assert (state == "open") == (ran_ms <= days * DAY_MS)
        if state != "open":
            break


@given(st.lists(AGO, max_size=10), AGO, st.lists(AGO, max_size=10), DAYS)
def test_one_jump_never_destroys(before: list[int], jump: int, later: list[int], days: int) -> None:
    """Whatever a clock shows once, between days within the lease: it locks, and no more."""
    length = days * DAY_MS
    readings = [*(ago % length for ago in before), jump, *(ago % length for ago in later)]
    assert "over" not in after(readings, days)[0]


@given(st.lists(AGO, min_size=2, max_size=20), DAYS)
def test_two_days_that_fit_together_are_needed(readings: list[int], days: int) -> None:
    """Over means: two readings past the lease, a day apart and no more than a lease, none between them earlier."""
    states, _ = after(readings, days)
    length = days * DAY_MS
    for at, state in enumerate(states):
        if state == "over":
            assert any(
                first > length
                and DAY_MS <= readings[at] - first <= length
                and all(ago >= first for ago in readings[begun : at + 1])
                for begun, first in enumerate(readings[:at])
            )


@given(DAYS, st.integers(0, 10**6))
def test_who_stays_away_is_locked_out_in_the_end(days: int, more: int) -> None:
    ago = days * DAY_MS + 1 + more
    assume(days > 1)
    assert after([ago, ago + DAY_MS], days)[0] == ["locked", "over"]


@given(CLOCK, CLOCK, st.integers(0, 10**11))
def test_a_clock_that_is_put_right_after_the_contact_changes_nothing(
    server_ms: int, device_ms: int, ago: int
) -> None:
    assert since_contact_ms(server_ms + ago, server_ms, device_ms) <= ago
    assert since_contact_ms(device_ms + ago, server_ms, device_ms) <= ago


@given(CLOCK, CLOCK, st.integers(0, 10**11))
def test_a_clock_that_was_right_is_believed(server_ms: int, off: int, ago: int) -> None:
    """With a clock that runs as it did, no shorter than it was, unless the server's reading is shorter."""
    device_ms = server_ms + off
    assert since_contact_ms(device_ms + ago, server_ms, device_ms) in {ago, ago + off}
