from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.village import Village, a_village
from tests.privacy.desk import Desk


@pytest.fixture
def village(database_url: str, tmp_path: Path) -> Iterator[Village]:
    """A township with the real application, on SQLite and on PostgreSQL."""
    with a_village(database_url, tmp_path) as prepared:
        yield prepared


@pytest.fixture
def desk(village: Village) -> Desk:
    return Desk(village)
