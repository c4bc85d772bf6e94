from collections.abc import AsyncIterator

import pytest

from tests.casefile.office import Office, an_office


@pytest.fixture
async def office(database_url: str) -> AsyncIterator[Office]:
    """An office on both databases."""
    async with an_office(database_url) as made:
        yield made
