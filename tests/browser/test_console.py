"""The frame of every page: signing in, languages, the way out, a session that ends in the middle of a form."""

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.axe import accessible
from tests.browser.conftest import shot
from tests.browser.office import LANGUAGES, PHONE, LiveOffice, looking
from tests.server.people import PASSWORD

# One database: the tasks (tests/browser/tasks) are done on both.
pytestmark = pytest.mark.parametrize("_database_kind", ["sqlite"], indirect=True, scope="module")


def test_a_clerk_comes_in_reads_in_two_languages_and_leaves(office: LiveOffice, browser: Browser) -> None:
    clerk = office.person("clerk", "赵敏")
    for language in LANGUAGES:
        with looking(browser, office, clerk, language) as page:
            page.goto("/office")
            expect(page.locator("html")).to_have_attribute("lang", language)
            accessible(page)
            shot(page, f"home-{language}")
    with looking(browser, office, clerk, viewport=PHONE) as page:
        page.goto("/office")
        accessible(page)
        page.get_by_role("button", name="菜单").click()
        expect(page.locator("#sections")).to_be_visible()
        shot(page, "home-phone")
        page.get_by_role("button", name="English").click()
        expect(page.locator("html")).to_have_attribute("lang", "en")
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url("**/sign-in")
        page.goto("/office")
        page.wait_for_url("**/sign-in")
        page.fill("#township", clerk.row.township)
        page.fill("#name", clerk.row.name)
        page.fill("#password", PASSWORD)
        page.click("#form button.deed")
        page.wait_for_url("**/office")
        expect(page.locator("html")).to_have_attribute("lang", "en")


def test_an_address_that_is_not_there_says_so(office: LiveOffice, browser: Browser) -> None:
    with looking(browser, office, office.person("clerk", "钱文")) as page:
        answer = page.goto("/office/nothing")
        assert answer is not None
        assert answer.status == 404


def test_a_page_of_a_proxy_is_not_shown_and_nothing_typed_is_lost(
    office: LiveOffice, browser: Browser
) -> None:
    with looking(browser, office, office.person("clerk", "孙文")) as page:
        page.goto("/office/new")
        page.fill("#title", "村东水渠漏水")
        page.route("**/office/new", lambda route: route.fulfill(status=502, body="<h1>Bad gateway</h1>"))
        # The page looks for similar matters by itself meanwhile, and that goes well: what failed stays told.
        with page.expect_response("**/office/new/similar"):
            page.locator("main form button.deed").first.click()
        expect(page.get_by_role("alert").filter(has_text="连不上服务器")).to_be_visible()
        expect(page.get_by_text("Bad gateway")).to_have_count(0)
        expect(page.locator("#title")).to_have_value("村东水渠漏水")


def test_what_a_page_could_not_ask_by_itself_is_told_until_it_can(
    office: LiveOffice, browser: Browser
) -> None:
    told = "连不上服务器"
    with looking(browser, office, office.person("clerk", "孙武")) as page:
        page.goto("/office/new")
        page.route("**/new/similar", lambda route: route.fulfill(status=502, body="<h1>Bad gateway</h1>"))
        page.fill("#title", "村东水渠漏水")
        expect(page.get_by_role("alert").filter(has_text=told)).to_be_visible()
        page.unroute("**/new/similar")
        page.fill("#title", "村东水渠漏水了")
        expect(page.get_by_role("alert").filter(has_text=told)).to_have_count(0)
