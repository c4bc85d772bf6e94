"""Delete against edit: the edit survives, the record comes back, the office is told; in either order."""

from typing import Any

import pytest

from sync_protocol.history import DELETED, EXISTENCE, KEPT
from tests.protocol.desk import Hand, accepted, add, drop, entry, increment, opened, put, remove

SEEN: dict[str, Any] = {"subject": "old", "tags": ["a"], "steps": {entry(1): {"words": "one"}}}


def _edit(hand: Hand, what: str) -> None:
    match what:
        case "field":
            hand.save(subject="new")
        case "clearing":
            hand.save(subject=None)
        case "addition":
            hand.save(add("b"))
        case "removal":
            hand.save(remove("a"))
        case "entry":
            hand.save(put(1, words="new"))
        case "new entry":
            hand.save(put(2, words="new"))
        case "entry gone":
            hand.save(drop(1))
        case "increment":
            hand.save(increment(1))


EDITS = ["field", "clearing", "addition", "removal", "entry", "new entry", "entry gone", "increment"]


@pytest.mark.parametrize("what", EDITS)
@pytest.mark.parametrize("first", ["edit", "deletion"])
def test_an_edit_beats_a_deletion_in_either_order(what: str, first: str) -> None:
    desk, (one, other) = opened(**SEEN)
    _edit(one, what)
    other.delete()
    order = (one, other) if first == "edit" else (other, one)
    order[0].send()
    assert order[1].send().result == "conflict"
    assert desk.state.held
    [clash] = [clash for clash in desk.clashes if clash.path == EXISTENCE]
    assert (clash.base, clash.standing.value, clash.other.value, clash.by_rule) == (KEPT, KEPT, DELETED, True)
    assert {clash.standing.writer.by, clash.other.writer.by} == {one.name, other.name}
    expected, (same, _) = opened(**SEEN)
    _edit(same, what)
    same.send()
    assert (desk.values, desk.state.state) == (expected.values, expected.state.state)


def test_a_step_brings_a_record_back_that_was_deleted_unseen() -> None:
    desk, (one, other) = opened(**SEEN)
    one.step("report", "reported")
    other.delete()
    other.send()
    assert one.send().result == "conflict"
    assert (desk.state.held, desk.state.state) == (True, "reported")


def test_a_deletion_that_saw_everything_deletes() -> None:
    desk, (one, other) = opened(**SEEN)
    one.save(subject="new")
    one.send()
    other.page()
    other.delete()
    assert other.send().result == "applied"
    assert (desk.state.deleted, desk.clashes) == (True, [])


@pytest.mark.parametrize("what", EDITS)
@pytest.mark.parametrize("acknowledged", [True, False])
def test_an_own_deletion_after_own_edits_deletes(what: str, acknowledged: bool) -> None:  # noqa: FBT001 (pytest names it)
    desk, (one, _) = opened(**SEEN)
    _edit(one, what)
    if acknowledged:
        one.send()
    one.delete()
    assert [accepted(taken).result for taken in one.send_all()][-1] == "applied"
    assert (desk.state.deleted, desk.clashes) == (True, [])


def test_two_deletions_are_no_conflict() -> None:
    desk, (one, other) = opened(**SEEN)
    one.delete()
    other.delete()
    one.send()
    other.send()
    assert (desk.state.deleted, desk.clashes) == (True, [])


def test_a_revived_record_comes_whole() -> None:
    desk, (one, other) = opened(**SEEN)
    one.save(subject="new")
    other.delete()
    other.send()
    taken = one.send()
    assert desk.state.placed == taken.n
    assert desk.values == SEEN | {"subject": "new"}


def test_a_numbered_record_is_voided_never_deleted() -> None:
    desk, (one, _) = opened(**SEEN)
    desk.state.number = "321283104-2026-00001"
    one.delete()
    taken = one.send()
    assert taken.refused is not None
    assert (taken.refused.code, desk.state.deleted) == ("not_permitted", False)
