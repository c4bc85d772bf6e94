"""Q1 of docs/architecture.md, "Storage": whatever a sync asks for concerns one township, and the database sees that.

Township tables are split by hash, as they are over the nodes of a distributed database. A statement that would look
into two parts would go to every node there.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from migrations.run import upgrade
from server.storage import tables
from server.storage.engine import transact
from sync_protocol.changes import Act, Add
from tests.databases import PostgresDatabases
from tests.statements import Asked, asked, tables_of, tasks_of
from tests.sync.device import Device, enrolled
from tests.sync.town import Server, Town, backup, restore, served

PARTS = 4
REPORT = Act("report", "fresh", "reported")
SPLIT = {name for name, table in tables.metadata.tables.items() if "township_id" in table.primary_key.columns}


@pytest.fixture
async def split(postgres_databases: PostgresDatabases) -> AsyncIterator[Server]:
    """A server over a database whose township tables have PARTS parts each."""
    url = await asyncio.to_thread(postgres_databases.create, migrated=False)
    try:
        await asyncio.to_thread(upgrade, url, partitions=PARTS)
        async with served(url) as server:
            yield server
    finally:
        await asyncio.to_thread(postgres_databases.drop, url)


@pytest.mark.postgres
async def test_every_statement_of_a_sync_looks_into_one_part_of_each_table(split: Server) -> None:
    statements: list[Asked] = []
    for _ in range(3):
        town = await split.open()
        one, other = await enrolled(town, 1, *town.grids), await enrolled(town, 2, *town.grids[:2])
        with asked(split.engine) as before:
            await an_evening(town, one, other)
        copy = await backup(split)
        one.edit(next(iter(one.held)), fields={"story": "句。"})
        await both(one, other)
        await restore(split, copy)
        with asked(split.engine) as after:
            await both(one, other, one)
            await one.sync(reread=list(town.grids[:1]))
        statements += before + after
    seen = set()
    for statement, parameters in distinct(statements):
        parts = await transact(split.engine, lambda c, s=statement, p=parameters: found(c, s, p))  # type: ignore[misc]
        assert len({part for _, part in parts}) <= 1, (parts, statement)
        seen |= {table for table, _ in parts}
    assert seen >= {
        "townships",
        "devices",
        "records",
        "changes",
        "conflicts",
        "exits",
        "receipts",
        "holdings",
    }


@pytest.mark.postgres
async def test_a_statement_that_asks_every_township_is_noticed(split: Server) -> None:
    parts = await transact(
        split.engine, lambda c: found(c, "SELECT count(*) FROM records WHERE version > $1", (0,))
    )
    assert {part for _, part in parts} == {str(part) for part in range(PARTS)}


@pytest.mark.citus
async def test_every_statement_of_a_sync_goes_to_one_node(citus_url: str) -> None:
    """On a Citus, whose database may already have townships: others' rows are neither read nor written."""
    await asyncio.to_thread(upgrade, citus_url)
    async with served(citus_url) as server:
        server.towns = secrets.randbelow(900)
        town = await server.open()
        one, other = await enrolled(town, 1, *town.grids), await enrolled(town, 2, *town.grids[:2])
        with asked(server.engine) as statements:
            await an_evening(town, one, other)
        for statement, parameters in distinct(statements):
            tasks = await transact(server.engine, lambda c, s=statement, p=parameters: tasks_of(c, s, p))  # type: ignore[misc]
            assert tasks <= {1}, (tasks, statement)


async def an_evening(town: Town, one: Device, other: Device) -> None:
    """The devices and the office do whatever makes a sync ask for something."""
    matters = [one.create(subject=f"v{at}", act=REPORT, place=town.grids[0]).record for at in range(3)]
    await both(one, other)
    for device in (one, other):
        device.edit(matters[0], fields={"subject": f"of {device.number}", "heads": device.number})
        device.edit(matters[0], Add("tags", "a"))
        device.edit(matters[1], fields={"level": device.number})
        device.save(town.fresh_id(), do="edit", fields={"subject": "of nothing"})
        await device.sync(lost=True)
        await device.sync_all(page_bytes=1)
    await town.move(matters[1], town.grids[3])
    await town.step(matters[2], "accept", "accepted")
    await both(one, other)


async def both(*devices: Device) -> None:
    for device in devices:
        await device.sync_all()


def distinct(statements: list[Asked]) -> list[Asked]:
    """Each statement once, with the parameters of its first time; of those that a sync asks."""
    first: dict[str, object] = {}
    for statement, parameters in statements:
        if statement.lstrip().startswith(("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")):
            first.setdefault(statement, parameters[0] if isinstance(parameters, list) else parameters)
    return list(first.items())


async def found(connection: AsyncConnection, statement: str, parameters: object) -> set[tuple[str, str]]:
    """The parts that a statement looks into: table and number. Into what is whole everybody may look."""
    parts = {name.rpartition("_p")[::2] for name in await tables_of(connection, statement, parameters)}
    return {(table, part) for table, part in parts if table in SPLIT and part.isdigit()}
