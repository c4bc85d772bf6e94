"""A database whose disk is full: told as such, nothing half-written, and all goes on once there is space."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from server.storage.engine import Unavailable, open_engine, transact

LONG = "字" * 100_000


@pytest.fixture
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AsyncEngine]:
    """A small SQLite database on a disk that has two pages left."""
    made = open_engine(f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('full') / 'full.sqlite'}", pool_size=1)

    async def prepare(connection: AsyncConnection) -> None:
        await connection.execute(text("CREATE TABLE notes (said TEXT NOT NULL)"))

    await transact(made, prepare)
    await _pages(made, 2)
    yield made
    await made.dispose()


async def _pages(engine: AsyncEngine, more: int) -> None:
    async def limit(connection: AsyncConnection) -> None:
        count = await connection.scalar(text("PRAGMA page_count"))
        await connection.execute(text(f"PRAGMA max_page_count = {count + more}"))

    await transact(engine, limit)


async def _say(connection: AsyncConnection, words: str) -> None:
    await connection.execute(text("INSERT INTO notes VALUES (:said)"), {"said": words})


async def _said(engine: AsyncEngine) -> list[str]:
    async def read(connection: AsyncConnection) -> list[str]:
        return list((await connection.execute(text("SELECT said FROM notes"))).scalars())

    return await transact(engine, read)


@pytest.mark.parametrize("nested", [False, True], ids=["in a transaction", "in a savepoint"])
async def test_a_full_disk_is_told_and_leaves_nothing_behind(engine: AsyncEngine, *, nested: bool) -> None:
    async def work(connection: AsyncConnection) -> None:
        await _say(connection, "before")
        if nested:
            async with connection.begin_nested():
                await _say(connection, LONG)
        else:
            await _say(connection, LONG)

    with pytest.raises(Unavailable, match="disk is full"):
        await transact(engine, work)
    assert await _said(engine) == []
    await _pages(engine, 1_000)
    await transact(engine, work)
    assert await _said(engine) == ["before", LONG]
