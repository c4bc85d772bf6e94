"""A township over real processes: servers on a pair of PostgreSQL nodes, devices, an office."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, cast
from uuid import UUID

from client_sdk import AsyncFieldClient, AsyncTransport
from client_sdk.field_async import _Opening
from tests.chaos import journal, opening
from tests.chaos.device import AnyServer, FieldWorker, cheap_keys, short, synced
from tests.chaos.nodes import DATABASE, Pair
from tests.chaos.processes import CHECKOUT, Server, Started
from tests.simulation import checker
from tests.simulation.ledger import ledger
from tests.simulation.office import Office
from tests.simulation.rounds import USUAL, Values
from tests.simulation.template import PASSPHRASE
from tests.simulation.witness import Witness
from tests.vaults import TEXT

if TYPE_CHECKING:
    from tests.simulation.world import World

READY_S: Final = 60.0
AGAIN_S: Final = 0.5
ROUNDS: Final = 30
VALUES_OF_A_DEVICE: Final = 10_000_000
VALUES_OF_A_PROCESS: Final = 10_000
LOCK_TIMEOUT: Final = "1s"
"""The operator's choice for this role; the product's own is ten seconds, which a trial has no time for."""


@dataclass(frozen=True)
class Enrolled:
    """As whom a device is enrolled."""

    id: str


@dataclass
class Device:
    """A device, as the checker wants it: its process, its store, what it told."""

    name: str
    store: Path
    journal: Path
    number: int
    enrolled: Enrolled
    process: Started
    client: AsyncFieldClient | None = None
    saved: list[str] = field(default_factory=list)
    uncertain: set[str] = field(default_factory=set)
    revoked: bool = False


@dataclass
class Town:
    """Everything of one run."""

    folder: Path
    pair: Pair
    random: Random
    servers: list[Server] = field(default_factory=list)
    devices: list[Device] = field(default_factory=list)
    links: list[AsyncTransport] = field(default_factory=list)
    values: Values = field(default_factory=Values)
    witness: Witness = field(default_factory=Witness)
    decided: dict[str, frozenset[Any]] = field(default_factory=dict)
    restored: bool = False
    wrong: list[str] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    longest_s: float = 0.0
    changes: int = 0
    conflicts: int = 0
    working: int = 0
    grids: tuple[str, ...] = ()
    token: str = ""

    @property
    def at_work(self) -> list[Device]:
        """The devices that have processes of their own; the machine could not bear more."""
        return self.devices[: self.working]

    # --- before ---------------------------------------------------------------------------------------------

    async def prepare(self, devices_count: int, servers_count: int = 2) -> None:
        """A database with its standby, a township, servers, enrolled devices."""
        cheap_keys()
        self.working = devices_count
        await self.pair.primary.ask(f"CREATE DATABASE {DATABASE}")
        await asyncio.to_thread(self.command, "migrate")
        await self.pair.primary.ask(
            f"ALTER ROLE CURRENT_USER IN DATABASE {DATABASE} SET lock_timeout = '{LOCK_TIMEOUT}'"
        )
        await self.pair.follow()
        township = await opening.opened(self.pair.url, self.random.randbytes)
        self.grids, self.token = township.grids, township.token
        for n in range(servers_count):
            self.add_server(f"server{n}")
        await self.ready()
        for n in range(devices_count):
            # Neighbours share grids, so that most records have several editors.
            await self.enrol((self.grids[0], self.grids[n % 4]))

    def command(self, *words: str, folder: Path = CHECKOUT) -> str:
        """A command of `roundbook`; what it says."""
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                "from server.starting import main; main()",
                *words,
                "--database",
                self.pair.url,
            ],
            cwd=folder,
            env={"PYTHONPATH": str(folder), "PATH": os.environ["PATH"], "ROUNDBOOK_MASTER_KEY": TEXT},
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def add_server(self, name: str, *, folder: Path = CHECKOUT, **settings: int) -> Server:
        server = Server(name, self.pair.url, self.folder, folder=folder, **settings)
        self.servers.append(server)
        server.start()
        return server

    async def ready(self) -> None:
        """Waits until every server answers and reaches its database."""
        deadline = time.monotonic() + READY_S
        for server in self.servers:
            while not await asyncio.to_thread(server.ready):
                if not server.runs:
                    server.start()
                if time.monotonic() > deadline:
                    self.wrong.append(f"unexpected: {server.name} is not ready after {READY_S:.0f} s")
                    return
                await asyncio.sleep(0.1)

    async def enrol(self, grids: Sequence[str]) -> Device:
        """A device of a new worker for these grids."""
        number, places = len(self.devices), tuple(dict.fromkeys(grids))
        code = await opening.code(self.pair.url, f"网格员{number}", places, self.random.randbytes)
        name = f"device{number}"
        path = self.folder / name / "worker.rbk"
        path.parent.mkdir()
        async with self.store_of(path) as client:
            await client.enrol(self.servers[0].url, code=code)
            enrolled = Enrolled((await client.me()).device)
        process = Started(name, [], path.with_name("log"))
        device = Device(name, path, path.with_name("journal"), number, enrolled, process)
        self.devices.append(device)
        return device

    def store_of(self, path: Path, link: AsyncTransport | None = None) -> _Opening:
        """Opens a store in this process, by default with a way to every server."""
        link = link or self.link()
        return AsyncFieldClient.open(path, passphrase=PASSPHRASE, transport=link, sleep=short)

    def link(self) -> AnyServer:
        """A way to every server that there is now; closed in the end."""
        link = AnyServer([server.url for server in self.servers], self.random, self.wrong)
        self.links.append(link)
        return link

    def worker(self, device: Device) -> FieldWorker:
        """The worker of a device whose store is open in this process."""
        assert device.client is not None
        told = journal.Journal(device.journal)
        return FieldWorker(
            device.client.blocking, self.random, self.fresh(device), told.witness(), USUAL, told.came_back
        )

    def fresh(self, device: Device) -> Values:
        """Values that no earlier process of the device has written."""
        values = Values()
        values.given = (device.number + 1) * VALUES_OF_A_DEVICE + device.process.starts * VALUES_OF_A_PROCESS
        device.process.starts += 1
        return values

    def office(self) -> Office:
        """The office of the simulation, over sockets. It asks its world for nothing else than there is here."""
        world = SimpleNamespace(
            values=self.values, witness=self.witness, decided=self.decided,
            template=SimpleNamespace(grids=self.grids), now=opening.now_ms,
            habits=USUAL,
        )  # fmt: skip
        return Office(cast("World", world), self.token, cast("Any", self.link()), self.random)

    # --- during ---------------------------------------------------------------------------------------------

    def switch_on(self, device: Device) -> None:
        """Starts the process of a device."""
        process = device.process
        told = {
            "store": str(device.store), "journal": str(device.journal), "seed": self.random.getrandbits(48),
            "first": self.fresh(device).given,
            "urls": [server.url for server in self.servers],
        }  # fmt: skip
        process.command = [sys.executable, "-m", "tests.chaos.device", json.dumps(told)]
        process.start()

    async def supervise_servers(self) -> None:
        """Starts servers again that have ended."""
        while True:
            now = time.monotonic()
            for server in self.servers:
                if not server.runs and server.again_at < now:
                    server.start()
                    server.again_at = now + AGAIN_S
            await asyncio.sleep(0.1)

    async def supervise_devices(self) -> None:
        """Starts devices again that were killed."""
        while True:
            now = time.monotonic()
            for device in self.at_work:
                if not device.process.runs and device.process.again_at < now:
                    if device.process.process is not None:  # by itself, not by kill -9
                        self.wrong.append(f"unexpected: {device.name} ended by itself; see its log")
                    self.switch_on(device)
            await asyncio.sleep(0.1)

    # --- after ----------------------------------------------------------------------------------------------

    async def settle(self) -> None:
        """Everything runs, and everybody syncs until nothing happens any more."""
        for device in self.devices:
            device.process.ask_to_end()
        for device in self.devices:
            if not await asyncio.to_thread(device.process.ended):
                self.wrong.append(f"unexpected: {device.name} did not end well; see {device.process.log}")
        await self.ready()
        await self.let_go()
        for device in self.devices:
            device.client = await self.store_of(device.store)
        for _ in range(2):  # what the first round brought up goes down with the second
            for device in self.devices:
                await self.until_complete(device)

    async def until_complete(self, device: Device) -> None:
        """Syncs a device whose store is open in this process."""
        assert device.client is not None
        for _ in range(ROUNDS):
            if await synced(device.client, journal.Journal(device.journal)):
                return
            await asyncio.sleep(0.3)
        self.wrong.append(f"G6: {device.name} comes to no end")

    async def let_go(self) -> None:
        """Closes the stores, so that other processes can open them."""
        for device in self.devices:
            if device.client is not None:
                await device.client.close()
                device.client = None

    async def check(self) -> list[str]:
        """Everything that is wrong so far, by the checker of the simulation."""
        self.ends = Counter()
        for device in self.devices:
            told = journal.read(device.journal, self.witness)
            device.saved = told.saved
            self.wrong += [f"{one} ({device.name})" for one in told.wrong]
            self.ends += told.ends
            self.longest_s = max(self.longest_s, told.longest_s)
        for server in self.servers:
            self.wrong += server.incidents()
        held = await asyncio.to_thread(ledger, self._rows)
        self.changes, self.conflicts = len(held.changes), len(held.conflicts)
        try:
            self.wrong.extend(checker.broken(self, held))
        except AssertionError as error:
            self.wrong.append(f"history: a record cannot be rebuilt: {error}")
        if not self.restored and await opening.lost_spans(self.pair.url):
            self.wrong.append(
                "G1: a server took its database for one that was put back, and nobody had done that"
            )
        self.wrong = list(dict.fromkeys(self.wrong))
        return self.wrong

    def _rows(self, statement: str) -> Iterator[dict[str, Any]]:
        for row in asyncio.run(self.pair.primary.ask(statement, database=DATABASE)):
            yield {name: str(value) if isinstance(value, UUID) else value for name, value in row.items()}

    async def close(self) -> None:
        """Ends every process that was started."""
        for device in self.devices:
            device.process.kill()
        for server in self.servers:
            server.kill()
        await self.let_go()
        for link in self.links:
            await link.close()
