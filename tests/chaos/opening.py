"""A township on an empty, migrated PostgreSQL, and codes for its devices, by the services of the commands."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from server.applications import service as applications
from server.devices import service as devices
from server.directory.service import open_township
from server.kinds.service import install
from server.restoring import lost
from server.settings import async_url
from server.staff import service as staff
from server.storage import directory
from server.storage.directory import Place
from server.storage.engine import open_engine, transact
from tests.protocol.kinds_for_tests import NOTE_TOML, SHEET_TOML
from tests.simulation.template import TOWN
from tests.vaults import vault

VILLAGES: Final = ("201", "202")
SCOPES: Final = ("records:read", "records:write", "contact:read", "contact:write", "review")
CODE_MS: Final = 600_000
Random = Callable[[int], bytes]


@dataclass(frozen=True)
class Opened:
    """What a run has to know of its township."""

    grids: tuple[str, ...]
    token: str
    """Of the office's program."""


@asynccontextmanager
async def engine_of(url: str) -> AsyncIterator[AsyncEngine]:
    """An engine for a moment."""
    engine = open_engine(async_url(url), pool_size=1, vault=vault())
    try:
        yield engine
    finally:
        await engine.dispose()


async def opened(url: str, random: Random) -> Opened:
    """Opens the township."""
    now = now_ms()
    async with engine_of(url) as engine:
        for toml in (SHEET_TOML, NOTE_TOML):
            await install(engine, toml, "kind.toml", now)
        places = [Place(TOWN, "town", TOWN[:6], "元竹镇", 2023)]
        places += [Place(f"{TOWN}{village}", "village", TOWN, "潘元村委会", 2023) for village in VILLAGES]
        await transact(engine, partial(directory.put_places, rows=places))
        await open_township(engine, TOWN, grids=2, now_ms=now, random=random)
        added = await applications.add(engine, "镇里", SCOPES, (TOWN,), now_ms=now, random=random)
    return Opened(tuple(f"{TOWN}{village}{grid:03}" for village in VILLAGES for grid in (1, 2)), added.token)


async def code(url: str, name: str, grids: tuple[str, ...], random: Random) -> str:
    """A one-time code for the device of a new worker."""
    now = now_ms()
    async with engine_of(url) as engine:
        await staff.add(engine, staff.Candidate(name, "grid_worker", TOWN), now_ms=now, random=random)
        given = await devices.give_code(engine, name, grids, lifetime_ms=CODE_MS, now_ms=now, random=random)
    return given.code


async def lost_spans(url: str) -> int:
    """How many times the servers have noticed that their database was put back."""
    async with engine_of(url) as engine:
        return len(await lost(engine))


def now_ms() -> int:
    """The system's clock: milliseconds since 1970."""
    return time.time_ns() // 1_000_000
