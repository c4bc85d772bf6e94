"""A township in one database, with the people who ask."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

import msgspec
from anyio.to_thread import run_sync
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from benchmarks.ledger.matters import LEADERS, NOW_MS, START_MS, TOWN, VILLAGES
from migrations.run import upgrade
from server.directory.service import open_township
from server.kinds.registry import Registry
from server.kinds.service import install_shipped
from server.reach import Caller, Reach
from server.services import Services
from server.storage import directory, tables
from server.storage.directory import Place
from server.storage.engine import open_engine, transact
from sync_protocol.limits import DEFAULTS
from tests.vaults import vault

CLERK: Final = Caller(LEADERS[0], "张", "clerk", Reach((TOWN,)), frozenset())


class Prepared(msgspec.Struct, frozen=True):
    """The services, at the time that is the present of these matters."""

    services: Services


@asynccontextmanager
async def prepared(url: str) -> AsyncIterator[Prepared]:
    """A migrated database with the township, its grids and leaders."""
    await run_sync(partial(upgrade, url))
    engine = open_engine(url, pool_size=2, vault=vault())
    try:
        await install_shipped(engine, START_MS)
        places = [Place(TOWN, "town", TOWN[:6], "某镇", 2023)]
        places += [Place(f"{TOWN}{200 + n}", "village", TOWN, f"第{n}村委会", 2023) for n in range(VILLAGES)]
        await transact(engine, partial(directory.put_places, rows=places))
        await open_township(engine, TOWN, grids=6, now_ms=START_MS, random=bytes)
        await transact(engine, _people)
        yield Prepared(Services(engine, Registry(engine, lambda: NOW_MS), lambda: NOW_MS, bytes, DEFAULTS))
    finally:
        await engine.dispose()


async def _people(connection: AsyncConnection) -> None:
    rows = [
        {
            "township_id": TOWN, "staff_id": one, "name": f"领导{nth}", "role": "leader", "added_ms": START_MS,
        }
        for nth, one in enumerate(LEADERS)
    ]  # fmt: skip
    await connection.execute(insert(tables.staff), rows)
