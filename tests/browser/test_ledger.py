"""The ledger and intake in a real browser: keys, dialogs, a double click, what a phone shows; pictures of each page."""

import io
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.axe import accessible
from tests.browser.conftest import shot
from tests.browser.office import LiveOffice, live_office, looking
from tests.intake.test_intake import GOOD, workbook
from tests.ledger.desk import Desk
from tests.server.office_server import GRID, NEXT_GRID, TOWN

# One database: the tasks (tests/browser/tasks) are done on both.
pytestmark = pytest.mark.parametrize("_database_kind", ["postgresql"], indirect=True, scope="module")

TITLES = (
    "村东头水渠漏水淹了菜地",
    "桥头两家争宅基地",
    "广场夜里噪音",
    "小学门口路灯不亮",
    "<b>拖欠</b>工资",
    "低保复核",
)


@pytest.fixture(scope="module")
def office(module_database_url: str) -> Iterator[LiveOffice]:
    """An office with a few matters, one of them closed, two without a place."""
    with live_office(module_database_url) as opened:
        furnish(opened)
        yield opened


def furnish(office: LiveOffice) -> None:
    desk = Desk(office.server)
    for nth, title in enumerate(TITLES):
        place = (GRID, NEXT_GRID, TOWN)[nth % 3]
        nature = ("dispute", "service")[nth % 2]
        urgency = "same_day" if nth == 1 else None
        office.run(desk.report, title, place, nature=nature, urgency=urgency, source="hotline", category="02")
    first = office.run(desk.page).lines[-1].row.record_id
    office.run(desk.act, first, "settle", "close")


def test_a_clerk_finds_keeps_and_exports(office: LiveOffice, browser: Browser) -> None:
    clerk = office.person("clerk", "赵敏")
    with looking(browser, office, clerk) as page:
        page.goto("/office/ledger")
        page.keyboard.press("/")
        page.keyboard.type("水渠")
        page.keyboard.press("Enter")
        page.wait_for_url("**words=**")
        expect(page.locator("tbody tr")).to_have_count(1)
        page.locator("h1").click()
        page.keyboard.press("j")
        expect(page.locator("a[data-row]").first).to_be_focused()
        page.get_by_text("我的视图").click()
        page.fill("#view", "水渠的事")
        with page.expect_navigation():
            page.get_by_role("button", name="保存").click()
        page.get_by_text("我的视图").click()
        expect(page.get_by_role("link", name="水渠的事")).to_be_visible()
        page.get_by_text("导出", exact=True).click()
        with page.expect_download() as downloaded:
            page.get_by_role("link", name="Excel").click()
        assert downloaded.value.suggested_filename.endswith(".xlsx")
        page.get_by_role("button", name="来电查号").click()
        page.fill("#look-up-contact", "13800138000")
        page.fill("#look-up-reason", "本人来电询问")
        page.get_by_role("button", name="查询（将留痕）").click()
        expect(page.get_by_text("没有找到这个号码的事项")).to_be_visible()
        accessible(page)
        shot(page, "ledger-lookup")
        page.get_by_role("button", name="关闭").click()
        page.get_by_role("link", name="标题含 水渠").click()
        expect(page.locator("tbody tr")).to_have_count(len(TITLES))
        page.get_by_text("更多条件").click()
        page.select_option("#urgency", "same_day")
        page.get_by_role("button", name="筛选").click()
        expect(page.locator("tbody tr")).to_have_count(1)
        shot(page, "ledger-filtered")


def test_a_walk_in_is_registered_in_a_minute_by_whoever_clicks_twice(
    office: LiveOffice, browser: Browser
) -> None:
    clerk = office.person("clerk", "钱文")
    with looking(browser, office, clerk) as page:
        page.goto("/office/new")
        register = page.get_by_role("button", name="登记")
        stood = register.bounding_box()
        page.keyboard.type("村东水渠漏水")
        page.fill("#narrative", "下雨后更严重。")
        page.select_option("#village", GRID[:12])
        page.fill("#name", "王某")
        page.fill("#contact", "13800138000")
        expect(page.get_by_role("group", name="可能说的是同一件事")).to_be_visible()
        # What is found late moves nothing away from under somebody's press.
        assert register.bounding_box() == stood
        page.get_by_role("radio").first.check()
        accessible(page)
        shot(page, "intake-similar")
        register.dblclick()
        page.wait_for_url("**/office/matters/*")
    found = office.run(Desk(office.server).titles, words="村东水渠漏水")
    assert found == ["村东水渠漏水"]


def test_an_old_ledger_and_what_has_no_place(office: LiveOffice, browser: Browser) -> None:
    clerk = office.person("clerk", "孙丽")
    with looking(browser, office, clerk) as page:
        page.goto("/office/unplaced")
        before = page.locator("tbody tr").count()
        page.get_by_role("checkbox").first.check()
        page.select_option("#place", GRID)
        page.get_by_role("button", name="放到这里").click()
        expect(page.locator("tbody tr")).to_have_count(before - 1)
        page.goto("/office/import")
        choose(page, workbook(*GOOD, ("2019-9", None)))
        page.get_by_role("button", name="先看看会怎样").click()
        expect(page.get_by_text("还没有导入")).to_be_visible()
        accessible(page)
        shot(page, "import-tried")
        page.get_by_role("button", name="导入", exact=True).click()
        expect(page.get_by_text("已导入 3 件")).to_be_visible()
        choose(page, io.BytesIO(b"nothing"))
        page.get_by_role("button", name="导入", exact=True).click()
        expect(page.get_by_role("alert")).to_be_visible()
        shot(page, "import-refused")


def choose(page: Page, file: io.BytesIO) -> None:
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    page.set_input_files("#file", {"name": "旧台账.xlsx", "mimeType": kind, "buffer": file.getvalue()})
