"""A county: people of its own, what townships passed up to it, and what leaders have taken on."""

import json
from collections.abc import AsyncIterator
from functools import partial

import pytest
from sqlalchemy import select

from server.directory import service as directory
from server.directory.service import open_township
from server.refused import RefusedError
from server.staff import service as staff
from server.storage.directory import Place, put_places
from server.storage.engine import snapshot, transact
from server.storage.soundness import orphans
from server.storage.tables import audit_entries
from tests.server.office_server import COUNTY, GRID, OTHER_TOWN, TOWN, OfficeServer, office_server
from tests.server.people import Somebody, signed_in
from tests.server.world import World, furnished

OTHER_COUNTY = "321202"
THIRD_TOWN = f"{OTHER_COUNTY}100"


@pytest.fixture
async def server(database_url: str) -> AsyncIterator[OfficeServer]:
    async with office_server(database_url) as running:
        yield running


@pytest.fixture
async def world(server: OfficeServer) -> World:
    return await furnished(server)


async def titles(person: Somebody, **wanted: str) -> set[str]:
    answer = await person.browser.get("/v1/records", params=wanted)
    assert answer.status_code == 200, answer.text
    return {row["fields"]["title"] for row in answer.json()["records"]}


async def county_acts(server: OfficeServer, township: str) -> list[tuple[str, str]]:
    async with server.services.engine.connect() as connection:
        rows = await connection.execute(select(audit_entries).order_by(audit_entries.c.n))
        mine = [row for row in rows if (row.township_id, row.act) == (township, "county_acted")]
        return [(row.actor, json.loads(row.detail)["step"]) for row in mine]


async def test_what_was_passed_up_is_read_taken_up_and_handed_back(world: World) -> None:
    handler = await signed_in(world.server, "county_handler", "孙科长")
    assert handler.row.township == COUNTY
    assert await titles(handler) == {"passed up", "passed up elsewhere"}
    assert await titles(handler, township=OTHER_TOWN) == {"passed up elsewhere"}
    path = f"/v1/records/{world.matters['passed up elsewhere']}"
    open_now = [one["name"] for one in (await handler.browser.get(f"{path}/actions")).json()["actions"]]
    assert {"take_up", "hand_back", "resolve"} == set(open_now)
    taken = await handler.browser.post(f"{path}/actions", json={"action": "take_up", "note": "县里接手"})
    assert (taken.status_code, taken.json()["state"]) == (200, "passed_up"), taken.text
    bare = await handler.browser.post(f"{path}/actions", json={"action": "hand_back"})
    assert bare.status_code == 422, "without a reason"
    says = {"action": "hand_back", "reason": "可由镇里调解"}
    assert (await handler.browser.post(f"{path}/actions", json=says)).json()["state"] == "handed_back"
    assert (await handler.browser.get(path)).status_code == 404, "it is the township's again"
    me = f"person:{handler.row.staff_id}"
    assert await county_acts(world.server, OTHER_TOWN) == [(me, "take_up"), (me, "hand_back")]
    assert await county_acts(world.server, TOWN) == []

    there = await signed_in(world.server, "clerk", "那边看", township=OTHER_TOWN)
    steps = (await there.browser.get(f"{path}/history")).json()["changes"]
    told = [(one["action"], one["who"]["author_name"], one["who"]["role"]) for one in steps[-2:]]
    assert told == [(step, "孙科长", "county_handler") for step in ("take_up", "hand_back")]
    assert steps[-1]["reason"] == "可由镇里调解"


async def test_an_application_that_handed_a_matter_in_gets_no_receipts_of_a_device(world: World) -> None:
    """It reads the feed. A receipt that nobody fetches would lie there for ever, and doctor calls it an orphan."""
    found = await snapshot(world.server.services.engine, partial(orphans, township=TOWN))
    assert found["receipt"] == 0


async def test_a_county_reaches_no_township_of_another_county(world: World) -> None:
    server, engine = world.server, world.server.services.engine
    rows = [
        Place(OTHER_COUNTY, "county", OTHER_COUNTY[:4], "海陵区", 2023),
        Place(THIRD_TOWN, "town", OTHER_COUNTY, "九龙镇", 2023),
        Place(f"{THIRD_TOWN}201", "village", THIRD_TOWN, "一村村委会", 2023),
    ]
    await transact(engine, partial(put_places, rows=rows))
    await open_township(engine, THIRD_TOWN, grids=1, now_ms=server.now_ms, random=server.random)
    stranger = await signed_in(server, "county_handler", "外县", township=OTHER_COUNTY)
    assert await titles(stranger) == set()
    for record in world.matters.values():
        assert (await stranger.browser.get(f"/v1/records/{record}")).status_code == 404
    assert COUNTY not in {one.township for one in await directory.opened(engine)}


async def test_an_observer_sees_figures_and_no_record(world: World) -> None:
    observer = await signed_in(world.server, "county_observer", "周观察")
    for path in ("/v1/records", "/v1/changes", "/v1/conflicts", "/v1/quarantine"):
        assert (await observer.browser.get(path)).status_code == 403
    assert (await observer.browser.get("/v1/figures?measure=found")).status_code == 200


@pytest.mark.parametrize(("role", "where"), [("county_handler", TOWN), ("clerk", COUNTY), ("leader", "32")])
async def test_people_of_a_county_belong_to_it_and_nobody_else_does(
    server: OfficeServer, role: str, where: str
) -> None:
    person = staff.Candidate("某人", role, where)
    with pytest.raises(RefusedError, match=r"belongs to a county|named by the 9 digits"):
        await staff.add(server.services.engine, person, now_ms=server.now_ms, random=server.random)


async def test_a_leader_reaches_what_was_given_to_them_until_it_is_taken_back(world: World) -> None:
    leader = await world.person("leader", named=False)
    clerk = await signed_in(world.server, "clerk", "赵敏")
    record = world.matters["taken on"]
    assert await titles(leader) == {"taken on"}
    other = await signed_in(world.server, "leader", "李镇长")
    assert await titles(other) == set()
    opinion = {"entries": {"opinions": {"append": [{"text": "由司法所牵头", "type": "leader"}]}}}
    said = await leader.browser.patch(f"/v1/records/{record}", json=opinion, headers={"if-match": "*"})
    assert said.status_code == 200, said.text
    new = {"kind": "matter", "key": "1", "place": GRID, "fields": {"title": "新", "nature": "service"}}
    assert (await leader.browser.post("/v1/records", json=new)).status_code == 403
    for nobody in (clerk.row.staff_id, world.server.new_id(), "x"):
        refused = await clerk.browser.put(f"/v1/records/{record}/leaders", json={"leaders": [nobody]})
        assert refused.status_code == 422
    assert (await clerk.browser.put(f"/v1/records/{record}/leaders", json={"leaders": []})).status_code == 200
    assert await titles(leader) == set()
