"""People, devices, places and rounds, asked as a browser asks: what is shown, done, refused, and to whom."""

import io
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from openpyxl import Workbook
from sqlalchemy import select, update

from server.rounds.cadence import day_of
from server.storage.engine import transact
from server.storage.tables import audit_entries, devices
from tests.server.office_server import GRID, NEXT_GRID, OTHER_TOWN, TOWN, VILLAGE, OfficeServer, office_server
from tests.server.people import Somebody, signed_in

THIRD_GRID = f"{VILLAGE}003"
HOUR_MS = 3_600_000


@pytest.fixture
async def server(database_url: str) -> AsyncIterator[OfficeServer]:
    async with office_server(database_url) as running:
        yield running


@pytest.fixture
async def chief(server: OfficeServer) -> Somebody:
    return await signed_in(server, "administrator", "钱主任")


async def shown(who: Somebody, path: str, status: int = 200) -> str:
    answer = await who.browser.get(path)
    assert answer.status_code == status, answer.text
    return answer.text


async def sent(who: Somebody, path: str, status: int = 200, **form: Any) -> Any:
    answer = await who.browser.post(path, data=form, headers={"hx-request": "true"})
    assert answer.status_code == status, answer.text
    return answer


async def revoked_for(server: OfficeServer) -> list[str]:
    """The reasons that the audit has of revoked devices."""
    async with server.services.engine.connect() as connection:
        found = select(audit_entries.c.detail).where(audit_entries.c.act == "device_revoked")
        return [json.loads(row.detail)["reason"] for row in await connection.execute(found)]


def workbook(*rows: tuple[Any, ...]) -> bytes:
    book = Workbook()
    for row in (("综治中心人员",), ("姓名", "角色", "村", "单位"), *rows):
        book.worksheets[0].append(row)
    kept = io.BytesIO()
    book.save(kept)
    return kept.getvalue()


async def test_people_are_added_placed_and_disabled(server: OfficeServer, chief: Somebody) -> None:
    made = await sent(chief, "/office/people", name="周<b>书记", role="village_officer", village=VILLAGE)
    path = made.headers["hx-redirect"]
    page = await shown(chief, path)
    assert "周&lt;b&gt;书记" in page
    assert "潘元村" in page
    told = await sent(chief, "/office/people", 422, name="周<b>书记", role="clerk")
    assert "已有叫" in told.text
    for wrong in ({"name": "", "role": "clerk"}, {"name": "甲", "role": "county_handler"},
                  {"name": "乙", "role": "village_officer"}, {"name": "丙", "role": "unit_handler"}):  # fmt: skip
        await sent(chief, "/office/people", 422, **wrong)
    link = re.search(r'value="(http[^"]*/welcome#[^"]*)"', (await sent(chief, f"{path}/link")).text)
    assert link is not None
    used = await chief.browser.post("/v1/link", json={"link": link[1].partition("#")[2]})
    assert used.json()["name"] == "周<b>书记"
    await sent(chief, f"{path}/scope", village=VILLAGE, sees_restricted="true")
    assert "可以看" in await shown(chief, path)
    await sent(chief, f"{path}/scope", 422, village=f"{TOWN}999")
    await sent(chief, f"{path}/work", enabled="false")
    assert "已停用" in await shown(chief, path)
    assert "It was not done" not in (await sent(chief, f"{path}/link", 422)).text
    elsewhere = await signed_in(server, "clerk", "外镇", township=OTHER_TOWN)
    await shown(chief, f"/office/people/{elsewhere.row.staff_id}", 404)
    await sent(chief, f"/office/people/{elsewhere.row.staff_id}/work", 404, enabled="false")
    clerk = await signed_in(server, "clerk", "赵敏")
    assert "添加人员" not in await shown(clerk, "/office/people")
    await sent(clerk, f"{path}/work", 403, enabled="true")


async def test_a_list_of_people_is_tried_and_taken(chief: Somebody) -> None:
    content = workbook(
        ("王芳", "网格员", None, None), ("孙所", "主办、协办单位人员", None, "司法所"),
        ("周书记", "村（社区）干部", "潘元", None), ("王芳", "网格员", None, None), ("李四", "厂长", None, None),
        ("吴六", "村（社区）干部", "没有的村", None), ("郑七", "主办、协办单位人员", None, None),
    )  # fmt: skip

    async def hand_in(deed: str) -> str:
        answer = await chief.browser.post(
            "/office/people/import", data={"deed": deed}, files={"file": ("人员.xlsx", content)}
        )
        assert answer.status_code == 200, answer.text
        return str(answer.text)

    tried = await hand_in("try")
    assert "将添加 3 人，退回 4 行" in tried
    assert all(f"第 {line} 行" in tried for line in (6, 7, 8, 9))
    assert "王芳" not in await shown(chief, "/office/people")
    assert "已添加 3 人" in await hand_in("take")
    page = await shown(chief, "/office/people")
    assert all(name in page for name in ("王芳", "司法所", "周书记"))
    assert "已添加 0 人，退回 7 行" in await hand_in("take"), "taken once"
    await sent(chief, "/office/people/import", 422)


