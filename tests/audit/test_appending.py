"""Many writers, one chain: without gaps, in the transaction of the act, and with it gone when the act is."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import partial

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from server.audit import service
from server.audit.log import append
from server.directory.working import locked
from server.refused import RefusedError
from server.services import Services
from server.staff.service import Candidate, add
from server.storage import staff
from server.storage.engine import open_engine, transact
from server.storage.tables import audit_entries
from tests.audit.conftest import some_acts
from tests.server.conftest import TOWNSHIP, clock, engine, randomness, services, township, worker
from tests.vaults import vault

__all__ = ["clock", "engine", "randomness", "services", "township", "worker"]
PROCESSES, WRITERS, EACH = 4, 3, 5


@pytest.fixture
async def engines(database_url: str) -> AsyncIterator[Sequence[AsyncEngine]]:
    """What several server processes have of the database: each its own connections."""
    opened = [open_engine(database_url, pool_size=WRITERS, vault=vault()) for _ in range(PROCESSES)]
    yield opened
    for one in opened:
        await one.dispose()


async def chains(engine: AsyncEngine) -> dict[str, tuple[int, bool]]:
    """Chain to the number of its entries, and whether it is whole."""
    return {one.township: (one.entries, not one.faults) for one in await service.verify(engine)}


async def test_many_writers_make_one_chain(engines: Sequence[AsyncEngine]) -> None:
    """None of them finds a chain when they begin."""

    async def write(engine: AsyncEngine) -> None:
        for act in some_acts(EACH):
            await transact(engine, partial(append, act=act))

    await asyncio.gather(*(write(engine) for engine in engines for _ in range(WRITERS)))
    assert await chains(engines[0]) == {"321283104": (PROCESSES * WRITERS * EACH, True)}


@pytest.mark.usefixtures("township")
async def test_acts_under_the_townships_lock_and_others_do_not_wait_for_each_other_for_ever(
    engines: Sequence[AsyncEngine],
) -> None:
    before = (await chains(engines[0]))[TOWNSHIP][0]
    attempts = 0

    async def plain(engine: AsyncEngine) -> None:
        for act in some_acts(EACH):
            await transact(engine, partial(append, act=act))

    async def under_lock(engine: AsyncEngine) -> None:
        async def work(connection: AsyncConnection) -> None:
            nonlocal attempts
            attempts += 1
            await locked(connection, TOWNSHIP)
            await connection.execute(text("SELECT count(*) FROM staff"))
            for act in some_acts(2):
                await append(connection, act)

        for _ in range(EACH):
            await transact(engine, work)

    await asyncio.gather(*(plain(engine) for engine in engines), *(under_lock(engine) for engine in engines))
    wanted = PROCESSES * EACH * 3
    assert (await chains(engines[0]))[TOWNSHIP] == (before + wanted, True)
    assert attempts == PROCESSES * EACH  # no deadlock was ever broken up


@pytest.mark.usefixtures("township")
async def test_an_act_that_is_rolled_back_leaves_no_entry(services: Services) -> None:
    before = await chains(services.engine)

    async def fails(connection: AsyncConnection) -> None:
        await append(connection, some_acts(1)[0])
        message = "the act did not come about"
        raise RuntimeError(message)

    with pytest.raises(RuntimeError):
        await transact(services.engine, fails)
    person = Candidate("王芳", "grid_worker", TOWNSHIP)
    await add(services.engine, person, now_ms=0, random=services.random)
    with pytest.raises(RefusedError):
        await add(services.engine, person, now_ms=0, random=services.random)
    after = await chains(services.engine)
    assert after[TOWNSHIP] == (before[TOWNSHIP][0] + 1, True)


@pytest.mark.usefixtures("township")
async def test_an_entry_that_cannot_be_written_takes_its_act_back(services: Services) -> None:
    async with services.engine.begin() as connection:
        await connection.execute(text("DROP TABLE audit_entries"))
    with pytest.raises(Exception, match="audit_entries"):
        await add(services.engine, Candidate("王芳", "clerk", TOWNSHIP), now_ms=0, random=services.random)
    assert await transact(services.engine, staff.listed) == []


@pytest.mark.usefixtures("township")
async def test_a_savepoint_that_is_taken_back_takes_its_entry_back(services: Services) -> None:
    before = (await chains(services.engine))[TOWNSHIP][0]
    first, second = some_acts(2)

    async def work(connection: AsyncConnection) -> None:
        inner = await connection.begin_nested()
        await append(connection, first)
        await inner.rollback()
        await append(connection, second)

    await transact(services.engine, work)
    assert (await chains(services.engine))[TOWNSHIP] == (before + 1, True)


@pytest.mark.usefixtures("township")
async def test_salts_are_never_the_same(services: Services) -> None:
    await add(services.engine, Candidate("王芳", "clerk", TOWNSHIP), now_ms=0, random=bytes)
    async with services.engine.connect() as connection:
        counted = select(func.count(), func.count(audit_entries.c.salt.distinct()))
        every, different = (await connection.execute(counted)).one()
    assert every == different > 2
