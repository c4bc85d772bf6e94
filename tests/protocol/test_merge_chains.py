"""Chains of own edits with foreign ones between, and edits on stale screens (failures, row 30)."""

import msgspec
import pytest

from sync_protocol.clock import LINK_MS
from tests.protocol.desk import (
    NOW,
    OFFICE,
    Desk,
    Hand,
    accepted,
    add,
    drop,
    entry,
    id_of,
    opened,
    put,
    remove,
)


def test_own_edits_in_a_row_are_no_conflict() -> None:
    desk, (one, _) = opened(heads=0)
    for heads in (1, 2, 3):
        one.save(heads=heads)
    assert [taken.result for taken in one.send_all()] == ["applied"] * 3
    assert (desk.values["heads"], desk.clashes) == (3, [])


def test_own_edits_in_a_row_are_no_conflict_before_any_page() -> None:
    """Nor when the first was acknowledged, and its page has not come."""
    desk, (one, _) = opened(heads=0)
    one.save(heads=1)
    one.send()
    one.save(heads=2)
    assert one.send().result == "applied"
    assert desk.values["heads"] == 2


def test_row_30_an_own_predecessor_is_not_not_concurrent() -> None:
    """The device wrote last on this path, and somebody else in between: that is concurrent."""
    desk, (one, other) = opened(heads=0)
    one.save(heads=1)
    one.send()
    other.page()
    other.save(heads=5)
    other.send()
    one.save(heads=2)  # its screen shows 1: no page came
    assert one.send().result == "conflict"
    assert desk.values["heads"] == 5
    [clash] = desk.clashes
    assert (clash.base, clash.standing.value, clash.other.value) == (1, 5, 2)


def test_row_30_what_was_merged_into_an_own_value_is_not_overwritten() -> None:
    """The own first edit was combined with somebody's; the own second one never saw the combination."""
    desk, (one, other) = opened(story="甲。乙。丙。")
    other.save(story="甲。乙。丙1。")
    other.send()
    one.save(story="甲1。乙。丙。")
    one.save(story="甲2。乙。丙。")
    assert [taken.result for taken in one.send_all()] == ["merged", "merged"]
    assert desk.values["story"] == "甲2。乙。丙1。"


def test_row_30_a_three_way_merge_of_a_chain_starts_from_the_predecessors_text() -> None:
    desk, (one, other) = opened(story="甲。乙。丙。丁。")
    one.save(story="甲1。乙。丙。丁。")
    one.save(story="甲1。乙。丙。丁1。")
    one.send()
    other.save(story="甲。乙1。丙。丁。")
    assert other.send().result == "conflict"  # beside the first edit
    other.page()
    other.save(story="甲1。乙1。丙。丁。")
    other.send()
    assert one.send().result == "merged"
    assert desk.values["story"] == "甲1。乙1。丙。丁1。"


def test_row_30_an_edit_of_a_screen_older_than_the_page_just_pulled() -> None:
    """The base is what the author saw, not what the device has since been sent."""
    desk, (one, other) = opened(heads=0)
    one.save(heads=1)  # on the screen as it was
    other.save(heads=2)
    other.send()
    one.page()
    assert one.send().result == "conflict"
    assert desk.values["heads"] == 2


def test_a_page_under_a_pending_chain_was_not_seen() -> None:
    """What the page brought lies below the own pending value; a further edit has not seen it either."""
    desk, (one, other) = opened(heads=0)
    one.save(heads=1)
    other.save(heads=2)
    other.send()
    one.page()
    one.save(heads=3)
    assert [taken.result for taken in one.send_all()] == ["conflict", "conflict"]
    assert [clash.base for clash in desk.clashes] == [0, 1]
    assert desk.values["heads"] == 2


def test_a_page_on_another_path_was_seen() -> None:
    desk, (one, other) = opened(heads=0, subject="old")
    one.save(heads=1)
    other.save(subject="new")
    other.send()
    one.page()
    one.save(subject="newer")
    assert [taken.result for taken in one.send_all()] == ["applied", "applied"]
    assert desk.values == {"heads": 1, "subject": "newer"}


