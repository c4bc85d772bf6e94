"""A replayed change never overrides what a later change of its own chain wrote (failures, row 32).

The office takes a quarantined change in again, after its author has worked on. What the author wrote later on
the same path stands; on other paths the replayed change counts.
"""

from typing import Any

import msgspec
import pytest

from sync_protocol.changes import Change
from sync_protocol.history import EXISTENCE
from tests.protocol.desk import Desk, Hand, Taken, accepted, add, drop, entry, opened, put, remove
from tests.protocol.kinds_for_tests import SHEET

SEEN: dict[str, Any] = {
    "subject": "old",
    "heads": 0,
    "story": "甲。乙。丙。",
    "tags": ["a"],
    "steps": {entry(1): {"words": "one", "cost": 1}},
}


def opened_with_newer_version(**fields: Any) -> tuple[Desk, Hand, Hand]:
    """The second hand has a version of the kind that the server does not know yet."""
    desk, (other, one) = opened(**fields)
    one.version = 2
    return desk, other, one


def waits(taken: Taken) -> Change:
    assert taken.refused is not None
    assert taken.refused.code == "unknown_version"
    return taken.change


def install(desk: Desk) -> None:
    desk.kinds.install(msgspec.structs.replace(SHEET, version=2))


@pytest.mark.parametrize(
    ("field", "values"), [("subject", "xy"), ("heads", (1, 2)), ("story", ("甲1。", "甲2。"))]
)
def test_row_32_a_replayed_older_value_does_not_beat_the_own_newer_one(field: str, values: Any) -> None:
    desk, _, one = opened_with_newer_version(**SEEN)
    one.save(**{field: values[0]})
    late = waits(one.send())
    one.version = 1
    one.save(**{field: values[1]})
    accepted(one.send())
    install(desk)
    assert accepted(desk.replay(late)).clashes == []
    assert desk.values[field] == values[1]


def test_row_32_nor_through_a_chain_of_which_more_waits() -> None:
    desk, _, one = opened_with_newer_version(**SEEN)
    one.save(heads=1)
    one.save(heads=2)
    first, second = waits(one.send()), waits(one.send())
    one.version = 1
    one.save(heads=3)
    accepted(one.send())
    install(desk)
    for late in (first, second):
        accepted(desk.replay(late))
        assert desk.values["heads"] == 3


@pytest.mark.parametrize(
    ("field", "values"), [("subject", "xy"), ("heads", (1, 2)), ("story", ("甲1。", "甲2。"))]
)
def test_row_32_nor_one_that_was_itself_taken_in_again(field: str, values: Any) -> None:
    desk, _, one = opened_with_newer_version(**SEEN)
    one.save(**{field: values[0]})
    one.save(**{field: values[1]})
    first, second = waits(one.send()), waits(one.send())
    install(desk)
    for late in (second, first):
        assert accepted(desk.replay(late)).clashes == []
        assert desk.values[field] == values[1]


def test_what_was_made_on_a_quarantined_edit_of_an_own_create_differs_from_nobody() -> None:
    desk = Desk()
    one = Hand(desk, 1)
    one.create(subject="new")
    accepted(one.send())
    one.version = 2
    one.save(heads=1)
    one.save(heads=2)
    first, second = waits(one.send()), waits(one.send())
    install(desk)
    assert accepted(desk.replay(second)).result == "applied"
    assert accepted(desk.replay(first)).clashes == []
    assert desk.values["heads"] == 2


def test_row_32_replayed_in_order_the_last_stands() -> None:
    desk, _, one = opened_with_newer_version(**SEEN)
    one.save(heads=1)
    one.save(heads=2)
    first, second = waits(one.send()), waits(one.send())
    install(desk)
    assert [accepted(desk.replay(late)).result for late in (first, second)] == ["applied", "applied"]
    assert desk.values["heads"] == 2


def test_row_32_what_waits_itself_has_overtaken_nothing() -> None:
    desk, _, one = opened_with_newer_version(**SEEN)
    one.save(heads=1)
    one.save(heads=2)
    first, _ = waits(one.send()), waits(one.send())
    install(desk)
    accepted(desk.replay(first))
    assert desk.values["heads"] == 1


def test_row_32_replayed_out_of_order_the_last_stands_too() -> None:
    desk, _, one = opened_with_newer_version(**SEEN)
    one.save(heads=1)
    one.save(heads=2)
    first, second = waits(one.send()), waits(one.send())
    install(desk)
    accepted(desk.replay(second))
    accepted(desk.replay(first))
    assert desk.values["heads"] == 2


def test_row_32_other_paths_of_a_replayed_change_count() -> None:
    desk, _, one = opened_with_newer_version(**SEEN)
    one.save(heads=1, subject="x")
    late = waits(one.send())
    one.version = 1
    one.save(heads=2)
    accepted(one.send())
    install(desk)
    accepted(desk.replay(late))
    assert (desk.values["heads"], desk.values["subject"]) == (2, "x")


def test_a_replayed_value_meets_what_others_wrote_meanwhile() -> None:
    desk, other, one = opened_with_newer_version(**SEEN)
    one.save(heads=1)
    late = waits(one.send())
    other.save(heads=5)
    other.send()
    install(desk)
    assert accepted(desk.replay(late)).result == "conflict"
    assert desk.values["heads"] == 5


