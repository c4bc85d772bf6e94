"""The inbox as pages: who is led where, what is escaped, and accepting several at once after a look."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.ledger.desk import Desk, desk_of
from tests.server.office_server import VILLAGE
from tests.server.people import Somebody, signed_in

HOSTILE = "<script>alert(1)</script>\"'{{7*7}}水渠"


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[Desk]:
    async with desk_of(database_url) as made:
        yield made


async def shown(who: Somebody, path: str, status: int = 200) -> str:
    answer = await who.browser.get(path)
    assert answer.status_code == status, answer.text
    return answer.text


async def sent(who: Somebody, path: str, status: int = 200, **form: Any) -> str:
    answer = await who.browser.post(path, data=form, headers={"hx-request": "true"})
    assert answer.status_code == status, answer.text
    return answer.text


async def test_each_role_is_led_to_its_own_and_hostile_words_stay_words(desk: Desk) -> None:
    await desk.report(HOSTILE)
    await desk.report("电话13800138000联系")
    clerk = await signed_in(desk.server, "clerk", "赵敏")
    page = await shown(clerk, "/office")
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "{{7*7}}" in page
    assert "13800138000" not in page
    assert "<html" not in await shown(clerk, "/office/inbox")
    await shown(clerk, "/office/mine", 403)
    for role, scope in (
        ("village_officer", {"village": VILLAGE}), ("unit_handler", {"unit": "司法所"}), ("leader", {}),
        ("county_handler", {}), ("county_observer", {}),
    ):  # fmt: skip
        who = await signed_in(desk.server, role, f"某{role}"[:20], **scope)
        led = await who.browser.get("/office")
        assert (led.status_code, led.headers["location"]) == (303, "/office/mine")
        await shown(who, "/office/mine")
        await shown(who, "/office/inbox/reported", 404)
    await shown(clerk, "/office/inbox/nothing", 404)


async def test_several_are_accepted_after_a_look_and_refusals_are_named(desk: Desk) -> None:
    clerk = await signed_in(desk.server, "clerk", "赵敏")
    made = [await desk.report(f"事{n}") for n in range(3)]
    page = await shown(clerk, "/office/inbox/reported")
    ticked = re.findall(r'name="record" value="([^"]*)"', page)
    assert [one.partition("@")[0] for one in ticked] == made
    await desk.act(made[1], "accept")
    foreseen = await sent(clerk, "/office/inbox/reported/preview", record=ticked)
    assert (foreseen.count("可受理"), foreseen.count("已不在待受理之列")) == (2, 1)
    states = [(await desk.server.state(one)).state for one in made]
    assert states == ["reported", "accepted", "reported"], "a look changes nothing"
    goes = re.findall(r'name="record" value="([^"]*)"', foreseen)
    key = re.findall(r'name="key" value="([^"]*)"', foreseen)[0]
    await desk.act(made[2], "return")
    done = await sent(clerk, "/office/inbox/reported/accept", record=goes, key=key)
    assert (done.count("已受理<"), done.count("不能受理")) == (1, 1)
    before = (await desk.server.state(made[0])).version
    again = await sent(clerk, "/office/inbox/reported/accept", record=goes, key=key)
    assert again.count("已受理<") == 1
    assert (await desk.server.state(made[0])).version == before, "a double click is one deed"
    await sent(clerk, "/office/inbox/reported/preview", 422)
    await sent(clerk, "/office/inbox/reported/preview", 422, record=["nothing"])
    await sent(clerk, "/office/inbox/reported/preview", 422, record=[f"{made[0]}@{n}" for n in range(60)])
    officer = await signed_in(desk.server, "village_officer", "周书记", village=VILLAGE)
    refused = await sent(officer, "/office/inbox/reported/accept", record=[ticked[2]], key="k")
    assert "不能受理" in refused


async def test_an_observer_sees_figures_by_code_and_none_that_is_small(desk: Desk) -> None:
    observer = await signed_in(desk.server, "county_observer", "县里看的")
    for n in range(6):
        await desk.report(f"事{n}")
    assert "每月过后才有" in await shown(observer, "/office/mine")
    desk.server.now_ms += 31 * 86_400_000
    await observer.sign_in()
    page = await shown(observer, "/office/mine")
    assert '<td class="number">6</td><td class="number">6</td>' in page, "found and open"
    assert "事0" not in page
