"""Townships of a benchmark: made by the services that the commands use, in this process, so that it takes no time."""

import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from benchmarks.load.county import Enrolled, device_row
from benchmarks.screening import HERE, TOWNSHIP
from migrations.run import upgrade
from server.devices.service import give_code
from server.directory.service import open_township
from server.kinds.service import install
from server.staff import service as staff
from server.staff.service import Candidate
from server.storage import directory, tables, townships
from server.storage.directory import Place
from server.storage.engine import open_engine, snapshot, transact
from sync_protocol.ids import uuid7
from tests.vaults import vault

T = TypeVar("T")
VILLAGES: Final = 10
GRIDS_A_VILLAGE: Final = 9
"""Ten villages of nine grids each are the places of the workload's records."""
WORKER: Final = "王芳"
_YEAR: Final = 2023
_DAY_MS: Final = 86_400_000


def migrated(url: str) -> None:
    """Brings an empty database to the present tables."""
    upgrade(url)


async def founded(url: str, towns: Sequence[str]) -> None:
    """Opens townships in a migrated database, each with its villages, grids and one worker; installs the kind."""

    async def work(engine: AsyncEngine) -> None:
        kind = HERE / "screening.toml"
        await install(engine, kind.read_text(encoding="utf-8"), str(kind), _now_ms())
        await transact(engine, partial(directory.put_places, rows=_places(towns)))
        for town in towns:
            await open_township(
                engine, town, grids=GRIDS_A_VILLAGE, now_ms=_now_ms(), random=secrets.token_bytes
            )
            worker = Candidate(WORKER, "grid_worker", town)
            await staff.add(engine, worker, now_ms=_now_ms(), random=secrets.token_bytes)

    await _with_engine(url, work)


async def codes(url: str, grids: Sequence[str], count: int) -> list[str]:
    """One-time codes for devices of these grids."""

    async def work(engine: AsyncEngine) -> list[str]:
        given = [
            await give_code(
                engine, WORKER, grids, lifetime_ms=_DAY_MS, now_ms=_now_ms(), random=secrets.token_bytes
            )
            for _ in range(count)
        ]
        return [one.code for one in given]

    return await _with_engine(url, work)


async def enrolled(url: str, town: str, grids: Sequence[str], count: int) -> list[Enrolled]:
    """Devices of a township, each with all of these grids, as enrolment leaves them."""

    async def work(engine: AsyncEngine) -> list[Enrolled]:
        workers = await staff.listed(engine, town)
        row = await snapshot(engine, partial(townships.read, township=town))
        made = [
            Enrolled(
                town,
                uuid7(_now_ms(), secrets.token_bytes(10)),
                grids[0],
                row.identity if row is not None else "",
                Ed25519PrivateKey.generate(),
            )
            for _ in range(count)
        ]
        rows = [device_row(one, grids, workers[0].staff_id, _now_ms()) for one in made]

        async def put(connection: AsyncConnection) -> None:
            await connection.execute(insert(tables.devices), rows)

        await transact(engine, put)
        return made

    return await _with_engine(url, work)


def grids_of(town: str = TOWNSHIP, count: int = VILLAGES * GRIDS_A_VILLAGE) -> list[str]:
    """The first grids of a township."""
    every = [
        f"{village}{number:03}" for village in _villages(town) for number in range(1, GRIDS_A_VILLAGE + 1)
    ]
    return every[:count]


def _villages(town: str) -> list[str]:
    return [f"{town}{number}" for number in range(200, 200 + VILLAGES)]


def _places(towns: Sequence[str]) -> list[Place]:
    rows = [Place(town, "town", town[:6], f"{town[-3:]}镇", _YEAR) for town in towns]
    return rows + [
        Place(village, "village", town, f"{village[-3:]}村", _YEAR)
        for town in towns
        for village in _villages(town)
    ]


async def _with_engine(url: str, work: Callable[[AsyncEngine], Awaitable[T]]) -> T:
    engine = open_engine(url, vault=vault())
    try:
        return await work(engine)
    finally:
        await engine.dispose()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
