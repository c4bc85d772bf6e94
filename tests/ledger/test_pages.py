"""The pages of the ledger and of intake, asked as a browser asks: what they show, refuse, and to whom."""

import io
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.intake.test_intake import GOOD, workbook
from tests.ledger.desk import Desk, desk_of
from tests.server.office_server import GRID, TOWN, VILLAGE
from tests.server.people import Somebody, signed_in

HOSTILE = "<script>alert(1)</script>\"'{{7*7}}水渠"


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[Desk]:
    async with desk_of(database_url) as made:
        yield made


@pytest.fixture
async def clerk(desk: Desk) -> Somebody:
    return await signed_in(desk.server, "clerk", "赵敏")


async def shown(who: Somebody, path: str, status: int = 200) -> str:
    answer = await who.browser.get(path)
    assert answer.status_code == status, answer.text
    return answer.text


async def sent(who: Somebody, path: str, status: int = 200, **form: Any) -> Any:
    answer = await who.browser.post(path, data=form, headers={"hx-request": "true"})
    assert answer.status_code == status, answer.text
    return answer


def hidden_in(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found is not None
    return found[1]


async def test_the_ledger_shows_escapes_filters_and_goes_on(desk: Desk, clerk: Somebody) -> None:
    for n in range(52):
        await desk.report(f"事{n}号")
    await desk.report(HOSTILE, place=TOWN, urgency="tracked")
    page = await shown(clerk, "/office/ledger")
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "{{7*7}}" in page
    assert "共 53 件" in page
    onward = re.search(r'hx-get="([^"]*)"', page)
    assert onward is not None
    rest = await clerk.browser.get(onward[1].replace("&amp;", "&"), headers={"hx-request": "true"})
    assert (rest.text.count("<tr>"), "<html" in rest.text, "hx-get" in rest.text) == (3, False, False)
    page = await shown(clerk, "/office/ledger?words=水渠&state=open&village=")
    assert "共 1 件" in page
    assert "标题含 水渠" in page
    assert 'href="/office/ledger?state=open"' in page
    for wrong in ("words=水", "state=x", "since=yesterday", "nothing=1"):
        assert "这样筛选不了" in await shown(clerk, f"/office/ledger?{wrong}"), wrong
    assert (await clerk.browser.get("/office/ledger?after=x")).status_code == 400


async def test_views_are_kept_and_exports_come_as_files(desk: Desk, clerk: Somebody) -> None:
    await desk.report("水渠一")
    await desk.report("土地")
    answer = await sent(clerk, "/office/ledger/views", view="我的<水渠>", query="words=水渠&sort=oldest")
    assert answer.headers["hx-redirect"] == "/office/ledger?words=%E6%B0%B4%E6%B8%A0&sort=oldest"
    assert "我的&lt;水渠&gt;" in await shown(clerk, "/office/ledger")
    refused = await sent(clerk, "/office/ledger/views", 422, view="x" * 41)
    assert "<html" not in refused.text
    await sent(clerk, "/office/ledger/views/forget", view="我的<水渠>")
    assert "我的&lt;水渠&gt;" not in await shown(clerk, "/office/ledger")
    answer = await clerk.browser.get("/office/ledger/export?form=csv&words=水渠")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].startswith('attachment; filename="ledger.csv"')
    assert "水渠一" in answer.text
    assert "土地" not in answer.text
    handler = await signed_in(desk.server, "unit_handler", "孙所", unit="司法所")
    assert "导出" not in await shown(handler, "/office/ledger")
    await shown(handler, "/office/ledger/export?form=csv", 403)


