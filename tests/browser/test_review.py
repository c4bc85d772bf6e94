"""Reviewing in a real browser: a difference in three clicks, a pair, the quarantine; on a desk and on a phone."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.axe import accessible
from tests.browser.conftest import shot
from tests.browser.office import LiveOffice, looking
from tests.server.office_server import GRID

# One database: the tasks (tests/browser/tasks) are done on both.
pytestmark = pytest.mark.parametrize("_database_kind", ["postgresql"], indirect=True, scope="module")

STORY = "村东头的路灯坏了半个月。晚上没法走路。"


async def prepared(office: LiveOffice) -> dict[str, str]:
    """Two workers who differ about a matter in a text and a number, a pair, and two changes that wait."""
    server = office.server
    one, two = await server.device("李四"), await server.device("王五")
    async with await server.client() as client:

        async def matter(key: str, **fields: Any) -> dict[str, Any]:
            body = {"kind": "matter", "key": key, "place": GRID, "fields": {"nature": "dispute", **fields}}
            return dict((await client.post("/v1/records", json=body)).json())

        made = await matter("a", title="村东头路灯不亮", narrative=STORY, category="02", people_involved=3)
        other = await matter("b", title="东头路灯不亮了", narrative=STORY, category="02")
    said = {"people_involved": 5, "narrative": "村东头的路灯坏了一个月。晚上没法走路。"}
    await one.push(one.change(made["id"], base=made["version"], fields=said))
    late = server.now_ms - 7_200_000
    said = {"people_involved": 7, "narrative": "村西头的路灯坏了半个多月。晚上没法走路。"}
    await two.push(two.change(made["id"], base=made["version"], at=late, fields=said))
    await one.push(one.change(other["id"], base=other["version"], fields={"people_involved": -1}))
    await two.push(two.create(fields={"title": "无人机", "scale": "99"}))
    return {"a": made["id"], "b": other["id"]}


def looked_at(page: Page, name: str) -> None:
    accessible(page)
    shot(page, name)


def test_a_clerk_reviews_what_came_in(office: LiveOffice, browser: Browser) -> None:
    clerk = office.person("clerk", "陈静")
    ids = office.run(prepared, office)
    pages = {
        "differences": "/office/differences",
        "duplicates": "/office/duplicates",
        "pair": f"/office/duplicates/{ids['a']}/{ids['b']}",
        "quarantine": "/office/quarantine",
        "affair": "/office/affairs/new",
    }
    with looking(browser, office, clerk) as page:
        page.goto("/office/quarantine")
        page.locator("[data-rows] a").first.click()
        looked_at(page, "quarantined-zh")
        page.goto("/office/differences")
        page.get_by_role("row").filter(has_text="情况叙述").get_by_role("link").click()  # the first click
        expect(page.locator("ins").first).to_be_visible()
        looked_at(page, "difference-zh")
        page.get_by_role("button", name="采用", exact=True).nth(1).click()  # the second, and the last
        expect(page.get_by_text("已核对：陈静")).to_be_visible()
        looked_at(page, "decided-zh")
        page.get_by_label("撤回的理由").fill("看错了")
        page.get_by_role("button", name="撤回这次核对").click()
        expect(page.get_by_role("button", name="撤回这次核对")).to_have_count(0)
        page.goto("/office/differences")
        page.get_by_role("checkbox").first.check()
        page.get_by_role("button", name="按规则建议处理所选…").click()
        page.get_by_role("button", name="全部确认").click()
        expect(page.get_by_text("已处理 1")).to_be_visible()
        page.goto(pages["pair"])
        page.get_by_role("button", name="并案").first.click()
        expect(page.get_by_text("已并入另一件")).to_be_visible()
        looked_at(page, "joined-zh")
