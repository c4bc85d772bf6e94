"""The recorded examples of docs/protocol.md, sent again to the real application on a fresh database.

Blocks of JSON in the documents name the example, the step and the part that they show:

    ```json merged.json#5.answer.page.records.0

In a block, a key or an element "…" stands for what is left out, a text that ends in … for its beginning.
"""

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.docs.record import STORIES
from tests.docs.story import retell
from tests.docs.world import EXAMPLES, a_world

if TYPE_CHECKING:
    from pathlib import Path

DOCS = EXAMPLES.parent
NAMES = sorted(STORIES)
LEFT_OUT = "…"
_BLOCK = re.compile(r"^```json (\w+)\.json#(\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def recorded(name: str) -> dict[str, Any]:
    example: dict[str, Any] = json.loads((EXAMPLES / f"{name}.json").read_text(encoding="utf-8"))
    return example


def blocks() -> list[tuple[str, str, str, str]]:
    """Page, example, part, and text of every block that names a recording."""
    pages: list[Path] = sorted(DOCS.rglob("*.md"))
    return [(page.name, *found) for page in pages for found in _BLOCK.findall(page.read_text("utf-8"))]


def part_of(example: dict[str, Any], where: str) -> Any:
    """The part of a recording that a block names: the step, then the keys and indexes below it."""
    number, *keys = where.split(".")
    step = example["steps"][int(number)]
    part: Any = step | ({"request": json.loads(step["body"])} if "body" in step else {})
    for key in keys:
        part = part[int(key)] if isinstance(part, list) else part[key]
    return part


def shows(shown: Any, real: Any) -> bool:
    """Whether a block says what was recorded, as far as it says anything."""
    if shown == LEFT_OUT:
        return True
    if isinstance(shown, str) and shown.endswith(LEFT_OUT):
        return isinstance(real, str) and real.startswith(shown[:-1])
    if isinstance(shown, dict) and isinstance(real, dict):
        said = {key for key in shown if key != LEFT_OUT}
        whole = LEFT_OUT in shown or said == real.keys()
        return whole and said <= real.keys() and all(shows(shown[key], real[key]) for key in said)
    if isinstance(shown, list) and isinstance(real, list):
        if LEFT_OUT in shown:
            return all(any(shows(one, other) for other in real) for one in shown if one != LEFT_OUT)
        return len(shown) == len(real) and all(map(shows, shown, real))
    return bool(shown == real)


@pytest.mark.parametrize("name", NAMES)
async def test_recorded_requests_get_their_recorded_answers(name: str, database_url: str) -> None:
    """Byte for byte what was recorded goes in; what comes out is the same, cursors and digests included."""
    steps = recorded(name)["steps"]
    async with a_world(database_url) as world:
        told = await retell(world, steps)
    for before, now in zip(steps, told, strict=True):
        assert now == before, before["says"]


def test_every_example_is_recorded_and_every_recording_has_its_story() -> None:
    assert sorted(path.stem for path in EXAMPLES.glob("*.json")) == NAMES


@pytest.mark.parametrize(("page", "name", "where", "text"), blocks())
def test_what_the_documents_quote_was_recorded(page: str, name: str, where: str, text: str) -> None:
    assert shows(json.loads(text), part_of(recorded(name), where)), f"{page}: {name}.json#{where}"


def test_every_example_is_spoken_of() -> None:
    pages = "".join(page.read_text("utf-8") for page in DOCS.rglob("*.md"))
    assert [name for name in NAMES if f"{name}.json" not in pages] == []
