"""Joined matters: what could break them, each execution a test (docs/decisions/joins.md)."""

from typing import Any

import pytest

from client_sdk import FieldClient
from server.declined import Declined
from tests.e2e.village import GRID, GRIDS, NEXT_GRID, Village, settled
from tests.joins.desk import Desk, matter, measured

FAR = GRIDS[25]
"""A grid of the other village."""


@pytest.fixture
def one(village: Village) -> FieldClient:
    return village.device("李四", GRID)


@pytest.fixture
def two(village: Village) -> FieldClient:
    return village.device("王五", FAR)


def code_of(call: Any) -> str:
    with pytest.raises(Declined) as declined:
        call()
    return declined.value.code


def test_the_absorbed_one_stays_as_a_stub_and_its_number_finds_the_other(
    village: Village, desk: Desk, one: FieldClient, two: FieldClient
) -> None:
    """Different villages: the stub stays on its own device, and nothing of the other matter gets there."""
    a, b = matter(one, "路灯不亮"), matter(two, "村口路灯坏了")
    a, _ = measured(one, a, "已联系电工")
    settled(village, one, two)
    desk.join(a.id, b.id)
    settled(village, one, two)
    stub, survivor = one.get(a.id), two.get(b.id)
    assert (stub.state, stub.grid, survivor.state) == ("joined", GRID, "reported")
    assert desk.texts(b.id) == ["已联系电工"]
    number = stub.number
    found = village.office("GET", f"/v1/records?number={number}")["records"]
    assert {one["id"] for one in found} == {a.id, b.id}
    assert next(one for one in found if one["id"] == a.id)["joined_into"] == b.id
    told = [news for news in one.news() if news.what == "joined"]
    assert [news.record for news in told] == [a.id]
    assert b.id not in str(told)


def test_an_unsent_edit_of_the_absorbed_one_arrives_as_a_proposal_and_its_entries_merge(
    village: Village, desk: Desk, one: FieldClient, two: FieldClient
) -> None:
    a, b = matter(one, "路灯不亮"), matter(two, "村口路灯坏了", urgency="tracked")
    settled(village, one, two)
    a = one.update(one.get(a.id), title="东头路灯不亮", urgency="same_day")
    a = one.add(a, "tags", "road")
    a, entry = measured(one, a, "到现场看过")
    desk.join(a.id, b.id)
    report = one.sync()
    assert (report.conflicts, report.quarantined) == (0, 0)
    settled(village, one, two)
    assert desk.values(b.id)["title"] == "村口路灯坏了"
    assert desk.differing(b.id) == {
        "title": ["村口路灯坏了", "东头路灯不亮"],
        "urgency": ["tracked", "same_day"],
    }
    assert (desk.texts(b.id), desk.values(b.id)["tags"]) == (["到现场看过"], ["road"])
    assert desk.writer(b.id, entry) == a.id
    # The absorbed one says it itself, so a split finds it there.
    assert one.get(a.id).fields["title"] == "东头路灯不亮"
    assert desk.values(a.id)["title"] == "东头路灯不亮"
    assert {news.what for news in one.news()} >= {"joined"}


def test_sent_again_it_has_no_second_effect(village: Village, desk: Desk, one: FieldClient) -> None:
    a, b = matter(one, "路灯不亮"), matter(one, "路灯坏了")
    settled(village, one)
    keyed = desk.join(a.id, b.id, key="once")
    assert desk.join(a.id, b.id, key="once") == keyed
    assert code_of(lambda: desk.join(a.id, b.id)) == "joined"


