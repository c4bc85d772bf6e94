"""A made-up county in a fresh database: townships, grids, and enrolled devices, one for each grid."""

import secrets
import time
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from server.directory.service import open_township
from server.kinds.service import install_shipped
from server.staff import service as staff
from server.staff.service import Candidate
from server.storage import directory, tables, townships
from server.storage.directory import Place
from server.storage.engine import open_engine, snapshot, transact
from sync_protocol.ids import uuid7
from tests.vaults import vault

COUNTY: Final = "321283"
GRIDS_OF_A_VILLAGE: Final = 25
_YEAR: Final = 2023


class Enrolled(msgspec.Struct, frozen=True):
    """What a device knows of itself once it is enrolled; `server` is its township's identity."""

    township: str
    device: str
    grid: str
    server: str
    key: Ed25519PrivateKey


async def founded(url: str, *, towns: int, villages: int) -> list[Enrolled]:
    """Opens townships with so many villages each, and enrols a device for each of their grids."""
    engine = open_engine(url, vault=vault())
    try:
        now_ms = time.time_ns() // 1_000_000
        await install_shipped(engine, now_ms)
        codes = [f"{COUNTY}{number:03}" for number in range(100, 100 + towns)]
        await transact(engine, partial(directory.put_places, rows=_places(codes, villages)))
        found: list[Enrolled] = []
        for town in codes:
            found += await _opened(engine, town, villages, now_ms)
    finally:
        await engine.dispose()
    return found


def _places(towns: list[str], villages: int) -> list[Place]:
    rows = [Place(town, "town", COUNTY, f"{town[-3:]}镇", _YEAR) for town in towns]
    return rows + [
        Place(village, "village", village[:9], f"{village[-3:]}村", _YEAR)
        for town in towns
        for village in _villages(town, villages)
    ]


def _villages(town: str, villages: int) -> list[str]:
    return [f"{town}{number:03}" for number in range(200, 200 + villages)]


async def _opened(engine: AsyncEngine, town: str, villages: int, now_ms: int) -> list[Enrolled]:
    await open_township(engine, town, grids=GRIDS_OF_A_VILLAGE, now_ms=now_ms, random=secrets.token_bytes)
    worker = await staff.add(
        engine, Candidate("王芳", "grid_worker", town), now_ms=now_ms, random=secrets.token_bytes
    )
    row = await snapshot(engine, partial(townships.read, township=town))
    identity = row.identity if row is not None else ""
    made = [
        Enrolled(
            town,
            uuid7(now_ms, secrets.token_bytes(10)),
            f"{village}{number:03}",
            identity,
            Ed25519PrivateKey.generate(),
        )
        for village in _villages(town, villages)
        for number in range(1, GRIDS_OF_A_VILLAGE + 1)
    ]
    rows = [device_row(device, [device.grid], worker.staff_id, now_ms) for device in made]

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(insert(tables.devices), rows)

    await transact(engine, work)
    return made


def device_row(device: Enrolled, grids: Sequence[str], staff_id: str, now_ms: int) -> dict[str, Any]:
    """The row that enrolment leaves of a device of these grids."""
    return {
        "township_id": device.township,
        "device_id": device.device,
        "staff_id": staff_id,
        "public_key": device.key.public_key().public_bytes_raw(),
        "grids": list(grids),
        "enrolled_ms": now_ms,
        "serial": 0,
        "epochs": [],
        "queued": 0,
        "client": "",
    }


async def stored_changes(url: str) -> int:
    """How many changes the database has, quarantined ones not counted."""
    engine = open_engine(url, vault=vault())

    async def work(connection: AsyncConnection) -> int:
        changes = tables.changes
        count = select(func.count()).select_from(changes).where(changes.c.result == "applied")
        return int((await connection.execute(count)).scalar_one())

    try:
        return await snapshot(engine, work)
    finally:
        await engine.dispose()
