"""The recorded examples of docs/protocol.md, sent again to the real application on a fresh database."""

import json
from typing import Any

import pytest

from tests.docs.record import STORIES
from tests.docs.story import retell
from tests.docs.world import EXAMPLES, a_world

NAMES = sorted(STORIES)


def recorded(name: str) -> dict[str, Any]:
    example: dict[str, Any] = json.loads((EXAMPLES / f"{name}.json").read_text(encoding="utf-8"))
    return example


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
