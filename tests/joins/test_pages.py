"""The pages of review, over HTTP: what they show, what their forms do, what a second reviewer is told."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from tests.server.office_server import GRID, NEXT_GRID, Device, OfficeServer, office_server
from tests.server.people import Somebody, signed_in

HOSTILE = "<script>alert(1)</script>{{ 7*7 }}\"'路灯"


@dataclass
class Review:
    """A clerk before a screen, two workers with devices, one matter that both hold."""

    server: OfficeServer
    clerk: Somebody
    one: Device
    two: Device

    async def matter(self, title: str = "路灯不亮", **fields: Any) -> tuple[str, int]:
        given = {"kind": "matter", "key": f"{title}{self.server.new_id()}", "place": GRID}
        fields = {"title": title, "nature": "dispute", **fields}
        async with await self.server.client() as office:
            view = (await office.post("/v1/records", json={**given, "fields": fields})).json()
        return view["id"], view["version"]

    async def differing(self, **fields: Any) -> tuple[str, str]:
        """A matter on which both workers differ in a field; the record and its open conflict."""
        record, version = await self.matter(**fields)
        for device, people in ((self.one, 5), (self.two, 7)):
            await device.push(device.change(record, base=version, fields={"people_involved": people}))
        page = await self.get("/office/differences")
        return record, re.findall(r"/office/differences/([0-9a-f-]{36})", page)[-1]

    async def get(self, path: str, status: int = 200) -> str:
        answer = await self.clerk.browser.get(path)
        assert answer.status_code == status, answer.text
        return answer.text

    async def send(self, path: str, status: int = 200, **form: Any) -> httpx2.Response:
        answer = await self.clerk.browser.post(path, data=form, headers={"hx-request": "true"})
        assert answer.status_code == status, answer.text
        return answer

    async def form(self, path: str) -> dict[str, Any]:
        """The hidden inputs of a page: a version, a key."""
        found = re.findall(r'name="(version|key)" value="([^"]*)"', await self.get(path))
        return dict(reversed(found))

    async def value(self, record: str, field: str) -> Any:
        return (await self.server.state(record)).values.get(field)


@pytest.fixture
async def review(database_url: str) -> AsyncIterator[Review]:
    async with office_server(database_url) as server:
        clerk = await signed_in(server, "clerk", "陈静")
        yield Review(server, clerk, await server.device("李四"), await server.device("王五"))


async def test_a_difference_is_shown_decided_taken_back_and_the_second_reviewer_is_told(
    review: Review,
) -> None:
    record, conflict = await review.differing(title=HOSTILE)
    path = f"/office/differences/{conflict}"
    page = await review.get(path)
    assert "李四" in page
    assert "王五" in page
    assert "冲突" not in page
    assert "<dd>潘元村 001网格</dd>" in page
    assert "<script>alert" not in page
    picks = re.findall(r'name="pick" value="([^"]+)"', page)
    form = await review.form(path)
    other = await signed_in(review.server, "clerk", "赵敏")
    answers = await asyncio.gather(
        review.clerk.browser.post(path, data={**form, "pick": picks[1]}, headers={"hx-request": "1"}),
        other.browser.post(
            path, data={**form, "key": "other", "pick": picks[0]}, headers={"hx-request": "1"}
        ),
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    assert "已有人处理" in next(answer.text for answer in answers if answer.status_code == 409)
    page = await review.get(path)
    assert "已核对" in page
    decided = await review.value(record, "people_involved")
    assert decided in {5, 7}
    if decided == 7:
        await review.send(f"{path}/undo", key="back", reason="记错了")
        assert await review.value(record, "people_involved") == 5
        assert "撤回这次核对" not in await review.get(path)


async def test_a_third_value_is_written_and_a_double_click_is_one_decision(review: Review) -> None:
    record, conflict = await review.differing()
    path = f"/office/differences/{conflict}"
    form = await review.form(path)
    await review.send(path, status=422, **form, value="很多")
    for _ in range(2):
        await review.send(path, **form, value="6", reason="两家都在场")
    assert await review.value(record, "people_involved") == 6
    assert "两家都在场" in await review.get(path)
    told = [receipt.outcome for receipt in await review.server.receipts(review.one)]
    assert "not_kept" in told


async def test_nothing_written_empties_nothing_unless_that_is_said(review: Review) -> None:
    record, conflict = await review.differing()
    path = f"/office/differences/{conflict}"
    assert "内容不一致，待核对" in await review.get(path)
    form = await review.form(path)
    refused = await review.send(path, status=422, **form, value=" ")
    assert "写上正确的内容" in refused.text
    assert await review.value(record, "people_involved") in {5, 7}
    await review.send(path, **form, value="", empty="true")
    assert await review.value(record, "people_involved") is None
    assert "内容不一致，待核对" not in await review.get(path)


async def test_the_worker_is_asked_by_a_task_in_the_grid(review: Review) -> None:
    _, conflict = await review.differing()
    form = await review.form(f"/office/differences/{conflict}")
    answer = await review.send(f"/office/differences/{conflict}/ask", key=form["key"], what="五人还是七人？")
    assert "已派发" in answer.text
    async with await review.server.client() as office:
        (task,) = (await office.get("/v1/records?kind=task")).json()["records"]
    assert (task["place"], task["fields"]["what"]) == (GRID, "五人还是七人？")


async def test_chosen_differences_are_previewed_and_decided_as_proposed(review: Review) -> None:
    (one, first), (two, second) = await review.differing(), await review.differing()
    page = await review.get("/office/differences")
    chosen = re.findall(r'name="chosen" value="([^"]+)"', page)
    assert {each.split()[0] for each in chosen} == {first, second}
    preview = (await review.send("/office/differences-preview", chosen=chosen)).text
    assert preview.count('name="chosen"') == 2
    await review.send(
        f"/office/differences/{first}", **await review.form(f"/office/differences/{first}"), value="9"
    )
    done = (await review.send("/office/differences-decide", chosen=chosen, reason="按规则")).text
    assert first in done
    assert second not in done
    assert (await review.value(one, "people_involved"), await review.value(two, "people_involved")) == (9, 5)


async def test_a_pair_is_joined_split_and_never_suggested_again(review: Review) -> None:
    story = "路灯坏了半个月，晚上没法走路"
    (a, _), (b, version) = (
        await review.matter("村东头路灯不亮", narrative=story),
        await review.matter("东头路灯不亮了", narrative=story),
    )
    assert "疑似重复" in await review.get("/office/duplicates")
    page = await review.get(f"/office/duplicates/{a}/{b}")
    assert "文字相近" in page
    await review.send(
        f"/office/duplicates/{a}/{b}/join", survivor=a, key="k", version=version, reason="同一盏灯"
    )
    assert (await review.server.state(b)).joined_into == a
    await review.send(f"/office/duplicates/{a}/{b}/join", status=409, survivor=b, key="k2", version=version)
    assert "拆分" in await review.get(f"/office/duplicates/{a}/{b}")
    await review.send(f"/office/matters/{b}/split", key="s", reason="不是一盏")
    assert (await review.server.state(b)).joined_into is None
    assert f"/office/duplicates/{a}" not in await review.get("/office/duplicates")


async def test_a_quarantined_change_is_corrected_and_taken_in_or_closed(review: Review) -> None:
    record, version = await review.matter()
    said = "一句。\n二句。"
    bad = [
        review.one.change(record, base=version, fields={"people_involved": -n, "narrative": said})
        for n in (1, 2)
    ]
    assert [verdict.result for verdict in await review.one.push(*bad)] == ["quarantined"] * 2
    page = await review.get("/office/quarantine")
    assert "涉及人数" in page
    path = f"/office/quarantine/{bad[0].id}"
    assert "需更正" in await review.get(path)
    await review.send(f"{path}/take", status=422, key="k")
    left = said.replace("\n", "\r\n")  # as a browser sends what nobody touched
    corrected: dict[str, Any] = {"key": "k", "field.people_involved": "4", "field.narrative": left}
    await review.send(f"{path}/take", **corrected)
    assert await review.value(record, "people_involved") == 4
    assert await review.value(record, "narrative") == said
    await review.get(path, status=409)
    await review.send(f"/office/quarantine/{bad[1].id}/close", status=422, key="c")
    await review.send(f"/office/quarantine/{bad[1].id}/close", key="c", reason="重复上传")
    assert "没有待处理的上传" in await review.get("/office/quarantine")


async def test_a_quarantined_create_is_put_into_a_grid_that_is_chosen_by_name(review: Review) -> None:
    new = review.one.create(place=GRID, fields={"title": "无人机", "scale": "99"})
    assert [verdict.result for verdict in await review.one.push(new)] == ["quarantined"]
    path = f"/office/quarantine/{new.id}"
    page = await review.get(path)
    assert "<dd>潘元村 001网格</dd>" in page
    assert re.search(f'<option value="{GRID}" selected>潘元村 001网格</option>', page)
    assert re.search(f'<option value="{NEXT_GRID}">潘元村 002网格</option>', page)
    chosen: dict[str, Any] = {"key": "k", "place": NEXT_GRID, "field.scale": "01"}
    await review.send(f"{path}/take", **chosen)
    assert (await review.server.state(new.record)).place == NEXT_GRID


async def test_one_affair_of_many_people_has_one_answer_for_all(review: Review) -> None:
    made = [await review.matter(f"延期交房 {at}", narrative="楼盘停工") for at in range(3)]
    numbers = [(await review.server.state(record)).number or "" for record, _ in made]
    assert numbers[0] in await review.get(f"/office/affairs/new?of={numbers[0]}&of={numbers[1]}")
    form: dict[str, Any] = {"key": "a", "title": "某楼盘延期交房", "numbers": "\n".join(numbers[:2])}
    answer = await review.send("/office/affairs", **form)
    where = answer.headers["hx-redirect"]
    assert (await review.send("/office/affairs", **form)).headers["hx-redirect"] == where
    await review.send(f"{where}/members", status=422, key="b", numbers="321283104-2000-00001")
    await review.send(f"{where}/members", key="b2", numbers=numbers[2])
    for _ in range(2):
        await review.send(f"{where}/answer", key="c", text="年底前交付，逾期可退。", channel="in_person")
    page = await review.get(where)
    assert "年底前交付" in page
    assert page.count("已答复") >= 4
    for record, _ in made:
        assert len(await review.value(record, "answers")) == 1
