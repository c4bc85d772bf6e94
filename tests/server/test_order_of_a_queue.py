"""What a reading of the protocol found: a fork stops the request, and an answer never tells what exists."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from server.sync.order import item, order
from sync_protocol.changes import Act, Change, Put
from tests.server.office_server import GRID, Device, OfficeServer

TWO_WRITERS = "0198c0de-0000-7000-8000-00000000000"


@pytest.fixture
async def server(database_url: str) -> AsyncIterator[OfficeServer]:
    found = OfficeServer(database_url)
    await found.prepare()
    yield found
    await found.services.engine.dispose()


def changes(*counters: int) -> list[Change]:
    record = f"{TWO_WRITERS}0"
    act = Act("report", "draft", "reported")
    return [Change(f"{TWO_WRITERS}{n}", record, "matter", 1, n, 0, act=act) for n in counters]


def test_nothing_is_taken_after_a_counter_that_goes_back() -> None:
    """Rows 3 and 12: the second may build on the first, which comes again after the fork."""
    items = [item(at, change, "a device") for at, change in enumerate(changes(2, 3))]
    ordered = order(items, {}, counter=2, lowest=0)
    assert ordered.fork
    assert ordered.take == []


async def test_an_unknown_id_and_one_of_another_grid_get_the_same_answers(server: OfficeServer) -> None:
    """Row 31: two edits of each, because the first must not change what the second is told."""
    here = await server.device("周敏")
    elsewhere = await server.device("赵强")
    create = here.create(fields={"title": "水渠"})
    await here.push(create)
    elsewhere.grids = frozenset({f"{GRID[:-1]}3"})
    told = [
        [verdict.code for verdict in await elsewhere.push(elsewhere.change(record), elsewhere.change(record))]
        for record in (create.record, server.new_id())
    ]
    assert told == [["not_in_scope", "not_in_scope"]] * 2


async def test_a_reason_quotes_nothing_of_a_contact(server: OfficeServer) -> None:
    device: Device = await server.device("赵强")
    entry = server.new_id()
    party = {"parties": {entry: {"role": "applicant", "contact": 13812345678}}}
    (verdict,) = await device.push(device.create(fields={"title": "水渠", **party}))
    assert verdict.code == "invalid_field"
    assert "138" not in (verdict.reason or "")


async def test_a_conflict_names_the_paths_that_differ(server: OfficeServer) -> None:
    one, other = await server.device("孙敏"), await server.device("朱强")
    create = one.create(fields={"title": "水渠", "people_involved": 3, "narrative": "甲。乙。丙。丁。"})
    (first,) = await one.push(create)
    base = first.n + 1
    told = one.change(
        create.record, base=base, fields={"people_involved": 5, "narrative": "甲一。乙。丙。丁。"}
    )
    later = other.change(
        create.record, base=base, fields={"people_involved": 7, "narrative": "甲。乙。丙。丁二。"}
    )
    await one.push(told)
    (verdict,) = await other.push(later)
    assert (verdict.result, verdict.differs) == ("conflict", ("people_involved",)), "the texts were merged"


async def test_a_record_does_not_grow_past_its_limit(server: OfficeServer) -> None:
    """Every device of the grid has to hold it, however small the edits were that made it so large."""
    device = await server.device("胡明")
    create = device.create(fields={"title": "水渠"})
    await device.push(create)
    codes = []
    for _ in range(6):
        values = msgspec.Raw(msgspec.json.encode({"text": "情" * 1_900}))
        ops = tuple(Put("measures", server.new_id(), values) for _ in range(10))
        codes += [verdict.code for verdict in await device.push(device.change(create.record, ops=ops))]
    assert codes == [None] * 4 + ["too_large"] * 2
