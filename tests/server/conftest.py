"""A township that works, on both databases, under a clock and randomness that the test holds."""

import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from server.devices.service import NewCode, give_code
from server.directory import reading, service
from server.directory.encoding import decode
from server.directory.shipped import LIST_YEAR, shipped_list
from server.kinds.registry import Registry
from server.kinds.service import install_shipped
from server.services import Services
from server.staff.service import Candidate, add
from server.storage.engine import open_engine
from server.storage.staff import StaffRow
from sync_protocol.limits import DEFAULTS
from tests.vaults import vault

TOWNSHIP = "321283104"
VILLAGE = "321283104203"
GRID = "321283104203001"
CODE_LIFETIME_MS = 600_000
START_MS = 1_795_000_000_000


class Clock:
    """A server's clock that stands until the test moves it."""

    def __init__(self) -> None:
        self.now_ms = START_MS

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def randomness() -> Callable[[int], bytes]:
    return random.Random(20261121).randbytes


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """An engine on a migrated, empty database."""
    opened = open_engine(database_url, pool_size=4, vault=vault())
    yield opened
    await opened.dispose()


@pytest.fixture
async def township(engine: AsyncEngine, clock: Clock, randomness: Callable[[int], bytes]) -> str:
    """元竹镇, open with three grids in each of its twelve villages."""
    # Of the real list, the one town: 851 rows less to write for each test.
    header, *rows = decode(shipped_list()).splitlines()
    listed = reading.read("\n".join([header, *(row for row in rows if TOWNSHIP in row)]))
    await service.import_divisions(engine, listed, list_year=LIST_YEAR, now_ms=clock())
    await service.open_township(engine, TOWNSHIP, grids=3, now_ms=clock(), random=randomness)
    return TOWNSHIP


@pytest.fixture
async def worker(
    engine: AsyncEngine, township: str, clock: Clock, randomness: Callable[[int], bytes]
) -> StaffRow:
    """A grid worker."""
    candidate = Candidate("王芳", "grid_worker", township)
    return await add(engine, candidate, now_ms=clock(), random=randomness)


@pytest.fixture
async def services(engine: AsyncEngine, clock: Clock, randomness: Callable[[int], bytes]) -> Services:
    """What the server's features are given, with the kinds that ship."""
    await install_shipped(engine, clock())
    registry = Registry(engine, clock)
    await registry.refresh()
    return Services(engine, registry, clock, randomness, DEFAULTS)


@pytest.fixture
def give(services: Services, worker: StaffRow) -> Callable[..., Any]:
    """Gives a code for the worker's device."""

    async def give(*grids: str, who: str = worker.name) -> NewCode:
        return await give_code(
            services.engine,
            who,
            grids or (GRID,),
            lifetime_ms=CODE_LIFETIME_MS,
            now_ms=services.clock(),
            random=services.random,
        )

    return give
