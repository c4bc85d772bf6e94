"""People, devices, places and rounds in a browser: usable by everybody, in both languages, on a desk and a phone."""

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.axe import accessible
from tests.browser.conftest import shot
from tests.browser.office import LiveOffice, looking

# One database: the tasks (tests/browser/tasks) are done on both.
pytestmark = pytest.mark.parametrize("_database_kind", ["sqlite"], indirect=True, scope="module")


def test_an_administrator_finds_everything_and_a_code_is_shown_once(
    office: LiveOffice, browser: Browser
) -> None:
    chief = office.person("administrator", "钱主任")
    office.person("village_officer", "周书记", village="321283104203")
    device = office.run(office.server.device, "李四")
    with looking(browser, office, chief) as page:
        page.goto("/office/devices")
        page.get_by_role("button", name="设备登记").click()
        page.locator("#grid").select_option(index=0)
        page.get_by_role("button", name="生成设备码").click()
        expect(page.locator("#code code")).to_have_text(re.compile(r"\w{4}-\w{4}"))
        accessible(page)
        shot(page, "devices-code")
        page.goto(f"/office/devices/{device.id}")
        page.locator(".grid-ticks input").last.check()
        page.get_by_role("button", name="先看变动").click()
        expect(page.get_by_text("将会这样变动")).to_be_visible()
        accessible(page)
        shot(page, "devices-move")
        page.get_by_role("button", name="调整", exact=True).click()
        expect(page.locator(".grid-ticks input").last).to_be_checked()
