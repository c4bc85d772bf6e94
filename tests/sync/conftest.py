from collections.abc import AsyncIterator

import pytest

from tests.server.office_server import OfficeServer, office_server
from tests.sync.phone import Phone, phone


@pytest.fixture
async def server(database_url: str) -> AsyncIterator[OfficeServer]:
    """The sync service with one open township, on SQLite and on PostgreSQL."""
    async with office_server(database_url) as running:
        yield running


@pytest.fixture
async def wang(server: OfficeServer) -> Phone:
    """A device of the first grid."""
    return await phone(server, "王芳")


@pytest.fixture
async def li(server: OfficeServer) -> Phone:
    """Another device of the same grid."""
    return await phone(server, "李强")
