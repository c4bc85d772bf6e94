"""The world in which the examples of docs/protocol.md happen: one township under a fixed clock and randomness.

The server is the real application (`create_app`) on a real database. Whatever a server draws from chance
(its identity, device ids, codes, the key of its cursors) follows from SEED, so that the same requests get
the same answers, byte for byte.
"""

import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import msgspec
from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from client_sdk.loopback import AsyncLoopbackTransport
from server.applications import service as applications
from server.devices import service as devices
from server.directory.service import open_township
from server.kinds.registry import Registry
from server.kinds.service import install
from server.services import Services
from server.staff.service import Candidate, add
from server.storage import directory, townships
from server.storage.directory import Place
from server.storage.engine import open_engine, snapshot, transact
from server.storage.tables import metadata
from server.sync.batch import Upload
from server.sync.judge import Author
from server.sync.push import push
from sync_protocol.changes import Change
from sync_protocol.clock import Reading
from sync_protocol.limits import DEFAULTS
from sync_protocol.messages import Verdict
from tests.vaults import vault
from tests.wiring import application

EXAMPLES: Final = Path(__file__).resolve().parents[2] / "docs" / "examples"
START_MS: Final = 1_795_219_200_000
"""2026-11-21 08:00:00 in Shanghai."""
TOWN: Final = "321283104"
VILLAGE: Final = "321283104203"
GRID_1, GRID_2 = f"{VILLAGE}001", f"{VILLAGE}002"
WORKERS: Final = {"A": "王芳", "B": "李强"}
CLERK: Final = "陈静"
SEED: Final = b"roundbook examples"
FIRST_COUNT: Final = 4_660
"""Where the numbers of a restored server begin, which is random elsewhere."""
Rows = dict[str, list[dict[str, Any]]]


def randomness() -> Callable[[int], bytes]:
    """A stream of bytes that is the same every time."""
    drawn = 0

    def random(count: int) -> bytes:
        nonlocal drawn
        drawn += 1
        return hashlib.shake_256(SEED + drawn.to_bytes(4, "big")).digest(count)

    return random


async def _without_recovery_key(connection: AsyncConnection) -> None:
    """It is drawn by the library, never the same twice; a profile without one says nothing of it."""
    await connection.execute(delete(metadata.tables["recovery_keys"]))


class World:
    """The server and its township. `now_ms` is the server's clock."""

    def __init__(self, url: str, stack: ExitStack) -> None:
        self.now_ms = START_MS
        self.random = randomness()
        engine = open_engine(url, pool_size=2, vault=vault())
        registry = Registry(engine, lambda: self.now_ms)
        self.services = Services(engine, registry, lambda: self.now_ms, self.random, DEFAULTS)
        self.link = AsyncLoopbackTransport(stack.enter_context(application(self.services)))
        self.clerk = self._token = ""

    async def prepare(self) -> None:
        """元竹镇 with one village of two grids, two grid workers, a clerk, and the kind `well`."""
        engine, random = self.services.engine, self.random
        toml = (EXAMPLES / "well.toml").read_text(encoding="utf-8")
        await install(engine, toml, "well.toml", self.now_ms)
        places = [
            Place(TOWN, "town", TOWN[:6], "元竹镇", 2023),
            Place(VILLAGE, "village", TOWN, "潘元村委会", 2023),
        ]

        async def put(connection: AsyncConnection) -> None:
            await directory.put_places(connection, places)

        await transact(engine, put)
        await open_township(engine, TOWN, grids=2, now_ms=self.now_ms, random=random)
        await transact(engine, _without_recovery_key)
        for name in WORKERS.values():
            await add(engine, Candidate(name, "grid_worker", TOWN), now_ms=self.now_ms, random=random)
        clerk = await add(engine, Candidate(CLERK, "clerk", TOWN), now_ms=self.now_ms, random=random)
        self.clerk = clerk.staff_id
        added = await applications.add(
            engine, "examples", ("review",), (TOWN,), now_ms=self.now_ms, random=random
        )
        self._token = added.token
        await self.services.registry.refresh()

    async def code(self, worker: str, grids: Sequence[str]) -> str:
        """A one-time code for a device of worker A or B."""
        given = await devices.give_code(
            self.services.engine,
            WORKERS[worker],
            grids,
            lifetime_ms=600_000,
            now_ms=self.now_ms,
            random=self.random,
        )
        return given.code

    async def office(self, changes: Sequence[dict[str, Any]]) -> list[Verdict]:
        """Changes of the clerk, taken in by the same push as a device's."""
        said = [msgspec.convert(change, Change) for change in _raw(changes)]

        async def work(connection: AsyncConnection) -> list[Verdict]:
            township = await townships.lock(connection, TOWN)
            assert township is not None
            author = Author(self.clerk, TOWN, "clerk", None)
            upload = Upload(author, list(said), Reading(self.now_ms, self.now_ms))
            pushed = await push(connection, township, upload, self.services.registry, DEFAULTS)
            return pushed.verdicts

        return await transact(self.services.engine, work)

    async def replay(self, change: str, correction: dict[str, Any]) -> dict[str, Any]:
        """The office takes a quarantined change in again, through the address that it uses."""
        headers = {
            "content-type": "application/json",
            "accept-encoding": "identity",
            "authorization": f"Bearer {self._token}",
        }
        path, body = f"/v1/quarantine/{change}/replay", msgspec.json.encode(correction)
        response = await self.link.exchange("POST", path, headers, body)
        assert response.status == 200, response.body
        taken: dict[str, Any] = msgspec.json.decode(response.body)
        return {"taken": taken["taken"]}

    async def set_grids(self, device: str, grids: Sequence[str]) -> None:
        """Another scope for a device."""
        await devices.set_grids(self.services.engine, device, grids, now_ms=self.now_ms)

    async def revoke(self, device: str) -> None:
        """The township revokes a device."""
        await devices.revoke(self.services.engine, device, now_ms=self.now_ms)

    async def backup(self) -> Rows:
        """Every row of every table, as an operator's backup would hold it."""

        async def read(connection: AsyncConnection) -> Rows:
            found = {table.name: await connection.execute(select(table)) for table in metadata.sorted_tables}
            return {name: [dict(row._mapping) for row in rows] for name, rows in found.items()}

        return await snapshot(self.services.engine, read)

    async def restore(self, rows: Rows) -> None:
        """The database as it was at the backup."""

        async def write(connection: AsyncConnection) -> None:
            for table in reversed(metadata.sorted_tables):
                await connection.execute(delete(table))
            for table in metadata.sorted_tables:
                if rows[table.name]:
                    await connection.execute(insert(table), rows[table.name])

        await transact(self.services.engine, write)


def _raw(changes: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Parts that stay JSON in a change are handed over as JSON."""
    made = []
    for change in changes:
        given = {**change, "fields": msgspec.Raw(msgspec.json.encode(change.get("fields", {})))}
        given["ops"] = [_raw_op(op) for op in change.get("ops", [])]
        made.append(given)
    return made


def _raw_op(op: dict[str, Any]) -> dict[str, Any]:
    return {**op, "values": msgspec.Raw(msgspec.json.encode(op["values"]))} if "values" in op else op


@asynccontextmanager
async def a_world(url: str) -> AsyncIterator[World]:
    """A prepared world on a migrated, empty database."""
    with ExitStack() as stack:
        stack.enter_context(patch.object(townships, "first_count", lambda: FIRST_COUNT))
        world = World(url, stack)
        await world.prepare()
        async with world.link:
            yield world