def test_an_edit_of_a_brought_entry_is_not_concurrent_with_itself_but_with_others(
    village: Village, desk: Desk, one: FieldClient, two: FieldClient
) -> None:
    a, b = matter(one, "路灯不亮"), matter(two, "村口路灯坏了")
    a, mine = measured(one, a, "第一次")
    a, theirs = measured(one, a, "第二次")
    settled(village, one, two)
    desk.join(a.id, b.id)
    settled(village, one, two)
    two.edit_entry(two.get(b.id), "measures", theirs, by="乙单位")
    two.sync()
    stub = one.edit_entry(one.get(a.id), "measures", mine, text="第一次，改", by="甲单位")
    one.edit_entry(stub, "measures", theirs, by="丙单位")
    settled(village, one, two)
    measures = desk.values(b.id)["measures"]
    assert (measures[mine]["text"], measures[mine]["by"]) == ("第一次，改", "甲单位")
    page = village.office("GET", f"/v1/conflicts?status=by_rule&record={b.id}")
    (found,) = page["conflicts"]
    assert found["path"] == f"measures/{theirs}/by"
    assert {side["value"] for side in found["values"]} == {"乙单位", "丙单位"}


def test_joined_at_once_both_ways_the_second_is_told(village: Village, desk: Desk, one: FieldClient) -> None:
    a, b = matter(one, "路灯不亮"), matter(one, "路灯坏了")
    settled(village, one)
    assert desk.open_matters() == 2
    desk.join(a.id, b.id)
    assert desk.open_matters() == 1
    assert code_of(lambda: desk.join(b.id, a.id)) == "joined"
    assert code_of(lambda: desk.join(a.id, a.id)) == "invalid_record"


def test_a_join_of_a_join_brings_on_and_splits_again_link_by_link(
    village: Village, desk: Desk, one: FieldClient, two: FieldClient
) -> None:
    a, b, c = matter(one, "甲"), matter(one, "乙"), matter(two, "丙")
    a, _ = measured(one, a, "甲的措施")
    settled(village, one, two)
    desk.join(a.id, b.id)
    desk.join(b.id, c.id)
    measured(one, one.get(a.id), "甲后来的措施")
    settled(village, one, two)
    assert desk.texts(b.id) == desk.texts(c.id) == ["甲后来的措施", "甲的措施"]
    desk.split(a.id)
    settled(village, one, two)
    assert (desk.texts(b.id), desk.texts(c.id)) == ([], [])
    assert desk.texts(a.id) == ["甲后来的措施", "甲的措施"]
    desk.split(b.id)
    settled(village, one, two)


def test_split_after_edits_each_has_what_was_said_of_it(
    village: Village, desk: Desk, one: FieldClient, two: FieldClient
) -> None:
    a, b = matter(one, "甲"), matter(two, "乙")
    a, old = measured(one, a, "甲的措施")
    b, own = measured(two, b, "乙的措施")
    settled(village, one, two)
    desk.join(a.id, b.id)
    settled(village, one, two)
    a, _ = measured(one, one.get(a.id), "并案后甲的措施")
    one.update(a, title="甲，改")
    two.edit_entry(two.get(b.id), "measures", old, by="乙单位")
    settled(village, one, two)
    desk.split(a.id)
    settled(village, one, two)
    assert (desk.values(a.id)["title"], desk.texts(a.id)) == ("甲，改", ["并案后甲的措施", "甲的措施"])
    # What others wrote in stays there: an edit beats a removal.
    assert set(desk.values(b.id)["measures"]) == {old, own}
    assert village.state(a.id).state == "reported"
    one.update(one.get(a.id), title="甲，再改")
    settled(village, one, two)
    assert village.state(a.id).joined_into is None
    assert desk.values(b.id)["title"] == "乙"
    assert code_of(lambda: desk.split(a.id)) == "already_decided"


def test_a_step_of_the_field_on_an_absorbed_matter_waits_for_the_office(
    village: Village, desk: Desk, one: FieldClient
) -> None:
    a, b = matter(one, "甲"), matter(one, "乙")
    settled(village, one)
    one.act(one.get(a.id), "settle")
    desk.join(a.id, b.id)
    assert one.sync().conflicts == 1
    assert desk.differing(a.id) == {"state": ["joined", "settled"]}
    assert village.state(a.id).joined_into == b.id
    settled(village, one)


