"""Records the examples of docs/protocol.md anew: `python -m tests.docs.record [NAME ...]`.

Each example happens on a database of its own in the checkout's cache, and is written to docs/examples/.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from migrations.run import upgrade
from tests.docs.executions import EXECUTIONS
from tests.docs.scenarios import EXCHANGE
from tests.docs.story import Story
from tests.docs.world import EXAMPLES, a_world

STORIES = EXCHANGE | EXECUTIONS
CACHE = Path(__file__).resolve().parents[2] / ".cache"


def main(names: Sequence[str]) -> None:
    """Records the examples of these names, all of them when there are none."""
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        for name in names or STORIES:
            url = f"sqlite+aiosqlite:///{folder}/{name}.sqlite"
            upgrade(url)
            steps = asyncio.run(told(url, name))
            about = str(STORIES[name].__doc__)
            text = json.dumps({"about": about, "steps": steps}, ensure_ascii=False, indent=1)
            (EXAMPLES / f"{name}.json").write_text(f"{text}\n", encoding="utf-8")
            print(f"{name}: {len(steps)} steps")  # noqa: T201 (a command)


async def told(url: str, name: str) -> list[dict[str, object]]:
    """The steps of one example in a world of its own."""
    async with a_world(url) as world:
        story = Story(world)
        await STORIES[name](story)
        return story.steps


if __name__ == "__main__":
    main(sys.argv[1:])
