"""One township with the real application in this process: devices, an office, a clerk, all over HTTP.

Everything that leaves the process in earnest goes through `Village.link`, the blocking loopback. What a
test does to a link stands in links.py, what a hostile device sends in raw.py.
"""

from collections.abc import Coroutine, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Final, TypeVar

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from client_sdk import FieldClient, Record, Response, Transport
from client_sdk.loopback import LoopbackTransport
from server.applications import service as applications
from server.devices import service as devices
from server.directory.service import open_township
from server.kinds.registry import Registry
from server.kinds.service import install, install_shipped
from server.services import Services
from server.staff import service as staff
from server.staff.service import Candidate
from server.storage import directory, records, townships
from server.storage.directory import Place
from server.storage.engine import open_engine, snapshot, transact
from server.storage.tables import metadata
from server.sync.batch import Upload
from server.sync.judge import Author
from server.sync.push import push
from server.vault.keeping import keys_of
from server.vault.sealing import opened
from sync_protocol.changes import Change
from sync_protocol.clock import Reading
from sync_protocol.ids import uuid7
from sync_protocol.limits import DEFAULTS, Limits
from sync_protocol.messages import Verdict
from sync_protocol.state import RecordState
from tests.vaults import keys_in, vault
from tests.wiring import application

T = TypeVar("T")
TOWN: Final = "321283104"
OTHER_TOWN: Final = "321283105"
VILLAGES: Final = tuple(f"{TOWN}{code}" for code in (203, 204))
GRIDS: Final = tuple(f"{village}{n:03}" for village in VILLAGES for n in range(1, 26))
GRID, NEXT_GRID = GRIDS[:2]
START_MS: Final = 1_795_219_200_000
WELL: Final = Path(__file__).resolve().parents[2] / "docs" / "examples" / "well.toml"
EVERYTHING: Final = ("records:read", "records:write", "contact:read", "contact:write", "review")
PASSPHRASE: Final = "口令 with spaces"
Rows = dict[str, list[tuple[Any, ...]]]


class Clock:
    """A device's clock, which goes on by a second whenever somebody looks."""

    def __init__(self, at_ms: int = START_MS) -> None:
        self.at_ms = at_ms

    def __call__(self) -> int:
        self.at_ms += 1_000
        return self.at_ms


