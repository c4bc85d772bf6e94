"""A person at work in a browser, in the language of the page; the page itself counts what their hands do."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from playwright.sync_api import Browser, Locator, Page, expect

from server.console.words import Words
from server.saying import Language
from tests.browser.office import DESK, LiveOffice, looking
from tests.server.people import Somebody

# Kept with the tab, so that it outlives each page. A choice from a list, and a file, are set without a pointer here.
_COUNTER: Final = """
addEventListener("pointerdown", (event) => { if (event.isTrusted) add("clicks", 1); }, true);
addEventListener("change", (event) => { if (event.target.matches("select, [type=file]")) add("clicks", 2); }, true);
addEventListener("keydown", (event) => { if (event.isTrusted) add("keys", 1); }, true);
addEventListener("input", (event) => {
  add("characters", [...(event.data ?? "")].filter((one) => one > "\\u2e7f").length);
}, true);
function add(name, by) { sessionStorage.setItem(name, Number(sessionStorage.getItem(name) ?? 0) + by); }
"""

# The keystroke-level model of Card, Moran and Newell (1980): an average typist, and pointing with a mouse. A Chinese
# character at 60 a minute, which is what office work asks of a typist.
_KEY_S, _CLICK_S, _CHARACTER_S = 0.28, 1.1, 1.0


class AtWork:
    """Somebody before the console."""

    def __init__(self, page: Page, language: Language) -> None:
        self.page, self.t = page, Words(language)

    def button(self, zh: str, en: str) -> Locator:
        return self.page.get_by_role("button", name=self.t(zh, en), exact=True)

    def link(self, zh: str, en: str) -> Locator:
        return self.page.get_by_role("link", name=self.t(zh, en), exact=True)

    def summary(self, zh: str, en: str) -> Locator:
        return self.page.locator("summary", has_text=self.t(zh, en)).first

    def step(self, zh: str, en: str) -> Locator:
        """The way to the form of a step of the case file."""
        return self.page.locator(".deeds").get_by_role("link", name=self.t(zh, en), exact=True)

    def go(self, to: Locator) -> None:
        """Presses what leads to another page."""
        with self.page.expect_navigation():
            to.click()

    def section(self, path: str) -> None:
        """Presses a section at the left."""
        self.go(self.page.locator(f"#sections a[href='{path}']"))

    def types(self, text: str, *keys: str) -> None:
        """Types where the cursor is, after keys such as Tab."""
        for key in keys:
            self.page.keyboard.press(key)
        self.page.keyboard.type(text)

    def find(self, words: str) -> None:
        """Opens the case file of a matter by words of its title: two clicks."""
        self.section("/office/ledger")
        self.types(words, "/")
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")
        self.go(self.page.locator("a[data-row]").first)

    def sees(self, zh: str, en: str) -> None:
        expect(self.page.get_by_text(self.t(zh, en)).first).to_be_visible()

    def state(self, zh: str, en: str) -> None:
        """The case file says that the matter is in this state."""
        expect(self.page.locator(".case-head .badge").first).to_have_text(self.t(zh, en))

    def downloads(self, by: Locator) -> bytes:
        """Presses what brings a file, and reads it."""
        with self.page.expect_download() as brought:
            by.click()
        return brought.value.path().read_bytes()

    def counted(self, what: str) -> int:
        """Of `clicks`, `keys` and `characters`, how many there were."""
        return int(self.page.evaluate("name => sessionStorage.getItem(name)", what) or 0)

    def seconds(self) -> float:
        """How long hands take for that."""
        weights = {"keys": _KEY_S, "clicks": _CLICK_S, "characters": _CHARACTER_S}
        return sum(self.counted(name) * each for name, each in weights.items())


@contextmanager
def at_work(
    browser: Browser, office: LiveOffice, who: Somebody, language: Language, viewport: Any = DESK
) -> Iterator[AtWork]:
    """Somebody who has signed in, before the first page of the console; what they do from here is counted."""
    with looking(browser, office, who, language, viewport) as page:
        page.add_init_script(_COUNTER)
        page.goto("/office")
        yield AtWork(page, language)
