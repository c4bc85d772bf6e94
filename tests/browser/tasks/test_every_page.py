"""Every page once, at a desk's width and at a telephone's, and kept as a picture to be looked at.

Axe and the camera look at the desk's width in Chinese and at the telephone's in English: they take seconds a page.
"""

from collections.abc import Mapping
from typing import Final

from playwright.sync_api import Browser, Page, expect

from server.saying import Language
from tests.browser.axe import accessible
from tests.browser.conftest import SHOTS, shot
from tests.browser.office import DESK, PHONE, looking
from tests.browser.tasks.furnishing import Town
from tests.browser.tasks.pages import (
    ADMINISTRATORS,
    ADMINISTRATORS_OPENED,
    GUIDE,
    OPENED,
    TOO_WIDE,
    clerks_pages,
)
from tests.server.people import Somebody

PICTURES: Final = SHOTS.parent / "pictures"
LOOKED_AT: Final = {("zh", "desk"), ("en", "phone")}


def test_a_clerks_pages(browser: Browser, town: Town, language: Language) -> None:
    _look(browser, town, town.clerk, language, clerks_pages(town), OPENED)


def test_an_administrators_pages(browser: Browser, town: Town, language: Language) -> None:
    _look(browser, town, town.administrator, language, ADMINISTRATORS, ADMINISTRATORS_OPENED)


def test_a_leaders_page(browser: Browser, town: Town, language: Language) -> None:
    _look(browser, town, town.leader, language, {"mine": "/office/mine"}, {})


def _look(
    browser: Browser,
    town: Town,
    who: Somebody,
    language: Language,
    pages: Mapping[str, str],
    opened: Mapping[str, str],
) -> None:
    with looking(browser, town.office, who, language) as page:
        for name, path in pages.items():
            page.goto(path)
            _looked_at(page, name, language)
        for name, path in opened.items():
            page.goto(path)
            with page.expect_navigation():
                page.locator("a[data-row]").first.click()
            _looked_at(page, name, language)


def _looked_at(page: Page, name: str, language: Language) -> None:
    """Both widths of a page that is loaded once."""
    expect(page.locator("h1")).to_have_count(1)
    if name in GUIDE and language == "zh":
        PICTURES.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=PICTURES / f"{name}.png")
    for width, viewport in (("desk", DESK), ("phone", PHONE)):
        page.set_viewport_size(viewport)  # type: ignore[arg-type]
        wide = page.evaluate(TOO_WIDE)
        assert wide <= 0, f"{name} is {wide} pixels too wide at a {width}"
        if (language, width) in LOOKED_AT:
            accessible(page)
            shot(page, f"{name}-{language}-{width}")
    page.set_viewport_size(DESK)  # type: ignore[arg-type]
