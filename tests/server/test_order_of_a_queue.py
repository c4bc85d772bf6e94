"""What a reading of the protocol found: a fork stops the request, and an answer never tells what exists."""

from collections.abc import AsyncIterator

import pytest

from server.sync.order import item, order
from sync_protocol.changes import Act, Change
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
