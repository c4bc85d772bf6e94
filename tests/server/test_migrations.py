"""One chain of revisions for both databases: it makes what the metadata says, and loses no row on the way."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeVar

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.util import CommandError
from anyio.to_thread import run_sync
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from migrations.run import current, head, revisions, upgrade
from server.storage.tables import metadata
from tests.databases import PARTITIONS, PostgresDatabases
from tests.server.schema import definition, fill, rows_of

T = TypeVar("T")


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[AsyncConnection]:
    engine = create_async_engine(url, poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            yield connection
    finally:
        await engine.dispose()


async def _read(url: str, work: Callable[[Connection], T]) -> T:
    async with _connected(url) as connection:
        return await connection.run_sync(work)


async def test_an_empty_database_has_no_revision_and_gets_the_newest(fresh_database_url: str) -> None:
    assert await run_sync(current, fresh_database_url) is None
    await run_sync(upgrade, fresh_database_url)
    assert await run_sync(current, fresh_database_url) == head()


async def test_upgrading_again_changes_nothing(database_url: str) -> None:
    before = await _read(database_url, definition)
    await run_sync(upgrade, database_url)
    assert await _read(database_url, definition) == before


@pytest.mark.skipif(PARTITIONS > 0, reason="it compares tables that are whole")
async def test_the_chain_makes_what_the_metadata_says(database_url: str) -> None:
    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    assert await _read(database_url, differences) == []


@pytest.mark.skipif(PARTITIONS > 0, reason="it compares tables that are whole")
async def test_the_chain_and_the_metadata_agree_in_the_databases_own_words(
    database_url: str, fresh_database_url: str
) -> None:
    async with _connected(fresh_database_url) as connection:
        await connection.run_sync(metadata.create_all)
    made = await _read(database_url, definition)
    declared = await _read(fresh_database_url, definition)
    # A column that a later revision added stands last in the text of its table, wherever it is declared.
    assert {name: sorted(sql.split(", ")) for name, sql in _plain(made).items()} == {
        name: sorted(sql.split(", ")) for name, sql in _plain(declared).items()
    }


def _plain(found: dict[str, str]) -> dict[str, str]:
    # A table that SQLite has rebuilt has its name in quotes.
    return {name: sql.replace("( ", "(").replace(" )", ")").replace('"', "") for name, sql in found.items()}


@pytest.mark.parametrize("revision", revisions())
async def test_rows_of_every_earlier_revision_survive(fresh_database_url: str, revision: str) -> None:
    await run_sync(upgrade, fresh_database_url, revision)
    rows = await _read(fresh_database_url, fill)
    assert rows
    await run_sync(upgrade, fresh_database_url)
    assert await run_sync(current, fresh_database_url) == head()
    kept = await _read(fresh_database_url, partial(rows_of, asked=rows))
    assert kept == {table: [row] for table, row in rows.items()}


async def test_matters_that_were_restricted_before_leave_the_devices(fresh_database_url: str) -> None:
    await run_sync(upgrade, fresh_database_url, "0001")
    bodies = {
        "a": b'{"restricted":true,"title":"x"}',
        "b": b'{"title":"\\"restricted\\":true"}',
        "c": b'{"restricted":false}',
        "d": b'{"parties":{"e":{"restricted":true}}}',
    }

    def before(connection: Connection) -> None:
        filled = dict(fill(connection)["records"])
        connection.execute(text("DELETE FROM records"))
        connection.execute(text("DELETE FROM holdings"))
        for at, body in enumerate(bodies.values()):
            row = filled | {
                "record_id": f"01890a5d-ac96-774b-bcce-b302099a805{at}",
                "number": None,
                "body": body,
                "deleted": False,
                "closed": False,
                "digest_high": at + 5,
                "digest_low": at + 7,
            }
            names = ", ".join(row)
            values = ", ".join(f":{name}" for name in row)
            connection.execute(text(f"INSERT INTO records ({names}) VALUES ({values})"), row)
        connection.execute(
            text("INSERT INTO holdings VALUES (:t, :g, 4, 100, 200)"),
            {"t": filled["township_id"], "g": filled["place"]},
        )

    await _read(fresh_database_url, before)
    await run_sync(upgrade, fresh_database_url)

    def after(connection: Connection) -> tuple[list[bool | None], list[int]]:
        marked = connection.execute(text("SELECT restricted FROM records ORDER BY record_id"))
        sums = connection.execute(text("SELECT held, digest_high, digest_low FROM holdings")).one()
        return [row.restricted and bool(row.restricted) for row in marked], list(sums)

    assert await _read(fresh_database_url, after) == ([True, None, None, None], [3, 95, 193])


async def test_many_processes_may_migrate_at_once(fresh_database_url: str) -> None:
    def all_at_once() -> None:
        with ThreadPoolExecutor(4) as threads:
            for done in [threads.submit(upgrade, fresh_database_url) for _ in range(4)]:
                done.result()

    await run_sync(all_at_once)
    assert await run_sync(current, fresh_database_url) == head()


async def test_a_revision_that_does_not_exist_leaves_the_database_as_it_was(fresh_database_url: str) -> None:
    with pytest.raises(CommandError):
        await run_sync(upgrade, fresh_database_url, "9999")
    assert await _read(fresh_database_url, definition) == {}


async def test_there_are_no_triggers_functions_or_sequences(database_url: str) -> None:
    def count(connection: Connection) -> int:
        if connection.dialect.name == "sqlite":
            statement = (
                "SELECT count(*) FROM sqlite_master WHERE type = 'trigger' OR name = 'sqlite_sequence'"
            )
        else:
            statement = (
                "SELECT (SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal)"
                " + (SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace)"
                " + (SELECT count(*) FROM pg_class WHERE relkind = 'S')"
            )
        return int(connection.execute(text(statement)).scalar_one())

    assert await _read(database_url, count) == 0


@pytest.mark.postgres
async def test_township_tables_can_be_partitioned(postgres_databases: PostgresDatabases) -> None:
    url = await asyncio.to_thread(postgres_databases.create, migrated=False)
    try:
        await run_sync(lambda: upgrade(url, partitions=4))
        parted = text(
            "SELECT inhparent::regclass::text AS name, count(*) AS parts FROM pg_inherits "
            "JOIN pg_class c ON c.oid = inhparent WHERE c.relkind = 'p' GROUP BY 1"
        )
        async with _connected(url) as connection:
            parts = {row.name: row.parts for row in await connection.execute(parted)}
            assert parts == {name: 4 for name, table in metadata.tables.items() if _of_township(table.name)}
            await connection.run_sync(fill)
    finally:
        await asyncio.to_thread(postgres_databases.drop, url)


FAKE_CITUS = """
    CREATE TABLE calls (what TEXT, name TEXT, beside TEXT);
    CREATE FUNCTION create_reference_table(regclass) RETURNS void LANGUAGE sql
        AS $$INSERT INTO calls VALUES ('reference', $1::text, NULL)$$;
    CREATE FUNCTION create_distributed_table(t regclass, c text, colocate_with text) RETURNS void LANGUAGE sql
        AS $$INSERT INTO calls VALUES (c, t::text, colocate_with)$$
