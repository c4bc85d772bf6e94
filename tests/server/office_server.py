"""A server with one open township, applications and devices, driven in process through HTTP."""

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, cast

import httpx2
import msgspec
from litestar import Litestar
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from server.applications import service as applications
from server.directory.service import open_township
from server.kinds.registry import Registry
from server.kinds.service import install, install_shipped
from server.services import Services
from server.storage import directory, records, tables, townships
from server.storage.directory import Place
from server.storage.engine import open_engine, snapshot, transact
from server.storage.staff import StaffRow
from server.storage.stream import receipts_of
from server.sync.batch import Upload
from server.sync.judge import Author
from server.sync.push import push
from sync_protocol.changes import Change
from sync_protocol.clock import Reading
from sync_protocol.codec import read_change
from sync_protocol.ids import uuid7
from sync_protocol.limits import DEFAULTS
from sync_protocol.messages import Receipt, Verdict
from sync_protocol.state import RecordState
from tests.vaults import vault
from tests.wiring import application

TOWN, OTHER_TOWN = "321283104", "321283105"
COUNTY = "321283"
VILLAGE = f"{TOWN}203"
GRID, NEXT_GRID = f"{VILLAGE}001", f"{VILLAGE}002"
START_MS = 1_750_000_000_000
EVERYTHING = ("records:read", "records:write", "contact:read", "contact:write", "review")


class Device:
    """A device without its store: it numbers changes and pushes them."""

    def __init__(self, server: "OfficeServer", device: str, epoch: str) -> None:
        self.server = server
        self.id = device
        self.epoch = epoch
        self.n = 0
        self.grids = frozenset({GRID, NEXT_GRID})

    def change(self, record: str, **parts: Any) -> Change:
        """A change; `fields` as a dict."""
        self.n += 1
        raw = msgspec.Raw(msgspec.json.encode(parts.pop("fields", {})))
        given = {"id": self.server.new_id(), "kind": "matter", "version": 1, "n": self.n, "fields": raw}
        return Change(**{**given, "record": record, "at": self.server.now_ms, "mark": 0, **parts})

    def create(self, **parts: Any) -> Change:
        """A new matter in the grid."""
        return self.change(self.server.new_id(), do="create", **{"place": GRID, **parts})

    async def push(self, *changes: Change) -> list[Verdict]:
        """Sends changes; advances the server's clock by a second."""
        return await self.server.push(self, changes)


class OfficeServer:
    """The server under test. `now_ms` is its clock."""

    app: Litestar
    """What `office_server` gives it."""

    def __init__(self, url: str) -> None:
        self.now_ms = START_MS
        self.random = random.Random(7).randbytes
        engine = open_engine(url, pool_size=4, vault=vault())
        registry = Registry(engine, lambda: self.now_ms)
        self.services = Services(engine, registry, lambda: self.now_ms, self.random, DEFAULTS)

    def new_id(self) -> str:
        return uuid7(self.now_ms, self.random(10))

    async def prepare(self) -> None:
        """Kinds, two townships with a village each, three grids a village."""
        engine = self.services.engine
        await install_shipped(engine, self.now_ms)
        places = [Place(COUNTY, "county", COUNTY[:4], "泰兴市", 2023)]
        for town in (TOWN, OTHER_TOWN):
            places.append(Place(town, "town", town[:6], f"{town}镇", 2023))
            places.append(Place(f"{town}203", "village", town, "潘元村委会", 2023))
        await transact(engine, partial(directory.put_places, rows=places))
        for town in (TOWN, OTHER_TOWN):
            await open_township(engine, town, grids=3, now_ms=self.now_ms, random=self.random)
        await self.services.registry.refresh()

    async def install(self, toml: str) -> None:
        await install(self.services.engine, toml, "test.toml", self.now_ms)

    async def token(self, *scopes: str, name: str = "热线", townships: Sequence[str] = (TOWN,)) -> str:
        added = await applications.add(
            self.services.engine,
            name,
            scopes or EVERYTHING,
            townships,
            now_ms=self.now_ms,
            random=self.random,
        )
        return added.token

    async def client(self, *scopes: str, **options: Any) -> httpx2.AsyncClient:
        """A client with a token of its own; all scopes when none is named."""
        return self.client_with(await self.token(*scopes, **options))

    def client_with(self, token: str) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=cast("Any", self.app)),
            base_url="http://office.test",
            headers={"authorization": f"Bearer {token}"},
        )

    async def device(self, worker: str) -> Device:
        """An enrolled device of a new worker."""
        staff, device, epoch = self.new_id(), self.new_id(), self.new_id()

        async def add(connection: AsyncConnection) -> None:
            await connection.execute(
                insert(tables.staff).values(
                    township_id=TOWN,
                    staff_id=staff,
                    name=worker,
                    role="grid_worker",
                    added_ms=self.now_ms,
                )
            )
            await connection.execute(
                insert(tables.devices).values(
                    township_id=TOWN,
                    device_id=device,
                    staff_id=staff,
                    public_key=b"\0" * 32,
                    grids=[GRID, NEXT_GRID],
                    enrolled_ms=self.now_ms,
                    serial=0,
                    epochs=[],
                    queued=0,
                    client="test",
                )
            )

        await transact(self.services.engine, add)
        return Device(self, device, epoch)

    async def device_of(self, worker: StaffRow, *grids: str) -> None:
        """An enrolled device of a worker who is there already."""

        async def add(connection: AsyncConnection) -> None:
            await connection.execute(
                insert(tables.devices).values(
                    township_id=worker.township,
                    device_id=self.new_id(),
                    staff_id=worker.staff_id,
                    public_key=b"\0" * 32,
                    grids=list(grids),
                    enrolled_ms=self.now_ms,
                    serial=0,
                    epochs=[],
                    queued=0,
                    client="test",
                )
            )

        await transact(self.services.engine, add)

    async def push(self, device: Device, changes: Sequence[Change]) -> list[Verdict]:
        self.now_ms += 1_000
        pushed_before = device.n - len(changes)

        async def work(connection: AsyncConnection) -> list[Verdict]:
            township = await townships.lock(connection, TOWN)
            assert township is not None
            upload = Upload(
                Author(device.id, TOWN, "grid_worker", device.grids),
                [read_change(msgspec.json.encode(change)) for change in changes],
                Reading(self.now_ms, self.now_ms),
                device.epoch,
                {device.epoch: pushed_before},
            )
            pushed = await push(connection, township, upload, self.services.registry, DEFAULTS)
            return pushed.verdicts

        return await transact(self.services.engine, work)

    async def state(self, record: str, township: str = TOWN) -> RecordState:
        found = await snapshot(self.services.engine, partial(records.by_ids, township=township, ids=[record]))
        return found[record]

    async def receipts(self, device: Device) -> list[Receipt]:
        work = partial(receipts_of, township=TOWN, device=device.id, above=0, most=100)
        return await snapshot(self.services.engine, work)


@asynccontextmanager
async def office_server(url: str) -> AsyncIterator[OfficeServer]:
    """A prepared server, closed at the end."""
    server = OfficeServer(url)
    with application(server.services) as server.app:
        try:
            await server.prepare()
            yield server
        finally:
            await server.services.engine.dispose()