async def test_a_device_is_enrolled_moved_after_a_look_and_revoked(
    server: OfficeServer, chief: Somebody
) -> None:
    device = await server.device("李四")
    made = device.create(fields={"title": "事", "nature": "dispute"})
    await device.push(made)

    async def heard(connection: Any) -> None:
        await connection.execute(
            update(devices).values(queued=7, contact_ms=server.now_ms, offset_ms=7_200_000)
        )

    await transact(server.services.engine, heard)
    page = await shown(chief, "/office/devices")
    assert all(word in page for word in ("李四", "慢 2 小时", "使用中"))
    path = f"/office/devices/{device.id}"
    foreseen = (await sent(chief, f"{path}/preview", grid=[NEXT_GRID, THIRD_GRID])).text
    assert "下次同步移除 1 条记录" in foreseen
    assert "下次同步收到 0 条记录" in foreseen
    assert "还有 7 条没有上传" in foreseen
    assert GRID in (await shown(chief, path)), "a look changes nothing"
    await sent(chief, f"{path}/grids", grid=[NEXT_GRID, THIRD_GRID])
    assert f'value="{GRID}" checked' not in await shown(chief, path)
    await sent(chief, f"{path}/grids", 422, grid=[f"{VILLAGE}777"])
    await sent(chief, f"{path}/revoke", 422)
    await sent(chief, f"{path}/revoke", reason="丢失，联系13800138000")
    assert "已停用" in await shown(chief, path)
    assert await revoked_for(server) == ["丢失，联系***********"]
    worker = re.search(r'<option value="([^"]*)">李四', await shown(chief, "/office/devices"))
    assert worker is not None
    given: dict[str, Any] = {"worker": worker[1], "grid": [GRID], "url": "https://roundbook.example"}
    code = (await sent(chief, "/office/devices", **given)).text
    assert "data:image/svg+xml" in code
    assert re.search(r"<code[^>]*>[2-9A-Z]{4}-[2-9A-Z]{4}</code>", code)
    await sent(chief, "/office/devices", 422, **{**given, "url": "javascript:alert(1)"})
    await sent(chief, "/office/devices", 404, **{**given, "grid": [f"{OTHER_TOWN}203001"]})
    clerk = await signed_in(server, "clerk", "赵敏")
    assert "停用设备" not in await shown(clerk, path)
    await sent(clerk, f"{path}/revoke", 403, reason="误点")


async def test_cadences_are_set_and_rounds_told_by_them(server: OfficeServer, chief: Somebody) -> None:
    server.now_ms += 12 * HOUR_MS  # to the morning
    await chief.sign_in()
    device = await server.device("李四")
    day = day_of(server.now_ms).isoformat()
    made = device.create(kind="round_report", fields={"period_start": day, "period_end": day, "zero": True})
    await device.push(made)
    page = await shown(chief, "/office/rounds")
    assert [page.count(word) for word in ("零报告", "未到截止时间</span>")] == [1, 2]
    server.now_ms += 24 * HOUR_MS
    await chief.sign_in()
    page = await shown(chief, f"/office/rounds?day={day}")
    assert ("设备未联系上" in page, "按时报告" in page) == (True, True)
    codes = re.findall(rf"{VILLAGE}00\d", page)
    assert codes == sorted(codes)
    for strange in ("x", "0001-01-01", "9999-12-31"):
        await shown(chief, f"/office/rounds?day={strange}")
    given: dict[str, Any] = {
        "place": VILLAGE,
        "cadence": "month",
        "cut_off_hour": 24,
        "duty_phone": "0523-8765",
    }
    await sent(chief, "/office/places", **given)
    page = await shown(chief, "/office/places")
    assert "0523-8765" in page
    assert f"{day[:7]}-01" in await shown(chief, f"/office/rounds?day={day}")
    await sent(chief, "/office/places", **{**given, "place": TOWN})
    for wrong in ({"cut_off_hour": 0}, {"cadence": "never"}, {"place": OTHER_TOWN}, {"place": f"{TOWN}999"},
                  {"duty_phone": "<script>"}):  # fmt: skip
        await sent(chief, "/office/places", 422, **{**given, **wrong})
    officer = await signed_in(server, "village_officer", "周书记", village=VILLAGE)
    assert "0523-8765" in await shown(officer, "/office/places")
    await sent(officer, "/office/places", 403, **given)