def test_later_losers_of_a_chain_name_one_path() -> None:
    """They join the conflict that is open: one row for a path."""
    desk, (one, other) = opened(heads=0)
    other.save(heads=9)
    for heads in (1, 2, 3):
        one.save(heads=heads)
    other.send()
    assert [taken.result for taken in one.send_all()] == ["conflict"] * 3
    assert {clash.path for clash in desk.clashes} == {"heads"}
    assert [clash.other.value for clash in desk.clashes] == [1, 2, 3]


def test_a_value_that_came_back_to_the_own_one_is_the_own_one() -> None:
    """The exemption is for the exact value of the named predecessor, whoever wrote it last."""
    desk, (one, other) = opened(heads=0)
    one.save(heads=1)
    one.save(heads=2)
    one.send()
    other.page()
    other.save(heads=7)
    other.save(heads=1)
    other.send_all()
    assert one.send().result == "applied"
    assert desk.values["heads"] == 2


def test_but_not_one_that_the_office_decided() -> None:
    desk, (one, clerk) = opened(heads=0, office=True)
    one.save(heads=1)
    one.save(heads=2)
    one.send()
    clerk.page()
    clerk.save(heads=1, decides=id_of(555))
    clerk.send()
    assert one.send().result == "conflict"
    assert desk.values["heads"] == 1


def test_a_create_that_no_page_has_brought_counts_for_every_path() -> None:
    desk = Desk()
    one = Hand(desk, 1)
    one.create(heads=1, tags=["a"], steps={entry(1): {"words": "x"}})
    one.save(remove("a"), put(1, words="y"), heads=2, subject="new")
    one.save(drop(1))
    assert [accepted(taken).result for taken in one.send_all()] == ["applied"] * 3
    assert desk.values == {"heads": 2, "subject": "new"}


def test_nobody_can_name_a_strangers_change_as_the_own_predecessor() -> None:
    desk, (one, other) = opened(heads=0)
    first = one.save(heads=1)
    one.send()
    forged = msgspec.structs.replace(other.save(heads=2), on={"heads": first.id})
    assert desk.take(forged, other.name).result == "conflict"


@pytest.mark.parametrize("ahead_ms", [-NOW, -86_400_000, 3_600_000, 73 * 31_557_600_000])
def test_row_10_a_later_thought_of_a_wrong_clock_stands(ahead_ms: int) -> None:
    """Its second edit is later than its first one, whatever its clock was set to in between."""
    desk, (one, other) = opened(subject="old")
    one.save(subject="first", at=NOW)
    one.save(subject="second", at=NOW + ahead_ms)
    one.send_all()
    assert desk.values["subject"] == "second"
    other.save(subject="unseen", at=NOW - 60_000)
    other.send()
    assert desk.values["subject"] == "second"


@pytest.mark.parametrize("clock", [0, NOW + 73 * 31_557_600_000, 2**53, -(2**53)])
def test_row_10_a_wrong_clock_never_wins_for_ever(clock: int) -> None:
    """From 1970 to 2099 and beyond: an honest edit made after its receipt replaces it."""
    desk, (one, other) = opened(subject="old")
    one.save(subject="wrong", at=clock)
    one.send()
    desk.now += LINK_MS
    other.save(subject="honest", at=desk.now)
    assert other.send().result == "conflict"
    assert desk.values["subject"] == "honest"


def test_an_own_addition_seen_by_the_own_removal_goes_however_often_it_was_made() -> None:
    desk, (one, _) = opened(tags=["a"])
    one.save(add("b"))
    one.save(add("b"))
    one.save(remove("b"))
    one.send_all()
    assert desk.values["tags"] == ["a"]


def test_the_office_is_an_author_like_any_other() -> None:
    desk, (one, clerk) = opened(heads=0, office=True)
    assert clerk.role == OFFICE
    clerk.save(heads=5)
    clerk.send()
    one.save(heads=1)
    assert one.send().result == "conflict"
    assert desk.values["heads"] == 5
