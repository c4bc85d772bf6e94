"""A real Chromium against a real server. `.ci/browser` installs it; without one these tests fail and say so."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.office import LiveOffice, live_office

CHECKOUT = Path(__file__).resolve().parents[2]
expect.set_options(timeout=30_000)  # a password is hashed for each, on a machine that does other things, too
HERE = Path(__file__).resolve().parent
SHOTS = CHECKOUT / ".cache" / "screenshots"
PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser")
"""The first that is here; see .ci/browser."""
# Nothing of the browser's own traffic: it looks for updates, and is refused many times a second where there is no
# internet. The sandbox needs what containers do not give to root.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium() -> str:
    named = os.environ.get("ROUNDBOOK_CHROMIUM", "")
    found = named or next(filter(None, map(shutil.which, PROGRAMS)), None)
    assert found, "no Chromium here: run `bash .ci/browser`, which installs it or says with which command"
    return found


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of one module and database stay in one process: their office is started, and filled, once."""
    for item in items:
        if HERE in item.path.parents:
            callspec = getattr(item, "callspec", None)
            kind = callspec.params.get("_database_kind", "") if callspec else ""
            item.add_marker(pytest.mark.xdist_group(f"{item.path.relative_to(HERE)} {kind}"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def office(module_database_url: str) -> Iterator[LiveOffice]:
    """One office for all tests of a module: its start takes longer than most of them."""
    with live_office(module_database_url) as opened:
        yield opened


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of a browser that knows nothing yet. Whatever it complains of fails the test."""
    context = browser.new_context(viewport={"width": 420, "height": 900}, locale="zh-CN")
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    yield opened
    context.close()
    # Chromium writes down every answer of 4xx as an error; those are the server's refusals.
    assert [one for one in complaints if "Failed to load resource" not in one] == []


def shot(page: Page, name: str) -> None:
    """Keeps a picture of the page under .cache/screenshots, to be looked at."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}.png", full_page=True)
