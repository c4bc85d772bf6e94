"""The inbox in a browser: keys, accepting several, new arrivals without a reload, and nothing moved under hands."""

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.axe import accessible
from tests.browser.conftest import shot
from tests.browser.office import PHONE, LiveOffice, looking
from tests.ledger.desk import Desk
from tests.server.office_server import TOWN, VILLAGE
from tests.server.people import Somebody

# One database: the tasks (tests/browser/tasks) are done on both.
pytestmark = pytest.mark.parametrize("_database_kind", ["postgresql"], indirect=True, scope="module")

DAY_MS = 86_400_000


@pytest.fixture(scope="module")
def desk(office: LiveOffice) -> Desk:
    """Work of some days: reported, returned, without a place, and a device that was not heard of."""
    made = Desk(office.server)
    office.run(office.server.device, "李四")
    for title in ("村东水渠漏水，两户争水", "低保申请材料退回三次", "路灯坏了半个月"):
        office.run(made.report, title)
    office.run(made.report, "热线转来：施工噪声扰民", TOWN)
    office.server.now_ms += 4 * DAY_MS
    office.run(made.report, "围墙倾斜，有倒塌危险", urgency="same_day")
    return made


@pytest.fixture(scope="module")
def clerk(office: LiveOffice, desk: Desk) -> Somebody:
    assert desk.server is office.server
    return office.person("clerk", "赵敏")


def test_keys_lead_through_the_inbox_and_new_arrivals_come_by_themselves(
    office: LiveOffice, browser: Browser, clerk: Somebody, desk: Desk
) -> None:
    with looking(browser, office, clerk) as page:
        page.goto("/office")
        tally = page.locator("[data-count=reported]")
        expect(tally).to_have_text("5")
        page.keyboard.press("j")
        page.keyboard.press("j")
        held = page.evaluate("document.activeElement.textContent")
        office.run(desk.report, "刚刚上报的")
        expect(tally).to_have_text("6")
        assert page.evaluate("document.activeElement.textContent") == held, "nothing moves under hands"
        page.evaluate("document.activeElement.blur()")
        office.run(desk.report, "又有一件")
        expect(tally).to_have_text("7")


def test_several_are_accepted_after_a_look_and_a_list_is_not_reordered(
    office: LiveOffice, browser: Browser, clerk: Somebody, desk: Desk
) -> None:
    with looking(browser, office, clerk) as page:
        page.goto("/office/inbox/reported")
        lines = page.locator("tbody tr")
        before = lines.all_inner_texts()
        office.run(desk.report, "列表打开之后来的")
        fresh = page.locator("[data-fresh]")
        expect(fresh).to_be_visible()
        expect(fresh).to_contain_text("1")
        assert lines.all_inner_texts() == before
        page.locator("[data-all]").check()
        page.get_by_role("button", name="受理所选").click()
        shot(page, "inbox-preview")
        page.get_by_role("button", name="受理这").click()
        expect(page.get_by_text("受理结果")).to_be_visible()
        expect(page.locator("#foreseen .badge.good")).to_have_count(len(before))
        page.goto("/office/inbox/reported")
        expect(page.locator("tbody tr")).to_have_count(1)


def test_others_have_their_own_small_part_on_a_phone(
    office: LiveOffice, browser: Browser, desk: Desk
) -> None:
    people = [
        office.person("village_officer", "周书记", village=VILLAGE),
        office.person("county_observer", "县里看的"),
    ]
    office.run(desk.report, "可以在村里办结的")
    for who in people:
        with looking(browser, office, who, viewport=PHONE) as page:
            page.goto("/office")
            page.wait_for_url("**/office/mine")
            accessible(page)
            _no_wider(page)
            shot(page, f"mine-{who.row.role}-phone")


def _no_wider(page: Page) -> None:
    """Nothing is cut off at the side."""
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
