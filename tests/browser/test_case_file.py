"""The case file in a browser: the short path's clicks, a session that ends in a form, a hostile title, pictures."""

from typing import Final

import pytest
from playwright.sync_api import Browser, expect

from server.casefile import undertaking, urging
from server.casefile.undertaking import Handling
from server.casefile.urging import NewUrging
from server.deadlines.keeping import keep
from server.records.writing import Target
from server.slips import service as slips
from server.slips.service import NewSlip
from tests.browser.axe import accessible
from tests.browser.conftest import shot
from tests.browser.office import PHONE, LiveOffice, looking
from tests.casefile.office import HOSTILE, Office
from tests.server.office_server import TOWN
from tests.server.people import Somebody

# One database: the tasks (tests/browser/tasks) are done on both.
pytestmark = pytest.mark.parametrize("_database_kind", ["postgresql"], indirect=True, scope="module")

TITLE: Final = HOSTILE.replace("\x0b", "")
_TOO_WIDE: Final = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def clerk(office: LiveOffice) -> Somebody:
    return office.person("clerk", "陈静")


def a_matter(office: LiveOffice, title: str = "南渠清淤与青苗赔偿") -> str:
    return office.run(Office(office.server).matter, title, narrative="村民反映南渠淤堵，雨季漫水，青苗受损。")


def test_settled_and_closed_in_two_clicks(browser: Browser, office: LiveOffice, clerk: Somebody) -> None:
    record = a_matter(office)
    with looking(browser, office, clerk) as page:
        page.goto(f"/office/matters/{record}")
        page.get_by_role("button", name="当场办结").click()
        expect(page.get_by_text("当场办结", exact=True).first).to_be_visible()
        page.get_by_role("button", name="办结", exact=True).click()
        expect(page.locator(".case-head .badge").first).to_have_text("已办结")


def test_a_hostile_title_is_a_title(browser: Browser, office: LiveOffice, clerk: Somebody) -> None:
    record = a_matter(office, TITLE)
    with looking(browser, office, clerk) as page:
        page.on("dialog", lambda _: pytest.fail("the title ran as a program"))
        page.goto(f"/office/matters/{record}")
        expect(page.locator("h1")).to_contain_text("<script>alert(1)</script>")
        with page.expect_download() as papers:
            page.get_by_role("link", name="打印案卷 PDF").click()
        assert papers.value.path().read_bytes().startswith(b"%PDF-")


def test_a_session_that_ends_in_a_form_loses_nothing(browser: Browser, office: LiveOffice) -> None:
    record, somebody = a_matter(office), office.person("clerk", "吴敏")
    with looking(browser, office, somebody) as page:
        page.goto(f"/office/matters/{record}/steps/return")
        page.get_by_label("理由").fill("地点写得不清楚")
        office.run(somebody.browser.delete, "/v1/session")
        page.get_by_role("button", name="退回补正").click()
        again = page.get_by_role("dialog")
        expect(again).to_be_visible()
        expect(page.get_by_label("理由")).to_have_value("地点写得不清楚")


def test_contact_is_shown_for_a_reason_beside_what_to_mind(
    browser: Browser, office: LiveOffice, clerk: Somebody
) -> None:
    record = a_matter(office)
    with looking(browser, office, clerk) as page:
        page.goto(f"/office/matters/{record}")
        expect(page.locator("#people")).not_to_contain_text("13800138000")
        page.locator("#why summary").click()
        page.get_by_label("查阅事由").first.fill("电话约调解时间")
        page.get_by_role("button", name="查看", exact=True).click()
        expect(page.locator("#people")).to_contain_text("13800138000")
        expect(page.locator("#people")).to_contain_text("只在白天打")


def test_the_forms_of_a_busy_case_fit_a_phone(browser: Browser, office: LiveOffice, clerk: Somebody) -> None:
    record = _busy(office)
    views = {
        "case": f"/office/matters/{record}",
        "case-return": f"/office/matters/{record}/steps/return",
        "case-slip": f"/office/matters/{record}/slips/new/answer",
        "case-entry": f"/office/matters/{record}/entries/answers/new",
    }
    with looking(browser, office, clerk, viewport=PHONE) as page:
        for view, path in views.items():
            page.goto(path)
            expect(page.locator("h1")).to_have_count(1)
            wide = page.evaluate(_TOO_WIDE)
            assert wide <= 0, f"{view} is {wide} pixels too wide"
            accessible(page)
            shot(page, f"{view}-phone")


def _busy(office: LiveOffice) -> str:
    """A matter with something of everything."""
    desk = Office(office.server)
    record = a_matter(office)

    async def work() -> None:
        given = Handling([], "司法所", ["派出所", "农业站"], "三人小组", "先清淤，再议赔偿。")
        await undertaking.put(desk.services, desk.caller("assignments.set"), record, given)
        await urging.make(
            desk.services, desk.caller("urgings.make"), Target(record), NewUrging("urge", "请三日内反馈")
        )
        await keep(desk.services, TOWN)
        await slips.make(desk.services, desk.caller("slips.make"), Target(record), NewSlip("acceptance"))

    office.run(work)
    return record
