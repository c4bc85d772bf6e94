"""Pairs that may be one matter: found by following the changes, decided once, never suggested again."""

import pytest

from client_sdk import FieldClient
from server.declined import Declined
from server.duplicates import service as duplicates
from server.duplicates.service import PairView
from server.records.writing import Target
from tests.e2e.village import GRID, GRIDS, VILLAGES, Village, settled
from tests.joins.desk import WHY, Desk, matter

STORY = "路灯坏了半个月，晚上没法走路"


@pytest.fixture
def worker(village: Village) -> FieldClient:
    return village.device("李四", GRID, GRIDS[25])


def listed(desk: Desk, status: str = "open") -> list[PairView]:
    work = duplicates.listed(desk.village.services, desk.who, status, None, None)
    return desk.village.run(work).pairs


def mark(desk: Desk, one: str, other: str) -> None:
    desk.village.run(duplicates.mark_different(desk.village.services, desk.who, one, other, WHY))


def test_alike_matters_of_one_village_are_suggested_once_and_a_decision_is_kept(
    village: Village, desk: Desk, worker: FieldClient
) -> None:
    a = matter(worker, "村东头路灯不亮", narrative=STORY, category="02")
    b = matter(worker, "东头路灯不亮了", narrative=STORY, category="02")
    matter(worker, "邻居门口堆垃圾", narrative="臭气熏天", category="02")
    matter(worker, "村东头路灯不亮", narrative=STORY, category="02", grid=GRIDS[25])
    settled(village, worker)
    (pair,) = listed(desk)
    assert {pair.one.id, pair.other.id} == {a.id, b.id}
    assert {reason.code for reason in pair.reasons} == {"words", "category", "grid", "days"}
    mark(desk, a.id, b.id)
    assert listed(desk) == []
    worker.update(worker.get(a.id), narrative=STORY + "。")
    settled(village, worker)
    assert listed(desk) == []
    with pytest.raises(Declined) as declined:
        mark(desk, b.id, a.id)
    assert declined.value.code == "already_decided"


def test_what_is_not_alike_any_more_is_not_suggested_any_more(
    village: Village, desk: Desk, worker: FieldClient
) -> None:
    a = matter(worker, "村东头路灯不亮", narrative=STORY)
    matter(worker, "村东头路灯不亮", narrative=STORY)
    settled(village, worker)
    assert len(listed(desk)) == 1
    worker.update(worker.get(a.id), title="水渠堵塞", narrative="田里进不了水")
    settled(village, worker)
    assert listed(desk) == []


def test_a_joined_pair_is_suggested_to_nobody_and_a_split_one_never_again(
    village: Village, desk: Desk, worker: FieldClient
) -> None:
    a, b, c = (matter(worker, "村东头路灯不亮", narrative=STORY) for _ in range(3))
    settled(village, worker)
    assert len(listed(desk)) == 3
    work = duplicates.join(village.services, desk.who, Target(a.id), b.id, WHY)
    village.run(work)
    assert [{pair.one.id, pair.other.id} for pair in listed(desk)] == [{b.id, c.id}]
    assert len(listed(desk, "joined")) == 1
    village.run(duplicates.split(village.services, desk.who, Target(a.id), WHY))
    settled(village, worker)
    assert {frozenset({pair.one.id, pair.other.id}) for pair in listed(desk)} == {
        frozenset({b.id, c.id}),
        frozenset({a.id, c.id}),
    }
    assert len(listed(desk, "different")) == 1


def test_while_typing_matters_of_the_village_are_named(
    village: Village, desk: Desk, worker: FieldClient
) -> None:
    a = matter(worker, "村东头路灯不亮", narrative=STORY, category="02")
    matter(worker, "邻居门口堆垃圾", narrative="臭气熏天")
    settled(village, worker)

    def asked(place: str) -> list[str]:
        work = duplicates.similar(village.services, desk.who, "东头路灯不亮", "", place, "02")
        return [candidate.record for candidate in village.run(work)]

    assert asked(VILLAGES[0]) == asked(GRID) == [a.id]
    assert asked(VILLAGES[1]) == asked("321283999203") == asked("x") == []


def test_restricted_matters_are_paired_only_for_those_named(
    village: Village, desk: Desk, worker: FieldClient
) -> None:
    a, _ = (matter(worker, "村东头路灯不亮", narrative=STORY) for _ in range(2))
    settled(village, worker)
    village.by_clerk(a.id, fields={"restricted": True})
    assert listed(Desk(village, restricted=False)) == []
    assert len(listed(desk)) == 1
