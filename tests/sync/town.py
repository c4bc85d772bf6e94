"""A real township in a real database, and devices that are dicts, for tests of push and pull.

Everything goes through `server.sync.service.sync`, as a request does after its signature was checked. One
database holds many townships, so an example of Hypothesis opens a new one instead of a new database.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Table, delete, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.kinds.registry import Registry
from server.kinds.service import install
from server.services import Services
from server.storage import changes, records, tables
from server.storage.changes import Stored
from server.storage.engine import open_engine, snapshot, transact
from server.storage.townships import Township, lock, read
from server.sync.batch import Upload
from server.sync.judge import Author
from server.sync.push import push
from server.vault.keeping import vault_of
from sync_protocol.changes import EMPTY, Act, Change, Op
from sync_protocol.clock import Reading
from sync_protocol.codec import Unreadable
from sync_protocol.history import Effect
from sync_protocol.limits import Limits
from sync_protocol.messages import Verdict
from sync_protocol.outcome import Sides
from sync_protocol.state import RecordState
from tests.protocol.kinds_for_tests import NOTE_TOML, SHEET_TOML
from tests.vaults import vault

T = TypeVar("T")
START_MS = 1_795_219_200_000
LIMITS = Limits(page_bytes_min=1)
"""Pages as small as a test asks for."""


def id_of(number: int) -> str:
    return f"01900000-0000-7000-8000-{number:012}"


class Differing(msgspec.Struct, frozen=True):
    """A conflict row."""

    id: str
    record: str
    path: str
    rule: str
    status: str
    sides: Sides
    decision: str | None

    @property
    def values(self) -> list[Any]:
        return [side.value for side in self.sides.values]


def _differing(row: Any) -> Differing:
    sides = msgspec.json.decode(bytes(row.sides), type=Sides)
    decision = None if row.decision is None else str(row.decision)
    return Differing(
        str(row.conflict_id), str(row.record_id), row.path, row.rule, row.status, sides, decision
    )


class Server:
    """The services of one process over one database, a clock, and the townships opened in it."""

    def __init__(self, url: str, *, pool_size: int = 4) -> None:
        self.now = START_MS
        self.engine = open_engine(url, pool_size=pool_size, vault=vault())
        self.towns = 0
        self.start()

    def start(self) -> None:
        """What a process holds in memory, fresh."""
        registry = Registry(self.engine, lambda: self.now)
        self.services = Services(self.engine, registry, lambda: self.now, bytes, LIMITS)

    async def prepare(self) -> None:
        for toml in (SHEET_TOML, NOTE_TOML):
            await install(self.engine, toml, "kind.toml", self.now)
        await self.services.registry.refresh()

    async def open(self) -> "Town":
        """Another township, with two villages of two grids, a grid worker and a clerk."""
        self.towns += 1
        town = Town(self, f"{321283000 + self.towns:09}")
        await town.open()
        return town


@asynccontextmanager
async def served(url: str, *, pool_size: int = 4) -> AsyncIterator[Server]:
    server = Server(url, pool_size=pool_size)
    try:
        await server.prepare()
        yield server
    finally:
        await server.engine.dispose()


@asynccontextmanager
async def a_town(url: str) -> AsyncIterator["Town"]:
    async with served(url) as server:
        yield await server.open()


@contextmanager
def server_outside_the_loop(url: str) -> Iterator[tuple[Server, Callable[[Awaitable[Any]], Any]]]:
    """A server for tests that Hypothesis drives: they are not coroutines, and run each step in one loop."""
    with asyncio.Runner() as runner:

        def run(work: Awaitable[T]) -> T:
            async def awaited() -> T:
                return await work

            return runner.run(awaited())

        server = Server(url)
        try:
            run(server.prepare())
            yield server, run
        finally:
            run(server.engine.dispose())


class Town:
    """One township. Numbers, rows and verdicts are looked at in the database itself."""

    def __init__(self, server: Server, code: str) -> None:
        self.server, self.code = server, code
        self.grids = tuple(f"{code}{village}{grid:03}" for village in ("201", "202") for grid in (1, 2))
        self.worker, self.clerk = id_of(901), id_of(902)
        self.made = 0

    async def open(self) -> None:
        town = {
            "township_id": self.code,
            "name": "元竹镇",
            "identity": id_of(900),
            "counter": 1 << 40,
            "horizon": 0,
            "cursor_key": b"k" * 32,
            "lost_spans": [],
            "opened_ms": START_MS,
        }
        people = [
            {"staff_id": self.worker, "name": "王芳", "role": "grid_worker", "added_ms": START_MS},
            {"staff_id": self.clerk, "name": "陈静", "role": "clerk", "added_ms": START_MS},
        ]
        grids = [
            {"grid": grid, "village": grid[:12], "name": f"网格{grid[-3:]}", "village_name": "潘元村"}
            for grid in self.grids
        ]

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(insert(tables.townships).values(town))
            await vault_of(connection).begin(connection, self.code, START_MS)
            for table, rows in ((tables.staff, people), (tables.grids, grids)):
                await connection.execute(insert(table), [{"township_id": self.code, **row} for row in rows])

        await self.write(work)

    async def write(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        return await transact(self.server.engine, work)

    async def read(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        return await snapshot(self.server.engine, work)

    def fresh_id(self) -> str:
        self.made += 1
        return id_of(int(self.code) * 100_000 % 10**11 + self.made)

    async def add_device(self, device: str, grids: tuple[str, ...]) -> None:
        row = {
            "township_id": self.code,
            "device_id": device,
            "staff_id": self.worker,
            "public_key": b"p" * 32,
            "grids": list(grids),
            "enrolled_ms": self.server.now,
            "serial": 0,
            "epochs": [],
            "queued": 0,
            "client": "",
        }

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(insert(tables.devices).values(row))

        await self.write(work)

    async def set_device(self, device: str, **values: Any) -> None:
        of = (tables.devices.c.township_id == self.code) & (tables.devices.c.device_id == device)

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(update(tables.devices).where(of).values(values))

        await self.write(work)

    def change(
        self,
        record: str,
        *ops: Op,
        do: str = "edit",
        kind: str = "sheet",
        fields: dict[str, Any] | None = None,
        **said: Any,
    ) -> Change:
        """A change as the office makes it, unless it is told otherwise; its base is given by the caller."""
        values: dict[str, Any] = {
            "id": self.fresh_id(),
            "record": record,
            "kind": kind,
            "version": 1,
            "n": 1,
            "at": self.server.now,
            "do": do,
            "fields": msgspec.Raw(msgspec.json.encode(fields)) if fields is not None else EMPTY,
            "ops": ops,
        } | said
        return Change(**values)

    async def office(self, *changes: Change | Unreadable, role: str = "clerk") -> list[Verdict]:
        """Changes of the clerk, taken in by the push that takes in a device's."""

        async def work(connection: AsyncConnection) -> list[Verdict]:
            township = await lock(connection, self.code)
            assert township is not None
            author = Author(self.clerk, self.code, role, None)
            reading = Reading(self.server.now, self.server.now)
            upload = Upload(author, list(changes), reading)
            registry = self.server.services.registry
            return (await push(connection, township, upload, registry, LIMITS)).verdicts

        return await self.write(work)

    async def edit(self, record: str, *ops: Op, fields: dict[str, Any] | None = None, **said: Any) -> Verdict:
        """An edit of the office that has seen everything."""
        state = await self.record(record)
        base = said.pop("base", state.version)
        [verdict] = await self.office(
            self.change(record, *ops, fields=fields, base=base, kind=state.kind, **said)
        )
        return verdict

    async def step(self, record: str, name: str, to: str) -> Verdict:
        state = await self.record(record)
        return await self.edit(record, act=Act(name, state.state or "", to))

    async def move(self, record: str, grid: str) -> Verdict:
        return await self.edit(record, place=grid)

    # --- what is in the database --------------------------------------------------------------------------

    async def township(self) -> Township:
        async def work(connection: AsyncConnection) -> Township | None:
            return await read(connection, self.code)

        found = await self.read(work)
        assert found is not None
        return found

    async def record(self, record: str) -> RecordState:
        async def work(connection: AsyncConnection) -> dict[str, RecordState]:
            return await records.by_ids(connection, self.code, [record])

        return (await self.read(work))[record]

    async def rows(self, table: Table) -> list[Any]:
        """All rows of a table that belong to this township."""

        async def work(connection: AsyncConnection) -> list[Any]:
            found = select(table).where(table.c.township_id == self.code)
            return list(await connection.execute(found))

        return await self.read(work)

    async def changes(self) -> list[Stored]:
        rest, named = "WHERE c.township_id = :t ORDER BY c.n", {"t": self.code}
        return await self.read(lambda connection: changes.selected(connection, rest, named))

    async def conflicts(self, status: str | None = None) -> list[Differing]:
        rows = sorted(await self.rows(tables.conflicts), key=lambda row: row.n)
        return [_differing(row) for row in rows if status in {None, row.status}]

    async def held(self, grids: tuple[str, ...]) -> dict[str, tuple[Any, ...]]:
        """What devices of these grids have to hold, read by a statement of its own."""
        statement = text("SELECT * FROM records WHERE township_id = :t")

        async def work(connection: AsyncConnection) -> list[Any]:
            return list(await connection.execute(statement, {"t": self.code}))

        return {
            str(row.record_id): (
                row.kind,
                row.place,
                row.version,
                row.state,
                row.number,
                msgspec.json.decode(bytes(row.body)),
            )
            for row in await self.read(work)
            if row.place in grids and not row.deleted and not row.closed
        }


def effects_of(row: Any) -> list[Effect]:
    return msgspec.json.decode(bytes(row.effects), type=list[Effect])


Rows = dict[str, list[dict[str, Any]]]


async def backup(server: Server) -> Rows:
    """Every row of every table, as an operator's copy of the database holds it."""

    async def work(connection: AsyncConnection) -> Rows:
        found = {
            table.name: await connection.execute(select(table)) for table in tables.metadata.sorted_tables
        }
        return {name: [dict(row._mapping) for row in rows] for name, rows in found.items()}

    return await snapshot(server.engine, work)


async def restore(server: Server, rows: Rows) -> None:
    """The database as it was, in a server process that has just been started."""

    async def work(connection: AsyncConnection) -> None:
        for table in reversed(tables.metadata.sorted_tables):
            await connection.execute(delete(table))
        for table in tables.metadata.sorted_tables:
            if rows[table.name]:
                await connection.execute(insert(table), rows[table.name])

    await transact(server.engine, work)
    server.start()
    await server.services.registry.refresh()
