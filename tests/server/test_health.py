"""Health: alive whatever the database does, ready when its schema fits."""

import asyncio
from typing import Any

import httpx2
import pytest
from litestar import Litestar
from litestar.di import Provide
from sqlalchemy import text

from migrations.run import head
from server import problems
from server.health.http import live_handler, ready_handler
from server.health.service import Readiness, readiness, state_of
from server.services import Services
from server.storage.engine import open_engine
from tests.vaults import vault


@pytest.fixture
def door(services: Services) -> httpx2.AsyncClient:
    app: Any = Litestar(
        [live_handler, ready_handler],
        dependencies={"services": Provide(lambda: services, sync_to_thread=False)},
        exception_handlers=problems.HANDLERS,
        openapi_config=None,
        logging_config=None,
    )
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://server.test")


async def test_a_server_with_a_current_schema_is_ready(door: httpx2.AsyncClient) -> None:
    assert (await door.get("/v1/health/live")).json() == {"status": "live"}
    assert (await door.get("/v1/health/ready")).json() == {"status": "ready"}


async def test_a_newer_schema_is_worked_with(door: httpx2.AsyncClient, services: Services) -> None:
    async with services.engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    assert (await door.get("/v1/health/ready")).status_code == 200
    assert await readiness(services.engine) == Readiness(reachable=True, schema="newer")


async def test_a_database_without_schema_is_not_ready(door: httpx2.AsyncClient, services: Services) -> None:
    async with services.engine.begin() as connection:
        await connection.execute(text("DROP TABLE alembic_version"))
    response = await door.get("/v1/health/ready")
    problem = response.json()
    assert (response.status_code, problem["code"], problem["schema"]) == (503, "unavailable", "missing")
    assert "roundbook migrate" in problem["detail"]
    assert (await door.get("/v1/health/live")).status_code == 200


@pytest.mark.parametrize(
    "url", ["sqlite+aiosqlite:////nowhere/at/all.db", "postgresql+asyncpg://x@127.0.0.1:1/x"]
)
async def test_a_database_out_of_reach_is_said_to_be_so(url: str) -> None:
    engine = open_engine(url, pool_size=1, vault=vault())
    try:
        assert await readiness(engine) == Readiness(reachable=False, schema="unknown")
    finally:
        await engine.dispose()
        # aiosqlite's thread still reports that it has ended, to the loop of this test.
        await asyncio.sleep(0.3)


def test_revisions_are_missing_outdated_current_or_newer() -> None:
    assert [state_of(revision) for revision in (None, head(), "9999")] == ["missing", "current", "newer"]