async def test_looking_further_needs_a_reason_and_answers_little(desk: Desk, clerk: Somebody) -> None:
    await desk.report("事", narrative="灌渠被截断", parties=[{"name": "王某", "contact": "13800138000"}])
    number = (await desk.page()).lines[0].row.number
    found = await sent(clerk, "/office/ledger/narratives", text="灌渠", reason="同类排查")
    assert number in found.text
    await sent(clerk, "/office/ledger/narratives", 422, text="灌渠", reason="x")
    found = await sent(clerk, "/office/ledger/lookup", contact="138 0013 8000", reason="本人来电")
    assert number in found.text
    assert "王某" not in found.text
    await sent(clerk, "/office/ledger/lookup", 422, contact="王某", reason="本人来电")
    contact = {"contact": "13800138000", "reason": "本人来电"}
    answers = [await clerk.browser.post("/office/ledger/lookup", data=contact) for _ in range(40)]
    assert answers[-1].status_code == 429
    assert (await clerk.browser.post("/v1/contact-lookup", json=contact)).status_code == 429, (
        "counted together"
    )


async def test_a_walk_in_is_registered_once(desk: Desk, clerk: Somebody) -> None:
    await desk.report("村东水渠漏水")
    page = await shown(clerk, "/office/new")
    form: Any = {
        "key": hidden_in(page, "key"), "began_ms": hidden_in(page, "began_ms"), "title": "村东水渠又漏水",
        "nature": "dispute", "category": "02", "service_category": "housing", "village": VILLAGE, "grid": GRID,
        "source": "walk_in", "role": "applicant", "name": "王某", "contact": "13800138000", "restricted": "",
        "settled": "", "narrative": "一句。\r\n二句。",
    }  # fmt: skip
    found = await sent(clerk, "/office/new/similar", 200, **form)
    earlier = re.search(r'value="([0-9a-f-]{36})"', found.text)
    assert earlier is not None
    first = await sent(clerk, "/office/new", 200, **form, earlier_matter=earlier[1])
    again = await sent(clerk, "/office/new", 200, **form, earlier_matter=earlier[1])
    assert first.headers["hx-redirect"] == again.headers["hx-redirect"]
    record = first.headers["hx-redirect"].rpartition("/")[2]
    state = await desk.server.state(record)
    assert (state.values["earlier_matter"], state.values["first_contact"]) == (earlier[1], "赵敏")
    assert state.values["narrative"] == "一句。\n二句。", "browsers end lines otherwise"
    assert "service_category" not in state.values
    assert (await desk.page()).count == 2
    refused = await sent(clerk, "/office/new", 422, **{**form, "key": "k", "title": "长" * 201})
    assert "<html" not in refused.text


async def test_an_old_ledger_is_tried_and_taken_over(desk: Desk, clerk: Somebody) -> None:
    def file() -> dict[str, Any]:
        return {"file": ("旧.xlsx", workbook(*GOOD, ("2019-9", None)))}

    path = "/office/import"
    assert "编号" in await shown(clerk, path)
    tried = await clerk.browser.post(path, data={"deed": "try"}, files=file())
    assert (tried.status_code, (await desk.page()).count) == (200, 0)
    assert "没有标题" in tried.text
    taken = await clerk.browser.post(path, data={"deed": "take"}, files=file())
    assert "已导入 3 件" in taken.text
    assert await desk.titles(number="2019-1") == ["水渠纠纷"]
    for content in (b"", b"no workbook"):
        wrong = {"file": ("x.xlsx", io.BytesIO(content))}
        assert (await clerk.browser.post(path, data={"deed": "take"}, files=wrong)).status_code == 422
    assert (await clerk.browser.post(path, data={"deed": "take"})).status_code == 422


async def test_what_came_without_a_place_gets_one(desk: Desk, clerk: Somebody) -> None:
    made = [await desk.report(f"工单{n}", place=TOWN) for n in range(3)]
    page = await shown(clerk, "/office/unplaced")
    assert all(record in page for record in made)
    await sent(clerk, "/office/unplaced", place=GRID, record=made[:2])
    assert await desk.titles(place="none") == ["工单2"]
    assert await desk.titles(grid=GRID) == ["工单1", "工单0"]
    await sent(clerk, "/office/unplaced", 422, place=GRID)
    await sent(clerk, "/office/unplaced", 422, place=f"{TOWN}999", record=made[2:])
    await sent(clerk, "/office/unplaced", 404, place=GRID, record=["01900000-0000-7000-8000-00000000dead"])
    assert await desk.titles(place="none") == ["工单2"]
