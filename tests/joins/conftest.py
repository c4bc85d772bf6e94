"""A village on each database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.village import Village, a_village
from tests.joins.desk import Desk


@pytest.fixture
def village(database_url: str, tmp_path: Path) -> Iterator[Village]:
    with a_village(database_url, tmp_path) as opened:
        yield opened


@pytest.fixture
def desk(village: Village) -> Desk:
    return Desk(village)