@pytest.mark.parametrize(("first", "then"), [(add("b"), remove("b")), (remove("a"), add("a"))])
def test_row_32_in_a_set(first: Any, then: Any) -> None:
    desk, _, one = opened_with_newer_version(**SEEN)
    one.save(first)
    late = waits(one.send())
    one.version = 1
    one.save(then)
    accepted(one.send())
    install(desk)
    accepted(desk.replay(late))
    assert desk.values["tags"] == ["a"]


def test_row_32_an_entry_that_its_author_removed_stays_removed() -> None:
    desk, _, one = opened_with_newer_version(**SEEN)
    one.save(put(1, words="new"))
    late = waits(one.send())
    one.version = 1
    one.save(drop(1))
    accepted(one.send())
    install(desk)
    accepted(desk.replay(late))
    assert "steps" not in desk.values


def test_row_32_a_new_entry_that_its_author_removed_does_not_appear() -> None:
    desk, _, one = opened_with_newer_version(**SEEN)
    one.save(put(2, words="new"))
    late = waits(one.send())
    one.version = 1
    one.save(drop(2))
    accepted(one.send())
    install(desk)
    accepted(desk.replay(late))
    assert list(desk.values["steps"]) == [entry(1)]


def test_row_32_a_sub_field_that_its_author_wrote_later() -> None:
    desk, _, one = opened_with_newer_version(**SEEN)
    one.save(put(1, words="x", cost=5))
    late = waits(one.send())
    one.version = 1
    one.save(put(1, words="y"))
    accepted(one.send())
    install(desk)
    accepted(desk.replay(late))
    assert desk.values["steps"][entry(1)] == {"words": "y", "cost": 5}


def test_row_32_a_record_that_its_author_deleted_stays_deleted() -> None:
    desk, _, one = opened_with_newer_version(**SEEN)
    one.save(heads=1)
    late = waits(one.send())
    one.version = 1
    one.delete()
    accepted(one.send())
    assert desk.state.deleted
    install(desk)
    taken = accepted(desk.replay(late))
    assert desk.state.deleted
    assert EXISTENCE not in {effect.path for effect in taken.effects}


def test_what_was_written_before_an_own_delete_that_was_turned_down_counts() -> None:
    desk, other, one = opened_with_newer_version(**SEEN)
    one.save(heads=1)
    late = waits(one.send())
    one.version = 1
    other.save(subject="y")
    accepted(other.send())
    one.delete()
    assert one.send().result == "conflict"
    install(desk)
    accepted(desk.replay(late))
    assert (desk.values["subject"], desk.values["heads"]) == ("y", 1)


def test_what_was_written_before_an_own_delete_is_there_when_somebody_else_keeps_the_record() -> None:
    desk, other, one = opened_with_newer_version(**SEEN)
    one.save(heads=1)
    late = waits(one.send())
    one.version = 1
    one.delete()
    accepted(one.send())
    install(desk)
    accepted(desk.replay(late))
    gone = desk.state.deleted
    other.save(subject="y")
    other.send()
    assert (gone, desk.state.deleted) == (True, False)
    assert (desk.values["subject"], desk.values["heads"]) == ("y", 1)


@pytest.mark.parametrize(
    ("field", "first", "then"), [("peak", {"peak": 9}, {"peak": 5}), ("trough", {"trough": 1}, {"trough": 5})]
)
def test_a_replayed_extreme_stands_whatever_its_author_wrote_later(
    field: str, first: dict[str, Any], then: dict[str, Any]
) -> None:
    desk, _, one = opened_with_newer_version(**SEEN)
    one.save(**first)
    late = waits(one.send())
    one.version = 1
    one.save(**then)
    accepted(one.send())
    install(desk)
    accepted(desk.replay(late))
    assert desk.values[field] == first[field]


def test_row_32_an_extreme_that_its_author_has_cleared_stays_cleared() -> None:
    desk, _, one = opened_with_newer_version(**SEEN)
    one.save(peak=9)
    late = waits(one.send())
    one.version = 1
    one.save(peak=None)
    accepted(one.send())
    install(desk)
    accepted(desk.replay(late))
    assert "peak" not in desk.values


def test_row_32_a_step_that_its_author_has_left_behind() -> None:
    desk, _, one = opened_with_newer_version(**SEEN)
    one.step("report", "reported")
    one.step("settle", "settled")
    late = waits(one.send())
    one.queue[0] = msgspec.structs.replace(one.queue[0], version=1)
    lost = one.send()
    install(desk)
    accepted(desk.replay(late))
    assert lost.result == "conflict"  # it started from where the record was not
    assert {clash.path for clash in desk.clashes} == {"state"}


@pytest.mark.parametrize(
    "fields", [b"5", b'"heads"', b'["heads"]', b'{"heads":"\\ud800"}', b'{"heads":[[[1]]]}', b'{"steps":7}']
)
def test_row_4_what_is_built_on_nonsense_is_merged_all_the_same(fields: bytes) -> None:
    """The merge asks what a quarantined predecessor said; that may be anything."""
    desk, _, one = opened_with_newer_version(**SEEN)
    one.save(put(1, words="x"), heads=1)
    one.queue[0] = msgspec.structs.replace(one.queue[0], fields=msgspec.Raw(fields))
    assert one.send().refused is not None
    one.version = 1
    one.save(put(1, words="y"), heads=2)
    accepted(one.send())
    assert (desk.values["heads"], desk.values["steps"][entry(1)]["words"]) == (2, "y")
