"""The databases that the other tests stand on."""

import pytest
from sqlalchemy import inspect, text
from sqlalchemy.ext.asyncio import create_async_engine


async def _tables(url: str) -> list[str]:
    engine = create_async_engine(url)
    try:
        async with engine.connect() as connection:
            assert (await connection.execute(text("SELECT 1"))).scalar_one() == 1
            return await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    finally:
        await engine.dispose()


async def test_a_fresh_database_answers_and_is_empty(fresh_database_url: str) -> None:
    assert await _tables(fresh_database_url) == []


async def test_a_migrated_database_answers_and_has_tables(database_url: str) -> None:
    assert "alembic_version" in await _tables(database_url)


@pytest.mark.parametrize("name", ["first", "second"])
async def test_each_test_has_its_own_database(fresh_database_url: str, name: str) -> None:
    engine = create_async_engine(fresh_database_url)
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE mine (name TEXT)"))
        await connection.execute(text("INSERT INTO mine VALUES (:name)"), {"name": name})
        assert (await connection.execute(text("SELECT name FROM mine"))).scalars().all() == [name]
    await engine.dispose()
