"""From a seed to a round: the same seed the same one, and every one with everything that can go wrong."""

from collections import Counter

import pytest

from demo.plan import PATTERNS, Plan, plan

VILLAGES = [f"321283104{number}" for number in range(200, 212)]
GRIDS = [f"{village}{number:03}" for village in VILLAGES for number in range(1, 4)]
ROLES = {"dies", "loses_answer", "loses_record", "moves", "crafts_field", "crafts_kind"}
SEEDS = range(60)


@pytest.fixture(scope="module")
def plans() -> list[Plan]:
    return [plan(seed, GRIDS) for seed in SEEDS]


def test_a_seed_is_a_round() -> None:
    assert plan(3, GRIDS) == plan(3, list(reversed(GRIDS)))
    assert plan(3, GRIDS) != plan(4, GRIDS)


def test_twenty_four_workers_cover_every_grid_and_share_some(plans: list[Plan]) -> None:
    for one in plans:
        covered = Counter(grid for device in one.devices for grid in device.grids)
        assert len(one.devices) == len({device.worker for device in one.devices}) == 24
        assert covered.keys() == set(GRIDS)
        assert all(1 <= len(device.grids) <= 3 for device in one.devices)
        assert {grid for grid, count in covered.items() if count == 2} == {t.grid for t in one.tickets}
        assert max(covered.values()) == 2


def test_everything_that_can_go_wrong_does(plans: list[Plan]) -> None:
    for one in plans:
        assert Counter(device.role for device in one.devices if device.role) == Counter(ROLES)
        assert sorted(ticket.pattern for ticket in one.tickets) == sorted(PATTERNS)
        slow = [device for device in one.devices if device.slow]
        assert len(slow) == 5
        assert all(device.cuts["monday"] and device.cuts["tuesday"] for device in slow)
        assert sum(abs(device.clock.error_ms) > 3_600_000 for device in one.devices) == 5
        roles = [device.role for device in one.devices if device.clock.jump_ms]
        assert roles == [None], "a store that is opened again would find its lease ended"


def test_who_moves_leaves_the_shared_grid_and_who_loses_a_record_has_one_alone(plans: list[Plan]) -> None:
    for one in plans:
        shared = {ticket.grid for ticket in one.tickets}
        mover, loser = one.whose("moves"), one.whose("loses_record")
        assert set(mover.grids) - set(one.moves) <= shared
        assert len(set(one.moves) - set(mover.grids)) == 1
        assert set(loser.grids) - shared
        assert one.moved_to not in loser.grids


def test_everybody_has_a_turn_when_something_is_sent(plans: list[Plan]) -> None:
    for one in plans:
        assert set(one.orders) == {"monday", "tuesday"}
        assert all(sorted(order) == [device.name for device in one.devices] for order in one.orders.values())