class Village:
    """The server, its township, and what a test does to them. `now_ms` is the server's clock."""

    def __init__(
        self, url: str, folder: Path, stack: ExitStack, limits: Limits = DEFAULTS, lease_days: int = 0
    ) -> None:
        self.url, self.folder, self._stack = url, folder, stack
        self.now_ms = START_MS
        self.random = Random(20261121).randbytes
        self.services = self._services(limits, lease_days)
        app = stack.enter_context(application(self.services))
        self.link = stack.enter_context(LoopbackTransport(app))
        self.clerk = self._token = ""
        self._ids = 0

    def _services(self, limits: Limits, lease_days: int = 0) -> Services:
        engine = open_engine(self.url, pool_size=4, vault=vault())
        registry = Registry(engine, self.clock)
        return Services(
            engine,
            registry,
            self.clock,
            self.random,
            limits,
            lease_days=lease_days,
            erasures=self.folder / "erasures.jsonl",
        )

    def clock(self) -> int:
        self.now_ms += 1_000
        return self.now_ms

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Something on the application's event loop."""
        return self.link.run(work)

    def prepare(self) -> None:
        """Two townships, a clerk, the shipped kinds and `well`, which has a field for each merge rule."""
        self.run(self._prepare())

    async def _prepare(self) -> None:
        engine, random = self.services.engine, self.random
        await install_shipped(engine, self.now_ms)
        await install(engine, WELL.read_text(encoding="utf-8"), "well.toml", self.now_ms)
        places = [Place(TOWN, "town", TOWN[:6], "元竹镇", 2023)]
        places += [Place(code, "village", TOWN, f"潘元村{code[-3:]}", 2023) for code in VILLAGES]
        places += [Place(OTHER_TOWN, "town", TOWN[:6], "邻镇", 2023)]
        places += [Place(f"{OTHER_TOWN}203", "village", OTHER_TOWN, "邻村", 2023)]
        await transact(engine, partial(directory.put_places, rows=places))
        for town in (TOWN, OTHER_TOWN):
            await open_township(engine, town, grids=25, now_ms=self.now_ms, random=random)
        clerk = await staff.add(engine, Candidate("陈静", "clerk", TOWN), now_ms=self.now_ms, random=random)
        self.clerk = clerk.staff_id
        await self.services.registry.refresh()

    def new_id(self) -> str:
        self._ids += 1
        return uuid7(START_MS + self._ids, Random(self._ids).randbytes(10))

    # Devices

    def code(self, worker: str, *grids: str) -> str:
        """A one-time code for a device; the worker is added when new."""
        return self.run(self._code(worker, grids or (GRID,)))

    async def _code(self, worker: str, grids: Sequence[str]) -> str:
        engine, town = self.services.engine, grids[0][:9]
        if worker not in {row.name for row in await staff.listed(engine, town)}:
            candidate = Candidate(worker, "grid_worker", town)
            await staff.add(engine, candidate, now_ms=self.now_ms, random=self.random)
        given = await devices.give_code(
            engine, worker, grids, lifetime_ms=600_000, now_ms=self.now_ms, random=self.random
        )
        return given.code

    def open(self, name: str, **more: Any) -> FieldClient:
        """A device's store in the test's folder, closed at the end."""
        given: dict[str, Any] = {
            "passphrase": PASSPHRASE,
            "transport": self.link,
            "clock": Clock(),
            "random": Random(name).randbytes,
            "sleep": lambda _: None,
        }
        client = FieldClient.open(self.folder / f"{name}.rbk", **{**given, **more})
        self._stack.callback(client.close)
        return client

    def device(self, name: str, *grids: str, **more: Any) -> FieldClient:
        """An enrolled device of the worker of that name."""
        transport: Transport | None = more.pop("transport", None)
        if transport is not None:
            more["transport"] = transport
        client = self.open(name, **more)
        client.enrol("http://loopback", code=self.code(name, *grids))
        return client

    def set_grids(self, device: FieldClient, *grids: str) -> None:
        self.run(devices.set_grids(self.services.engine, device.me().device, grids, now_ms=self.now_ms))

    def revoke(self, device: str) -> None:
        self.run(devices.revoke(self.services.engine, device, now_ms=self.now_ms))

    def disable(self, worker: str) -> None:
        work = staff.set_enabled(self.services.engine, worker, TOWN, enabled=False, now_ms=self.now_ms)
        self.run(work)

    def install(self, toml: str) -> None:
        self.run(install(self.services.engine, toml, "test.toml", self.now_ms))
        self.run(self.services.registry.refresh())

    # The office

    def token(self, *scopes: str, towns: Sequence[str] = (TOWN,), name: str = "热线") -> str:
        work = applications.add(
            self.services.engine,
            name,
            scopes or EVERYTHING,
            towns,
            now_ms=self.now_ms,
            random=self.random,
        )
        return self.run(work).token

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Response:
        """A request of an application with every scope; `body` as JSON, or as bytes."""
        self._token = self._token or self.token()
        raw = body if isinstance(body, bytes) else b"" if body is None else msgspec.json.encode(body)
        sent = {
            "authorization": f"Bearer {self._token}",
            "content-type": "application/json",
            "accept-encoding": "identity",
        }
        return self.link.exchange(method, path, {**sent, **(headers or {})}, raw)

    def office(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """The same, which must go well; the decoded answer."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        response = self.ask(method, path, body, named)
        assert response.status in {200, 201}, (response.status, response.body)
        return msgspec.json.decode(response.body)

    def quarantine(self) -> dict[str, dict[str, Any]]:
        """The open quarantine by id."""
        found: dict[str, dict[str, Any]] = {}
        after = ""
        while True:
            page = self.office("GET", f"/v1/quarantine?limit=500{after}")
            found |= {one["id"]: one for one in page["changes"]}
            if page["next"] is None:
                return found
            after = f"&after={page['next']}"

    def by_clerk(self, record: str, **parts: Any) -> Verdict:
        """A change of the clerk, on the record as it stands, by the push that devices use."""
        state = self.state(record)
        fields = msgspec.Raw(msgspec.json.encode(parts.pop("fields", {})))
        given = {"kind": state.kind, "version": 1, "base": state.version, "fields": fields}
        now = self.clock()
        change = Change(**{"id": self.new_id(), "record": record, "n": 1, "at": now, **given, **parts})

        async def work(connection: AsyncConnection) -> list[Verdict]:
            township = await townships.lock(connection, TOWN)
            assert township is not None
            upload = Upload(Author(self.clerk, TOWN, "clerk", None), [change], Reading(now, now))
            pushed = await push(connection, township, upload, self.services.registry, DEFAULTS)
            return pushed.verdicts

        (verdict,) = self.run(transact(self.services.engine, work))
        return verdict

    # What the server holds

    def state(self, record: str, town: str = TOWN) -> RecordState:
        work = partial(records.by_ids, township=town, ids=[record])
        return self.run(snapshot(self.services.engine, work))[record]

    def rows(self, *tables: str) -> Rows:
        """Every row of every table (or of some), comparable and in order."""

        async def read(connection: AsyncConnection) -> Rows:
            found: Rows = {}
            for table in metadata.sorted_tables:
                if not tables or table.name in tables:
                    rows = [tuple(map(_plain, row)) for row in await connection.execute(select(table))]
                    found[table.name] = sorted(rows, key=repr)
            return found

        return self.run(snapshot(self.services.engine, read))

    def changes(self) -> dict[str, dict[str, Any]]:
        """The table of changes by id, what they say opened."""
        table = metadata.tables["changes"]

        async def read(connection: AsyncConnection) -> dict[str, dict[str, Any]]:
            rows = [dict(row._mapping) for row in await connection.execute(select(table))]
            kept = await connection.execute(select(metadata.tables["township_keys"]))
            keys = keys_in(dict(row._mapping) for row in kept)
            for row in rows:
                plain = opened(bytes(row["payload"]), keys[row["township_id"]], row["record_id"])
                row["payload"] = plain
            return {str(row["change_id"]): row for row in rows}

        return self.run(snapshot(self.services.engine, read))

    def held(self, *grids: str) -> dict[str, tuple[Any, ...]]:
        """What devices of these grids must hold, read from the records themselves."""
        table = metadata.tables["records"]

        async def read(connection: AsyncConnection) -> dict[str, tuple[Any, ...]]:
            rows = await connection.execute(select(table).where(table.c.place.in_(grids)))
            keys = await keys_of(connection, TOWN)

            def body(row: Any) -> Any:
                return msgspec.json.decode(opened(bytes(row.body), keys, str(row.record_id)))

            return {
                str(row.record_id): (row.place, row.state, row.number, body(row))
                for row in rows
                if not row.deleted and not row.closed
            }

        return self.run(snapshot(self.services.engine, read))


def holds(device: FieldClient) -> dict[str, tuple[Any, ...]]:
    """What a device holds, read from its tables, by nothing that the digest uses."""
    with device._store.read() as tx:
        rows = tx.rows("SELECT id, place, state, number, body FROM records")
    return {row[0]: (row[1], row[2], row[3], _without_empty(msgspec.json.decode(row[4]))) for row in rows}


def everything_local(device: FieldClient) -> str:
    """Every cell of every table of the decrypted store, as one text."""
    with device._store.read() as tx:
        tables = [name for (name,) in tx.rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
        cells = [cell for name in tables for row in tx.rows(f"SELECT * FROM {name}") for cell in row]
    return "\n".join(
        cell.decode("utf-8", "replace") if isinstance(cell, bytes) else str(cell) for cell in cells
    )


def assert_converged(village: Village, device: FieldClient, *grids: str) -> None:
    """G4: the device holds exactly what the server holds of its grids."""
    expected = {
        record: (place, state, number, _without_empty(values))
        for record, (place, state, number, values) in village.held(*grids).items()
    }
    assert holds(device) == expected


def _without_empty(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, [], {})}


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value


@contextmanager
def a_village(url: str, folder: Path, limits: Limits = DEFAULTS, lease_days: int = 0) -> Iterator[Village]:
    """A prepared village on a migrated, empty database."""
    with ExitStack() as stack:
        village = Village(url, folder, stack, limits, lease_days)
        village.prepare()
        yield village


def reported(device: FieldClient, **fields: Any) -> Record:
    made = device.create("well", **{"title": "村东水井", **fields})
    return device.act(made, "report")


def settled(village: Village, *devices: FieldClient) -> None:
    """Everybody syncs until nobody has news; every queue is empty."""
    for _ in range(2):
        for device in devices:
            assert device.sync().complete
    for device in devices:
        assert [one for one in device.queue() if one.status != "quarantined"] == []
        assert_converged(village, device, *(grid.code for grid in device.grids()))