"""


@pytest.mark.skipif(PARTITIONS > 0, reason="it compares tables that are whole")
@pytest.mark.postgres
async def test_with_citus_every_table_is_distributed_or_copied_before_its_foreign_keys(
    postgres_databases: PostgresDatabases, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The calls are checked here; what Citus makes of them needs a Citus (docs/architecture.md, "Storage").
    monkeypatch.setattr("migrations.tables._has_citus", lambda _: True)
    url = await asyncio.to_thread(postgres_databases.create, migrated=False)
    plain = await asyncio.to_thread(postgres_databases.create, migrated=True)
    try:
        async with _connected(url) as connection:
            for statement in FAKE_CITUS.split(";"):
                await connection.execute(text(statement))
        await run_sync(upgrade, url)
        async with _connected(url) as connection:
            calls = [tuple(row) for row in await connection.execute(text("SELECT * FROM calls"))]
            await connection.execute(text("DROP TABLE calls"))
        assert calls[0][0] == "reference"
        assert {name for what, name, _ in calls if what == "township_id"} == set(
            filter(_of_township, metadata.tables)
        )
        assert [name for what, name, _ in calls if what == "reference"] == [
            name for name in metadata.tables if not _of_township(name)
        ]
        beside = {name: other for what, name, other in calls if what == "township_id"}
        assert beside.pop("townships") == "none"
        assert set(beside.values()) == {"townships"}
        assert await _read(url, definition) == await _read(plain, definition)
    finally:
        for made in (url, plain):
            await asyncio.to_thread(postgres_databases.drop, made)


def _of_township(name: str) -> bool:
    return next(iter(metadata.tables[name].primary_key)).name == "township_id"
