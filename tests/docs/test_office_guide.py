"""The guide for clerks: its pictures are there and small, and it names the tasks and clicks that are counted."""

import re
from typing import Final

from tests.browser.tasks.pages import GUIDE
from tests.browser.tasks.written import TASKS
from tests.conftest import CHECKOUT

DOCS: Final = CHECKOUT / "docs"
BYTES_MAX: Final = 1_500_000


def test_every_picture_of_the_guide_is_there_and_every_picture_is_shown() -> None:
    text = (DOCS / "office-guide.zh.md").read_text(encoding="utf-8")
    shown = {DOCS / path for path in re.findall(r"!\[[^]]+\]\(([^)]+)\)", text)}
    there = set((DOCS / "pictures" / "office").iterdir())
    assert shown == there
    assert {one.stem for one in there} == set(GUIDE)
    assert sum(one.stat().st_size for one in there) < BYTES_MAX


def test_the_guide_says_how_many_clicks_each_task_may_take() -> None:
    text = (DOCS / "office-guide.zh.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| ([^|]+) \| (\d+)(，一分钟之内)? \|$", text, re.MULTILINE)
    said = [(int(number), what, int(clicks), bool(typed)) for number, what, clicks, typed in rows]
    assert said == [(one.number, one.zh, one.clicks, one.seconds is not None) for one in TASKS]
