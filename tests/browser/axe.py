"""What a screen reader or a keyboard could not use, as axe-core finds it: WCAG 2.2, levels A and AA."""

from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from tests.browser.conftest import CHECKOUT

_AXE = CHECKOUT / "server" / "console" / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def accessible(page: Page) -> None:
    """Fails with what axe found on the page as it is now."""
    page.evaluate(_source(_AXE))
    found: dict[str, Any] = page.evaluate(
        "rules => axe.run(document, {runOnly: {type: 'tag', values: rules}, resultTypes: ['violations']})",
        _RULES,
    )
    assert found["passes"], "axe looked at nothing"
    told = [
        (one["id"], one["help"], [node["html"][:160] for node in one["nodes"]]) for one in found["violations"]
    ]
    assert told == [], page.url


def _source(file: Path) -> str:
    assert file.exists(), f"{file} is missing: run `make install`"
    return f"() => {{ {file.read_text(encoding='utf-8')} ; }}"
