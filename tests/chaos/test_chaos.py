"""The main case of `make chaos` in short: kill -9 of everything, failover included, while devices work."""

from pathlib import Path
from random import Random

import pytest

from tests.chaos.nodes import pair
from tests.chaos.storm import KILLS, storm
from tests.chaos.town import Town


@pytest.mark.slow
@pytest.mark.postgres
async def test_nothing_is_lost_while_everything_is_killed(tmp_path: Path) -> None:
    said: list[str] = []
    with pair(tmp_path) as nodes:
        town = Town(tmp_path, nodes, Random(1))
        try:
            await town.prepare(3)
            await storm(town, Random(1), 0, KILLS, said.append)
            await town.settle()
            assert await town.check() == []
        finally:
            await town.close()
    assert town.changes
    assert town.faults.total() > len(KILLS) // 2
