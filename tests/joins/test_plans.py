"""Pairs, members and joined matters are found by an index: nothing grows with the number of matters."""

import pytest

from server.affairs import service as affairs
from server.duplicates import service as duplicates
from server.joins import service as joins
from tests.e2e.village import GRID, VILLAGES, Village, settled
from tests.joins.desk import Desk, matter
from tests.statements import asked, explained

WHOLE = ("SCAN records", "SCAN duplicate_pairs", "Seq Scan on records", "Seq Scan on duplicate_pairs")


@pytest.fixture
def one(village: Village, desk: Desk) -> str:
    """A matter that another one, alike, is joined into."""
    worker = village.device("李四", GRID)
    made = [matter(worker, "村东头路灯不亮", narrative="坏了半个月") for _ in range(3)]
    settled(village, worker)
    desk.join(made[1].id, made[0].id)
    return made[0].id


def test_every_list_of_review_is_answered_from_an_index(village: Village, desk: Desk, one: str) -> None:
    services, who = village.services, desk.who
    with asked(services.engine, "FROM records", "duplicate_pairs") as statements:
        village.run(duplicates.listed(services, who, "open", None, 20))
        village.run(duplicates.listed(services, who, "different", None, 20))
        village.run(duplicates.similar(services, who, "路灯不亮", "", VILLAGES[0], None))
        village.run(joins.absorbed(services, who, one))
        village.run(affairs.get(services, who, one))
    read = [(statement, given) for statement, given in statements if statement.startswith("SELECT")]
    assert len(read) > 5
    for statement, parameters in read:
        plan = village.run(explained(services.engine, statement, parameters))
        assert not any(scan in plan for scan in WHOLE), (statement, plan)
