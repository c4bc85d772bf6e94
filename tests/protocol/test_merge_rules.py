"""Each rule by itself: what stands when two people wrote without having seen each other."""

from typing import Any

import pytest

from tests.protocol.desk import NOW, add, drop, entry, id_of, increment, opened, put, remove
from tests.protocol.kinds_for_tests import STORY_MAX


def test_different_fields_merge_without_a_conflict() -> None:
    desk, (one, other) = opened(subject="old", heads=0)
    one.save(subject="new")
    other.save(heads=5)
    assert [one.send().result, other.send().result] == ["applied", "applied"]
    assert (desk.values, desk.clashes) == ({"subject": "new", "heads": 5}, [])


@pytest.mark.parametrize("field", ["subject", "heads", "story"])
def test_the_same_value_twice_is_no_conflict(field: str) -> None:
    both: dict[str, Any] = {"subject": ("a", "b"), "heads": (1, 2), "story": ("甲。", "乙。")}
    values = both[field]
    desk, (one, other) = opened(**{field: values[0]})
    one.save(**{field: values[1]})
    other.save(**{field: values[1]})
    assert [one.send().result, other.send().result] == ["applied", "merged"]
    assert (desk.values[field], desk.clashes) == (values[1], [])


def test_clearing_twice_is_no_conflict() -> None:
    desk, (one, other) = opened(subject="a")
    one.save(subject=None)
    other.save(subject=None)
    one.send()
    other.send()
    assert (desk.values, desk.clashes) == ({}, [])


@pytest.mark.parametrize("later", [True, False])
def test_latest_takes_the_later_stamp_and_keeps_the_other(later: bool) -> None:  # noqa: FBT001 (pytest names it)
    desk, (one, other) = opened(subject="base")
    one.save(subject="one", at=NOW - 50)
    other.save(subject="other", at=NOW - 50 + (10 if later else -10))
    one.send()
    assert other.send().result == "conflict"
    [clash] = desk.clashes
    winner, loser = ("other", "one") if later else ("one", "other")
    assert desk.values["subject"] == winner
    assert (clash.base, clash.standing.value, clash.other.value) == ("base", winner, loser)
    assert (clash.by_rule, clash.rule) == (True, "latest")


def test_a_tie_of_stamps_goes_by_change_id() -> None:
    for first in (0, 1):
        desk, hands = opened(subject="base")
        for hand in hands:
            hand.save(subject=hand.name, at=NOW - 50)
        hands[first].send()
        hands[1 - first].send()
        assert desk.values["subject"] == hands[1].name


def test_review_leaves_what_stands_and_asks() -> None:
    desk, (one, other) = opened(heads=0)
    one.save(heads=1, at=NOW - 50)
    other.save(heads=2, at=NOW)
    one.send()
    other.send()
    [clash] = desk.clashes
    assert desk.values["heads"] == 1
    assert (clash.base, clash.standing.value, clash.other.value, clash.by_rule) == (0, 1, 2, False)


def test_text_is_combined_by_sentence() -> None:
    desk, (one, other) = opened(story="甲。乙。丙。")
    one.save(story="甲1。乙。丙。")
    other.save(story="甲。乙。丙1。")
    one.send()
    assert other.send().result == "merged"
    assert (desk.values["story"], desk.clashes) == ("甲1。乙。丙1。", [])


def test_text_of_adjacent_sentences_is_for_the_office() -> None:
    desk, (one, other) = opened(story="甲。乙。丙。")
    one.save(story="甲1。乙。丙。")
    other.save(story="甲。乙1。丙。")
    one.send()
    assert other.send().result == "conflict"
    [clash] = desk.clashes
    assert desk.values["story"] == "甲1。乙。丙。"
    assert (clash.base, clash.standing.value, clash.other.value) == (
        "甲。乙。丙。",
        "甲1。乙。丙。",
        "甲。乙1。丙。",
    )