def test_restricted_matters_are_joined_with_restricted_ones_only(
    village: Village, desk: Desk, one: FieldClient
) -> None:
    a, b = matter(one, "甲"), matter(one, "乙")
    settled(village, one)
    village.by_clerk(a.id, fields={"restricted": True})
    assert code_of(lambda: desk.join(a.id, b.id)) == "invalid_record"
    assert code_of(lambda: desk.join(b.id, a.id)) == "invalid_record"
    blind = Desk(village, restricted=False)
    assert code_of(lambda: blind.join(b.id, a.id)) == "not_found"


def test_what_becomes_restricted_after_a_join_brings_nothing_more(
    village: Village, desk: Desk, one: FieldClient, two: FieldClient
) -> None:
    a, b = matter(one, "甲"), matter(two, "乙")
    settled(village, one, two)
    desk.join(a.id, b.id)
    village.by_clerk(a.id, fields={"restricted": True})
    village.by_clerk(a.id, fields={"narrative": "涉及村干部"})
    one.sync()
    assert "涉及村干部" not in str(desk.values(b.id))
    assert "narrative" not in desk.differing(b.id)


def test_a_step_into_or_out_of_a_join_is_never_taken_by_itself(
    village: Village, desk: Desk, one: FieldClient
) -> None:
    a, b = matter(one, "甲"), matter(one, "乙")
    settled(village, one)
    assert not {"join", "split"} & desk.actions(a.id)
    assert code_of(lambda: desk.act(a.id, "join")) == "forbidden"
    desk.join(a.id, b.id)
    assert not {"join", "split"} & desk.actions(a.id)
    assert code_of(lambda: desk.act(a.id, "split")) == "forbidden"
    # Closed beside the other one it stays joined, and only a split leads out again.
    desk.act(a.id, "close")
    assert code_of(lambda: desk.act(a.id, "reopen")) == "forbidden"
    desk.split(a.id)
    assert (village.state(a.id).state, village.state(a.id).joined_into) == ("reported", None)


def test_erased_the_survivor_comes_first(village: Village, desk: Desk, one: FieldClient) -> None:
    """What an absorbed matter said stands in the other one too: its erasure says which."""
    from tests.privacy.desk import WORDS
    from tests.privacy.desk import Desk as Privacy

    a, b = matter(one, "甲"), matter(one, "乙")
    a, _ = measured(one, a, WORDS)
    settled(village, one)
    desk.join(a.id, b.id)
    privacy = Privacy(village)
    assert code_of(lambda: privacy.erase(a.id)) == "joined"
    privacy.erase(b.id)
    privacy.erase(a.id)
    assert privacy.tables_with() == set()
    settled(village, one)


def test_joins_and_splits_are_events(village: Village, desk: Desk, one: FieldClient) -> None:
    a, b = matter(one, "甲"), matter(one, "乙")
    a, _ = measured(one, a, "措施")
    settled(village, one)
    since = village.office("GET", "/v1/changes?since=now")["cursor"]
    desk.join(a.id, b.id)
    measured(one, one.get(a.id), "再来")
    settled(village, one)
    desk.split(a.id)
    events = village.office("GET", f"/v1/changes?since={since}")["changes"]
    said = [(event["action"], event["record"]["id"] == a.id, event["into"]) for event in events]
    assert said == [
        ("joined", True, b.id),
        ("brought", False, None),
        ("edited", True, None),
        ("brought", False, None),
        ("split", True, ""),
        ("brought", False, None),
    ]


def test_a_worker_of_both_grids_gets_what_was_brought(village: Village, desk: Desk, one: FieldClient) -> None:
    """What is brought is no change of the device's own: its page brings it as content."""
    near = village.device("赵六", GRID, NEXT_GRID)
    a, b = matter(one, "甲"), matter(near, "乙", grid=NEXT_GRID)
    settled(village, one, near)
    desk.join(a.id, b.id)
    measured(near, near.get(a.id), "两处都有")
    settled(village, one, near)
    assert [m["text"] for m in near.get(b.id).fields["measures"].values()] == ["两处都有"]
