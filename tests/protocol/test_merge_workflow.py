"""Steps of the workflow: declared ones only, a lost step and what was built on it, office above field."""

import pytest

from tests.protocol.desk import NOW, OFFICE, accepted, opened


def test_a_declared_step_is_taken() -> None:
    desk, (one, _) = opened()
    one.step("report", "reported")
    one.step("settle", "settled")
    assert [accepted(taken).result for taken in one.send_all()] == ["applied", "applied"]
    assert desk.state.state == "settled"


@pytest.mark.parametrize(
    ("name", "from_", "to"),
    [
        ("report", "fresh", "settled"),  # leads elsewhere
        ("settle", "fresh", "settled"),  # does not start here
        ("vanish", "fresh", "reported"),  # is not declared
        ("accept", "reported", "accepted"),  # is not open to the field
    ],
)
def test_what_is_not_declared_waits_for_the_office(name: str, from_: str, to: str) -> None:
    desk, (one, _) = opened()
    one.step(name, to, from_=from_)
    taken = one.send()
    assert taken.refused is not None
    assert (taken.refused.code, desk.state.state) == ("not_permitted", "fresh")


def test_a_step_from_a_state_that_is_not_there_is_lost_and_listed() -> None:
    desk, (one, _) = opened()
    one.step("settle", "settled", from_="reported")
    assert one.send().result == "conflict"
    [clash] = desk.clashes
    assert (clash.path, clash.standing.value, clash.other.value, clash.by_rule) == (
        "state",
        "fresh",
        "settled",
        False,
    )


def test_a_lost_step_and_those_built_on_it_are_one_conflict() -> None:
    desk, (one, clerk) = opened(office=True)
    one.step("report", "reported")
    one.step("settle", "settled")
    one.step("finish", "finished")
    clerk.step("report", "reported")
    clerk.step("accept", "accepted")
    clerk.send_all()
    assert [taken.result for taken in one.send_all()] == ["conflict"] * 3
    assert desk.state.state == "accepted"
    assert {clash.path for clash in desk.clashes} == {"state"}
    assert [clash.other.value for clash in desk.clashes] == ["reported", "settled", "finished"]


def test_the_office_outranks_the_field_in_either_order() -> None:
    for first in (0, 1):
        desk, hands = opened(office=True)
        field, clerk = hands
        field.step("report", "reported")
        field.send()
        for hand in hands:
            hand.page()
        field.step("settle", "settled")
        clerk.step("accept", "accepted")
        hands[first].send()
        assert hands[1 - first].send().result == "conflict"
        assert desk.state.state == "accepted"
        [clash] = desk.clashes
        assert {clash.standing.value, clash.other.value} == {"settled", "accepted"}
        assert clash.standing.value == "accepted"
        assert clash.by_rule is (first == 0)


def test_between_two_of_the_field_the_first_stands() -> None:
    desk, (one, other) = opened()
    one.step("report", "reported")
    one.send()
    one.page()
    other.page()
    one.step("settle", "settled", at=NOW - 50)
    other.step("finish", "finished", at=NOW)
    one.send()
    assert other.send().result == "conflict"
    assert desk.state.state == "settled"


def test_the_same_step_twice_is_no_conflict() -> None:
    desk, (one, other) = opened()
    one.step("report", "reported")
    other.step("report", "reported")
    assert [one.send().result, other.send().result] == ["applied", "merged"]
    assert (desk.state.state, desk.clashes) == ("reported", [])


def test_a_step_and_an_edit_of_a_field_do_not_meet() -> None:
    desk, (one, clerk) = opened(office=True, subject="old")
    clerk.step("report", "reported")
    clerk.send()
    one.save(subject="new")
    assert one.send().result == "applied"
    assert (desk.state.state, desk.values["subject"]) == ("reported", "new")


def test_a_closed_record_leaves_the_devices_and_a_reopened_one_comes_back_whole() -> None:
    desk, (one, clerk) = opened(office=True)
    one.step("report", "reported")
    one.send()
    clerk.page()
    clerk.step("finish", "finished")
    clerk.send()
    assert (desk.state.closed, desk.state.held) == (True, False)
    clerk.page()
    clerk.step("reopen", "accepted")
    taken = clerk.send()
    assert (desk.state.held, desk.state.placed) == (True, taken.n)


def test_an_edit_from_the_field_of_a_closed_record_waits_for_the_office() -> None:
    desk, (one, clerk) = opened(office=True, subject="old")
    one.step("report", "reported")
    one.send()
    clerk.page()
    clerk.step("finish", "finished")
    clerk.send()
    one.save(subject="late")
    taken = one.send()
    assert taken.refused is not None
    assert taken.refused.code == "not_in_scope"
    assert taken.refused.reason is None
    assert clerk.role == OFFICE
    assert accepted(desk.replay(taken.change)).result == "applied"
    assert desk.values["subject"] == "late"
