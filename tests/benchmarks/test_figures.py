"""What a benchmark judges: the median of the runs, against the reach that is declared, and nothing looser."""

import tomllib

import pytest

from benchmarks.__main__ import WORKS
from benchmarks.figures import HERE, Seen, declared, outcomes
from benchmarks.growth.__main__ import WORKS as GROWTH


def judged(work: str, *runs: Seen) -> bool | None:
    [outcome] = outcomes(work, [[run] for run in runs])
    return outcome.reached


@pytest.mark.parametrize(("ours", "reached"), [(54, False), (55, True), (90, True)])
def test_a_share_of_the_floor_has_to_be_at_least_its_reach(ours: float, reached: bool) -> None:  # noqa: FBT001
    assert judged("W1", Seen("upload", ours, 100)) is reached


@pytest.mark.parametrize(("ours", "reached"), [(160, True), (161, False)])
def test_another_share_has_to_be_at_most_its_reach(ours: float, reached: bool) -> None:  # noqa: FBT001
    assert judged("W2", Seen("whole", ours, 100)) is reached


def test_a_value_is_judged_by_itself_whatever_the_floor() -> None:
    assert judged("W5", Seen("records", 3_600, 1)) is True
    assert judged("W5", Seen("records", 3_601, 1_000_000)) is False


def test_the_median_of_the_runs_counts() -> None:
    good, bad = Seen("upload", 60, 100), Seen("upload", 10, 100)
    assert judged("W1", good, bad, good) is True
    assert judged("W1", bad, bad, good) is False


def test_the_median_is_of_shares_not_of_sides() -> None:
    # Each run has its own noise: the floors and ours must not be taken from different runs.
    [outcome] = outcomes(
        "W1", [[Seen("upload", 50, 100)], [Seen("upload", 10, 10)], [Seen("upload", 90, 120)]]
    )
    assert outcome.measured == 0.75


def test_a_figure_without_a_reach_is_reported_and_not_judged() -> None:
    assert judged("W5", Seen("cold", 1_000_000)) is None


def test_a_share_without_a_floor_is_refused() -> None:
    with pytest.raises(AssertionError, match="floor"):
        judged("W1", Seen("upload", 1))


def test_every_work_has_its_figures() -> None:
    assert {*WORKS, *GROWTH} == set(declared())


def test_the_peers_figures_are_of_declared_ones() -> None:
    peers = tomllib.loads((HERE / "peers.toml").read_text(encoding="utf-8"))
    assert {(work, name) for work in peers for name in peers[work]} <= {
        (work, name) for work in declared() for name in declared()[work]
    }
