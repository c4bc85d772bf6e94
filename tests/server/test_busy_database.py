"""A database that cannot take more now: told as such within a bound, and all goes on once it can."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from server.app import create_app
from server.services import open_services
from server.settings import Settings
from server.storage import engine as engines
from server.storage.engine import Unavailable, open_engine, snapshot, transact
from sync_protocol import signing
from tests.databases import PostgresDatabases
from tests.vaults import vault


async def _one(connection: AsyncConnection) -> int:
    return int((await connection.execute(text("SELECT 1"))).scalar_one())


async def _write(connection: AsyncConnection) -> None:
    await connection.execute(text("CREATE TABLE IF NOT EXISTS notes (said TEXT)"))
    await connection.execute(text("INSERT INTO notes VALUES ('here')"))


async def _as_administrator(url: str, statement: str) -> None:
    engine = create_async_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(statement))
    await engine.dispose()


@pytest.fixture
async def empty(postgres_databases: PostgresDatabases) -> AsyncIterator[str]:
    url = await asyncio.to_thread(postgres_databases.create, migrated=False)
    yield url
    await asyncio.to_thread(postgres_databases.drop, url)


@pytest.fixture
async def engine(empty: str) -> AsyncIterator[AsyncEngine]:
    opened = open_engine(empty, pool_size=2)
    yield opened
    await opened.dispose()


@pytest.mark.postgres
async def test_a_postgresql_without_room_for_another_connection(empty: str) -> None:
    role = f"few_{make_url(empty).database}"
    await _as_administrator(empty, f"CREATE ROLE {role} LOGIN PASSWORD 'few' CONNECTION LIMIT 1")
    few = make_url(empty).set(username=role, password="few").render_as_string(hide_password=False)
    first, second = open_engine(few, pool_size=1), open_engine(few, pool_size=1)
    async with first.connect() as holding:
        await _one(holding)
        with pytest.raises(Unavailable):
            await transact(second, _one)
    await first.dispose()
    assert await transact(second, _one) == 1
    await second.dispose()
    await _as_administrator(empty, f"DROP ROLE {role}")


@pytest.mark.postgres
async def test_a_connection_that_only_reads_is_given_up(engine: AsyncEngine, empty: str) -> None:
    """As after a switch of roles: what was the primary takes no writes any more."""
    database = make_url(empty).database
    await _as_administrator(empty, f"ALTER DATABASE {database} SET default_transaction_read_only = on")
    with pytest.raises(Unavailable):
        await transact(engine, _write)
    await _as_administrator_writing(empty, f"ALTER DATABASE {database} RESET default_transaction_read_only")
    await transact(engine, _write)


async def _as_administrator_writing(url: str, statement: str) -> None:
    engine = create_async_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text("SET default_transaction_read_only = off"))
        await connection.execute(text(statement))
    await engine.dispose()


@pytest.mark.postgres
async def test_connections_that_were_ended_while_nobody_used_them(engine: AsyncEngine, empty: str) -> None:
    await asyncio.gather(transact(engine, _one), snapshot(engine, _one))
    ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND "
    await _as_administrator(empty, ended + "pid <> pg_backend_pid()")
    await asyncio.sleep(0.1)
    for _ in range(2):
        assert await transact(engine, _one) == 1


@pytest.mark.postgres
async def test_a_statement_that_takes_too_long(engine: AsyncEngine, empty: str) -> None:
    limit = f"ALTER DATABASE {make_url(empty).database} SET statement_timeout = '100ms'"
    await _as_administrator(empty, limit)

    async def slow(connection: AsyncConnection) -> None:
        await connection.execute(text("SELECT pg_sleep(5)"))

    with pytest.raises(Unavailable):
        await transact(engine, slow)


@pytest.mark.postgres
async def test_a_transaction_that_stood_still_for_too_long(engine: AsyncEngine, empty: str) -> None:
    """PostgreSQL ends it; the work is done again."""
    limit = f"ALTER DATABASE {make_url(empty).database} SET idle_in_transaction_session_timeout = '100ms'"
    await _as_administrator(empty, limit)
    tries = []

    async def idle_once(connection: AsyncConnection) -> int:
        await _one(connection)
        tries.append(1)
        if len(tries) == 1:
            await asyncio.sleep(0.5)
        return await _one(connection)

    assert await transact(engine, idle_once) == 1
    assert len(tries) == 2


@pytest.mark.postgres
async def test_a_lock_that_is_not_given_is_not_waited_for_again_and_again(
    engine: AsyncEngine, empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A device waits for its answer, and its patience is less than six times the time-out of a lock."""
    monkeypatch.setattr(engines, "_PATIENCE_S", 0.7)
    await transact(engine, _write)
    limit = f"ALTER DATABASE {make_url(empty).database} SET lock_timeout = '500ms'"
    await _as_administrator(empty, limit)
    async with engine.begin() as holding:
        await holding.execute(text("LOCK TABLE notes IN ACCESS EXCLUSIVE MODE"))
        waiting = open_engine(empty, pool_size=1)
        began = time.monotonic()
        with pytest.raises(Unavailable):
            await transact(waiting, _write)
        assert time.monotonic() - began < 2.5
        await waiting.dispose()


@pytest.mark.postgres
async def test_of_several_hosts_none_takes_writes(empty: str) -> None:
    waiting = open_engine(f"{empty}?target_session_attrs=standby", pool_size=1)
    with pytest.raises(Unavailable):
        await transact(waiting, _one)
    await waiting.dispose()


async def test_who_is_sent_away_waits_no_longer_than_the_operator_says(database_url: str) -> None:
    """Also when it is the database that has no room, and not the process."""
    engine = open_engine(database_url, pool_size=1, wait_s=0.05, vault=vault())
    settings = Settings(database=database_url, retry_after_s_max=2)
    app: Any = create_app(settings, open_services(settings, engine))
    signed = signing.headers("321283104", "01900000-0000-7000-8000-000000000001", 1, b"s" * 64)
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=app), base_url="http://a.test"
    ) as caller:
        async with engine.connect():
            answers = [await caller.post("/v1/sync", headers=signed, content=b"{}") for _ in range(12)]
        assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(503, "unavailable")}
        assert {int(answer.headers["retry-after"]) for answer in answers} == {1, 2}
    await engine.dispose()
