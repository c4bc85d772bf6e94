"""Three devices write, an office joins and splits, in an order that a seed draws: nothing is lost, nothing stays mixed.

Nobody removes an entry or edits another record's, so what has to stand in the end is known exactly.
"""

from dataclasses import dataclass, field
from functools import partial
from random import Random

import pytest

from client_sdk import FieldClient
from server.declined import Declined
from server.soundness import findings
from server.storage.engine import snapshot
from tests.e2e.village import GRID, GRIDS, Village, settled
from tests.joins.desk import Desk, matter, measured

STEPS = 30


@dataclass
class Walk:
    """What was written so far: of each record the texts of its measures, and its last title."""

    village: Village
    desk: Desk
    random: Random
    devices: tuple[FieldClient, ...]
    records: list[str] = field(default_factory=list)
    texts: dict[str, set[str]] = field(default_factory=dict)
    titles: dict[str, set[str]] = field(default_factory=dict)
    joins: int = 0

    def begin(self) -> None:
        for at, device in enumerate(self.devices):
            for n in range(2):
                made = matter(device, f"事项{at}{n}")
                self.records.append(made.id)
                self.texts[made.id], self.titles[made.id] = set(), set()
        settled(self.village, *self.devices)

    def step(self, at: int) -> None:
        device = self.random.choice(self.devices)
        what = self.random.choice(["measure", "measure", "title", "sync", "sync", "join", "join", "split"])
        if what == "sync":
            device.sync()
        elif what in {"join", "split"}:
            self._office(what)
        else:
            held = device.list("matter")
            record = self.random.choice(held)
            if what == "measure":
                measured(device, record, f"措施{at}")
                self.texts[record.id].add(f"措施{at}")
            else:
                device.update(record, title=f"标题{at}")
                self.titles[record.id].add(f"标题{at}")

    def _office(self, what: str) -> None:
        one, other = self.random.sample(self.records, 2)
        try:
            if what == "join":
                self.desk.join(one, other)
                self.joins += 1
            else:
                self.desk.split(one)
        except Declined:
            return  # joined already, or not joined

    def into(self, record: str) -> list[str]:
        """What a record was joined into, link by link; a ring would not end."""
        chain, standing = [], self.village.state(record).joined_into
        while standing is not None:
            assert standing not in chain
            chain.append(standing)
            standing = self.village.state(standing).joined_into
        return chain

    def measures(self, record: str) -> set[str]:
        return set(self.desk.texts(record))


def written(walk: Walk, record: str) -> set[str]:
    """Every title that stands in a record or is kept in one of its conflicts."""
    page = [
        conflict
        for status in ("open", "by_rule", "decided")
        for conflict in walk.village.office("GET", f"/v1/conflicts?record={record}&status={status}")[
            "conflicts"
        ]
    ]
    kept = {side["value"] for one in page if one["path"] == "title" for side in one["values"]}
    history = walk.village.office("GET", f"/v1/records/{record}/history?limit=500")["changes"]
    kept |= {
        effect["after"] for change in history for effect in change["effects"] if effect["path"] == "title"
    }
    return kept | {walk.desk.values(record)["title"]}


@pytest.mark.parametrize("seed", range(3))
def test_whatever_is_joined_and_split_nothing_is_lost_and_nothing_stays_mixed(
    village: Village, desk: Desk, seed: int
) -> None:
    devices = (village.device("李四", GRID), village.device("王五", GRID), village.device("赵六", GRIDS[25]))
    walk = Walk(village, desk, Random(seed), devices)
    walk.begin()
    for at in range(STEPS):
        walk.step(at)
    settled(village, *devices)
    assert walk.joins > 1
    for record in walk.records:
        assert walk.measures(record) >= walk.texts[record]
        assert written(walk, record) >= walk.titles[record]
        for other in walk.into(record):
            assert walk.measures(other) >= walk.measures(record)
    for record in walk.records:
        if village.state(record).joined_into is not None:
            desk.split(record)
    settled(village, *devices)
    assert {record: walk.measures(record) for record in walk.records} == walk.texts
    assert village.run(snapshot(village.services.engine, partial(findings))) == []