@pytest.mark.parametrize(("field", "most"), [("story", STORY_MAX), ("long_story", 4_000)])
def test_text_past_its_limit_is_for_the_office(field: str, most: int) -> None:
    """Declared or not, a text has a limit; no merge may pass it."""
    base: dict[str, Any] = {field: "甲。乙。丙。"}
    before: dict[str, Any] = {field: "丁" * (most // 2) + "。" + base[field]}
    behind: dict[str, Any] = {field: base[field] + "戊" * (most // 2) + "。"}
    desk, (one, other) = opened(**base)
    one.save(**before)
    other.save(**behind)
    one.send()
    assert other.send().result == "conflict"
    assert len(desk.values[field]) <= most


def test_extremes_and_sums_take_everybodys_work_without_a_conflict() -> None:
    desk, (one, other) = opened(peak=1, trough=1.0, groups=1)
    one.save(increment(2), peak=5, trough=0.5)
    other.save(increment(3), peak=3, trough=-1.0)
    one.send()
    assert other.send().result == "merged"
    assert desk.values == {"peak": 5, "trough": -1.0, "groups": 6}
    assert desk.clashes == []


def test_the_latest_moment_is_compared_as_a_moment() -> None:
    """As texts, half a second past the minute sorts before the minute."""
    desk, (one, other) = opened()
    one.save(last_seen="2026-11-21T00:00:00.500000Z")
    other.save(last_seen="2026-11-21T00:00:00Z")
    one.send()
    other.send()
    assert desk.values["last_seen"] == "2026-11-21T00:00:00.500000Z"


def test_a_removal_takes_only_what_it_had_seen() -> None:
    desk, (one, other) = opened(tags=["a"])
    one.save(add("a"), add("b"))
    other.save(remove("a"))
    one.send()
    assert other.send().result == "merged"
    assert desk.values["tags"] == ["a", "b"]


def test_a_verdict_shows_nothing_of_the_same_addition_by_somebody_else() -> None:
    """So a removal between the verdict and the page takes the own addition alone, in either order of arrival."""
    desk, (one, two) = opened()
    one.save(add("a"))
    one.send()
    two.save(add("a"))
    assert two.send().result == "merged"
    two.save(remove("a"))
    two.send()
    assert desk.values["tags"] == ["a"]


def test_a_removal_takes_what_it_had_seen() -> None:
    desk, (one, other) = opened(tags=["a", "b"])
    one.save(add("c"))
    one.send()
    other.save(remove("a"))
    assert other.send().result == "applied"
    assert desk.values["tags"] == ["b", "c"]


def test_entries_of_two_people_stand_side_by_side_in_the_order_of_their_ids() -> None:
    desk, (one, other) = opened(steps={entry(2): {"words": "two"}})
    one.save(put(3, words="three"))
    other.save(put(1, words="one"))
    one.send()
    other.send()
    assert desk.state.stored()[0] == (
        b'{"steps":{"%s":{"words":"one"},"%s":{"words":"two"},"%s":{"words":"three"}}}'
        % tuple(entry(number).encode() for number in (1, 2, 3))
    )
    assert desk.clashes == []


def test_different_sub_fields_of_an_entry_merge_without_a_conflict() -> None:
    desk, (one, other) = opened(steps={entry(1): {"words": "one"}})
    one.save(put(1, words="new"))
    other.save(put(1, cost=3))
    one.send()
    other.send()
    assert desk.values["steps"] == {entry(1): {"words": "new", "cost": 3}}
    assert desk.clashes == []


def test_the_same_sub_field_is_one_conflict_on_that_sub_field() -> None:
    desk, (one, other) = opened(steps={entry(1): {"doubt": "base"}})
    one.save(put(1, doubt="one", words="w"))
    other.save(put(1, doubt="other"))
    one.send()
    other.send()
    [clash] = desk.clashes
    assert clash.path == f"steps/{entry(1)}/doubt"
    assert (clash.base, clash.standing.value, clash.other.value) == ("base", "one", "other")
    assert desk.values["steps"] == {entry(1): {"doubt": "one", "words": "w"}}


@pytest.mark.parametrize("first", ["edit", "removal"])
def test_an_edit_beats_a_removal_of_its_entry_in_either_order(first: str) -> None:
    desk, (one, other) = opened(steps={entry(1): {"words": "one", "cost": 1}})
    one.save(put(1, words="new"))
    other.save(drop(1))
    for hand in (one, other) if first == "edit" else (other, one):
        hand.send()
    assert desk.values["steps"] == {entry(1): {"words": "new", "cost": 1}}


def test_a_removal_of_an_entry_that_nobody_else_edits_removes_it() -> None:
    desk, (one, other) = opened(steps={entry(1): {"words": "one"}, entry(2): {"words": "two"}})
    one.save(put(2, words="new"))
    one.send()
    other.save(drop(1))
    other.send()
    assert desk.values["steps"] == {entry(2): {"words": "new"}}


# --- decisions of the office ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "old", "decided", "unseen"),
    [
        ("subject", "old", "decided", "unseen"),
        ("heads", 0, 1, 2),
        ("story", "甲。乙。丙。", "甲1。乙。丙。", "甲。乙。丙1。"),
    ],
)
def test_against_a_decision_that_was_not_seen_every_rule_acts_as_review(
    field: str, old: Any, decided: Any, unseen: Any
) -> None:
    desk, (one, clerk) = opened(office=True, **{field: old})
    clerk.save(decides=id_of(555), at=NOW - 50, **{field: decided})
    one.save(at=NOW, **{field: unseen})
    clerk.send()
    assert one.send().result == "conflict"
    [clash] = desk.clashes
    assert desk.values[field] == decided
    assert (clash.standing.value, clash.other.value, clash.by_rule) == (decided, unseen, False)


def test_a_decision_on_a_sub_field_leaves_the_others_as_they_were() -> None:
    desk, (one, clerk) = opened(office=True, steps={entry(1): {"words": "old", "cost": 1}})
    clerk.save(put(1, words="decided"), decides=id_of(555), at=NOW - 50)
    clerk.send()
    one.save(put(1, words="unseen", cost=2), at=NOW)
    one.send()
    assert desk.values["steps"] == {entry(1): {"words": "decided", "cost": 2}}
    assert [clash.path for clash in desk.clashes] == [f"steps/{entry(1)}/words"]


def test_a_decision_that_was_seen_may_be_edited() -> None:
    desk, (one, clerk) = opened(office=True, heads=0)
    clerk.save(heads=1, decides=id_of(555))
    clerk.send()
    one.page()
    one.save(heads=2)
    assert one.send().result == "applied"
    assert (desk.values["heads"], desk.clashes) == (2, [])


def test_an_edit_of_the_office_that_decides_nothing_is_no_decision() -> None:
    desk, (one, clerk) = opened(office=True, subject="old")
    clerk.save(subject="clerk", at=NOW - 50)
    clerk.send()
    one.save(subject="later", at=NOW)
    one.send()
    assert desk.values["subject"] == "later"
