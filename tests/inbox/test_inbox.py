"""What waits for whom: each queue of each role, within its reach, and what a page that stands open is told."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from server.deadlines.keeping import keep
from server.inbox import service
from server.inbox.queues import QUEUES, queues_of
from server.inbox.service import MOST
from server.records.editing import EntriesEdit
from server.rights import PEOPLE, Person, rights
from server.sessions.limits import SignInLimits
from sync_protocol.changes import Act
from tests.ledger.desk import Desk, desk_of
from tests.server.office_server import TOWN, VILLAGE
from tests.server.people import Somebody, signed_in

DAY_MS = 86_400_000
UNIT = "司法所"


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[Desk]:
    async with desk_of(database_url) as made:
        yield made


def person(who: Somebody) -> Person:
    row = who.row
    return Person(
        row.township,
        row.staff_id,
        row.name,
        row.role,
        row.village,
        row.unit,
        sees_restricted=bool(row.sees_restricted),
        townships=(TOWN,),
    )


async def waits(desk: Desk, who: Somebody) -> dict[str, list[str]]:
    """To each queue that is not empty what waits in it."""
    found = await service.lines(desk.services, person(who))
    return {
        one.queue.name: [item.waiting.title or item.waiting.what for item in one.items]
        for one in found
        if one.items
    }


async def pulse(who: Somebody, **asked: str) -> Any:
    return await who.browser.get("/office/pulse", params=asked, headers={"hx-request": "true"})


def test_every_queue_belongs_to_a_role_that_may_see_it() -> None:
    actions = rights().actions
    for queue in QUEUES:
        assert all(actions[queue.action].scope_of(role) for role in queue.roles), queue.name
    assert len({queue.name for queue in QUEUES}) == len(QUEUES)
    have = {
        role: [one.name for one in queues_of(Person(TOWN, "", "", role, townships=(TOWN,)))]
        for role in PEOPLE
    }
    assert {role for role, names in have.items() if not names} == {"grid_worker", "county_observer"}
    assert have["clerk"] == have["administrator"]


async def test_each_thing_waits_in_its_queue_and_leaves_it(desk: Desk) -> None:
    clerk = await signed_in(desk.server, "clerk", "赵敏")
    first = await desk.report("先来的")
    second = await desk.report("退回过的")
    await desk.report("没位置", place=TOWN)
    await desk.act(second, "return")
    await desk.act(second, "report")
    found = await waits(desk, clerk)
    assert found["reported"] == ["先来的", "退回过的", "没位置"], "the oldest first"
    assert (found["came_back"], found["unplaced"]) == (["退回过的"], ["没位置"])
    for record in (first, second):
        await desk.act(record, "accept")
    found = await waits(desk, clerk)
    assert (found["reported"], "came_back" in found) == (["没位置"], False)


async def test_dates_feedback_and_extensions_wait(desk: Desk) -> None:
    clerk = await signed_in(desk.server, "clerk", "赵敏")
    leader = await signed_in(desk.server, "leader", "钱镇长")
    late = await desk.report("要反馈的", level="township")
    await desk.act(late, "accept", "assign")
    await keep(desk.services, TOWN)
    assert "overdue" not in await waits(desk, clerk)
    desk.server.now_ms += 6 * DAY_MS
    await keep(desk.services, TOWN)
    found = await waits(desk, clerk)
    assert (found["overdue"], found["feedback"]) == (["要反馈的"], ["要反馈的"])
    assert "extensions" not in await waits(desk, leader)
    await clerk.sign_in()
    wish = {"rule": "statutory_resolve", "amount": 10, "reason": "等鉴定"}
    asked = await clerk.browser.post(f"/v1/records/{late}/extensions", json=wish)
    assert asked.status_code in {200, 201}, asked.text
    assert (await waits(desk, leader))["extensions"] == ["要反馈的"]
    assert "extensions" not in await waits(desk, clerk), "the rule names the leader"


async def test_leaders_units_villages_and_counties_have_their_own(desk: Desk) -> None:
    officer = await signed_in(desk.server, "village_officer", "周书记", village=VILLAGE)
    handler = await signed_in(desk.server, "unit_handler", "孙所", unit=UNIT)
    leader = await signed_in(desk.server, "leader", "钱镇长")
    county = await signed_in(desk.server, "county_handler", "县里")
    clerk = await signed_in(desk.server, "clerk", "赵敏")
    here, elsewhere = await desk.report("村里的"), await desk.report("别处的", place=TOWN)
    assert (await waits(desk, officer))["settle"] == ["村里的"]
    await desk.act(here, "accept", "assign")
    await clerk.browser.put(f"/v1/records/{here}/units", json={"units": [UNIT]})
    await clerk.browser.put(f"/v1/records/{here}/leaders", json={"leaders": [leader.row.staff_id]})
    assert (await waits(desk, handler)) == {"assigned": ["村里的"]}
    assert (await waits(desk, leader)) == {"opinion": ["村里的"], "taken_on": ["村里的"]}
    await desk.edit(here, entries={"opinions": EntriesEdit(append=[{"text": "同意", "type": "leader"}])})
    assert "opinion" not in await waits(desk, leader)
    await desk.act(elsewhere, "accept", "pass_up")
    assert (await waits(desk, county)) == {"passed_up": ["别处的"]}
    assert (await waits(desk, officer)) == {"village": ["村里的"]}


async def test_restricted_matters_and_differences_of_them_wait_for_named_people_alone(desk: Desk) -> None:
    clerk = await signed_in(desk.server, "clerk", "赵敏")
    named = await signed_in(desk.server, "clerk", "专人", sees_restricted=True)
    device = await desk.server.device("李四")
    fields = {"title": "开放的", "nature": "dispute", "people_involved": 3}
    made = device.create(fields=fields, act=Act("report", "draft", "reported"))
    await device.push(made)
    seen = (await desk.server.state(made.record)).version
    await desk.edit(made.record, fields={"people_involved": 4})
    other = device.change(made.record, fields={"people_involved": 5}, base=seen)
    verdicts = await device.push(other)
    assert verdicts[0].result == "conflict"
    found = await waits(desk, clerk)
    assert found["differences"] == ["开放的"]
    await desk.edit(made.record, fields={"restricted": True})
    found = await waits(desk, clerk)
    assert "differences" not in found
    assert all("开放的" not in words for words in found.values())
    again = {one.queue.name: one.count for one in await service.lines(desk.services, person(named))}
    assert again["differences"] == "1"


async def test_silent_devices_and_counts_that_end(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    clerk = await signed_in(desk.server, "clerk", "赵敏")
    await desk.server.device("李四")
    assert "devices" not in await waits(desk, clerk)
    desk.server.now_ms += 3 * DAY_MS + 1
    assert (await waits(desk, clerk))["devices"] == ["李四"]
    monkeypatch.setattr(service, "MOST", 2)
    for n in range(4):
        await desk.report(f"事{n}")
    line = await service.line(desk.services, person(clerk), "reported")
    assert (line.count, len(line.items)) == ("2+", 3)
    assert MOST == 99


async def test_the_pulse_is_silent_until_something_moves_and_keeps_no_session_open(desk: Desk) -> None:
    clerk = await signed_in(desk.server, "clerk", "赵敏")
    await desk.report("一")
    first = (await pulse(clerk)).json()
    assert first["counts"]["reported"] == "1"
    assert (await pulse(clerk, since=first["mark"])).status_code == 204
    await desk.report("二")
    told = await pulse(clerk, since=first["mark"], queue="reported", seen=first["mark"])
    assert (told.json()["counts"]["reported"], told.json()["newer"]) == ("2", 1)
    assert told.json()["pages"] == {}
    for strange in ("x", "1.2", "9" * 30, "-1"):
        assert (await pulse(clerk, since=strange, queue="reported", seen=strange)).json()["newer"] == 0
    idle_ms = SignInLimits().session_idle_minutes * 60_000
    statuses = []
    for _ in range(4):
        desk.server.now_ms += idle_ms // 3
        statuses.append((await pulse(clerk)).status_code)
    assert statuses == [200, 200, 401, 401], "a page that stands open is nobody at work"
