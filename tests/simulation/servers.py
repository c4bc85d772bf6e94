"""Server processes over one database: started, killed, restored, upgraded. Their code is the real application.

An application takes long to wire, so each worker of the simulation wires a few, and a process that starts
takes one over with services of its own: an engine, memories, a registry, all fresh.
"""

import asyncio
import sqlite3
from collections.abc import Callable, MutableMapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final, cast

from sqlalchemy.ext.asyncio import AsyncEngine

from client_sdk.transport import LinkBroken, Response
from server.audit.acts import OPERATOR
from server.failures import counted
from server.kinds.registry import Registry
from server.privacy.applying import apply_erasures
from server.privacy.replaced import erased_in
from server.restoring import given_in, note_restore
from server.services import Services
from server.settings import Settings
from server.storage.engine import VAULT, open_engine
from sync_protocol.limits import Limits
from tests.simulation import disk
from tests.simulation.disk import CrashError, Process
from tests.simulation.ledger import read
from tests.simulation.told import Told
from tests.simulation.upgrades import kind_grows, of_a_later_version, plain
from tests.vaults import vault
from tests.wiring import Wired

PAGES: Final = (300, 1_500, 20_000)
"""Bytes of a page: for a record or two, so that a reading takes several and meets what happens between; or for all."""
_DATABASE: Final = "town.sqlite"
_SYNC: Final = "/v1/sync"
_OK, _INTERNAL = 200, 500
_GENEROUS: Final = Settings(failures_per_address=10**9, failures_total=10**9)
"""All devices have one address."""


class Slot:
    """A place for one process after another, with one engine: what a process keeps of statements, the next may use.

    A file name of its own for the one database tells whose connections are opened.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder / name
        self._path = self._folder / _DATABASE
        self._engine = open_engine(f"sqlite+aiosqlite:///{self._path}", pool_size=4, vault=vault())

    def engine(self, process: Process, folder: Path) -> AsyncEngine:
        """The engine over the database in `folder`, without any connection; it dies with `process`."""
        self._engine.sync_engine.dispose(close=False)
        self._engine.sync_engine.update_execution_options(**{VAULT: vault()})
        self._folder.unlink(missing_ok=True)
        self._folder.symlink_to(folder)
        disk.belongs_to(self._path, process)
        return self._engine


class Room(Wired):
    """An application and its place, for one process after another."""

    def __init__(self, folder: Path, name: str) -> None:
        self.slot = Slot(folder, name)
        super().__init__(_GENEROUS)


class ServerProcess:
    """One server process. It lives until `process.dead`."""

    def __init__(
        self, room: Room, folder: Path, name: str, clock: Callable[[], int], random: Random, page_bytes: int
    ) -> None:
        self.process = Process(name)
        engine = room.slot.engine(self.process, folder)
        registry = Registry(engine, clock)
        limits = Limits(page_bytes_min=1, page_bytes_default=page_bytes, page_bytes_max=page_bytes)
        self.services = Services(
            engine, registry, clock, random.randbytes, limits, counted=counted(_GENEROUS)
        )
        self.room, self._tasks = room, set[asyncio.Task[Response]]()
        self.later = False
        """It is of a release that has not been written yet."""
        room.use(self.services)
        self.process.on_death.append(self._stop)

    async def serve(
        self, method: str, path: str, headers: dict[str, str], body: bytes, hang_up: int | None
    ) -> Response:
        """Answers one request; raises CrashError when the process dies over it."""
        self.process.alive()
        task = asyncio.create_task(self._answer(method, path, headers, body, hang_up))
        self._tasks.add(task)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if self.process.dead:
                raise CrashError(self.process.name) from None
            raise
        finally:
            self._tasks.discard(task)

    async def _answer(
        self, method: str, path: str, headers: dict[str, str], body: bytes, hang_up: int | None
    ) -> Response:
        name, _, query = path.partition("?")
        scope: MutableMapping[str, Any] = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1",
            "method": method, "scheme": "http", "path": name, "raw_path": name.encode(), "root_path": "",
            "query_string": query.encode(), "server": ("127.0.0.1", 80), "client": ("127.0.0.1", 1), "state": {},
            "headers": [(key.lower().encode(), value.encode()) for key, value in headers.items()]
            + [(b"content-length", str(len(body)).encode())],
        }  # fmt: skip
        incoming = [{"type": "http.request", "body": body[:hang_up], "more_body": hang_up is not None}]
        status, answered, chunks = 0, dict[str, str](), list[bytes]()

        async def receive() -> Any:
            return incoming.pop(0) if incoming else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            nonlocal status, answered
            if message["type"] == "http.response.start":
                status = message["status"]
                answered = {key.decode().lower(): value.decode() for key, value in message.get("headers", [])}
            elif message["type"] == "http.response.body":
                chunks.append(message.get("body", b""))

        await self.room.app(cast("Any", scope), receive, send)
        self.process.alive()
        response = Response(status, answered, b"".join(chunks))
        if self.later and path == _SYNC and status == _OK:
            return of_a_later_version(response, plain(headers, body).encode())
        return response

    def _stop(self) -> None:
        """What was under way in a process that died is not carried on."""
        current = asyncio.current_task()
        for task in self._tasks:
            if task is not current:
                task.cancel()


class Servers:
    """The servers of one township, behind one address."""

    def __init__(
        self, rooms: list[Room], folder: Path, count: int, clock: Callable[[], int], random: Random
    ) -> None:
        self.folder, self.clock, self.random = folder, clock, random
        self.path = folder / _DATABASE
        self._rooms, self.count = rooms, count
        self._started = 0
        self.page_bytes = random.choice(PAGES)
        self.running: list[ServerProcess] = []
        self.pauses = 0.0
        """How often a statement has to wait."""
        self.full = self.later = False
        """Whether the disk has no space left; whether processes that start are of a later release."""
        self.kind_grew = False
        self.fell = asyncio.Event()
        """Set when a process has died."""
        self.on_wire: Callable[[str], None] | None = None
        """Hears every exchange in plain, for whoever looks for a mistake."""
        self.told = Told()
        self.wrong: list[str] = []
        """Answers that nobody promised."""
        self._reader: tuple[int, sqlite3.Connection] | None = None

    async def start(self) -> None:
        """Starts as many processes as there should be."""
        self.running = [one for one in self.running if not one.process.dead]
        free = [room for room in self._rooms if room not in [one.room for one in self.running]]
        while len(self.running) < self.count:
            self._started += 1
            name = f"server{self._started}"
            one = ServerProcess(free.pop(), self.folder, name, self.clock, self.random, self.page_bytes)
            one.process.pause, one.process.full, one.later = self._pause, lambda: self.full, self.later
            one.process.on_death.append(lambda one=one: self._died(one))  # type: ignore[misc]  # a lambda with a default
            self.running.append(one)
            await one.services.registry.refresh()

    def _pause(self) -> float:
        return self.random.uniform(0, 0.05) if self.random.random() < self.pauses else 0.0

    def _died(self, one: ServerProcess) -> None:
        self.fell.set()
        if one.process.torn:
            self.power_cut()

    async def serve(
        self, method: str, path: str, headers: dict[str, str], body: bytes, hang_up: int | None
    ) -> Response:
        """Answers a request by one of the processes that run."""
        alive = [one for one in self.running if not one.process.dead]
        if not alive:
            raise LinkBroken("no_connection")
        response = await self.random.choice(alive).serve(method, path, headers, body, hang_up)
        if self.on_wire is not None:
            asked = plain(headers, body)
            told = plain(response.headers, response.body, asked.encode())
            self.on_wire(f"{method} {path} {asked}\n    {response.status} {told}")
        if path == _SYNC and response.status == _OK and hang_up is None:
            asked = plain(headers, body)
            self.wrong += self.told.hear(plain(response.headers, response.body, asked.encode()))
        if response.status == _INTERNAL and hang_up is None:
            self.wrong.append(f"unexpected: 500 on {method} {path}")
        return response

    @property
    def head(self) -> int:
        """The number of the last change that is stored."""
        found: int = self.rows("SELECT coalesce(max(n), 0) FROM changes")[0][0]
        return found

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """What is committed, as whoever looks on reads it: over one connection for each file that was put there.

        A new connection reads the whole schema first, which took a tenth of a simulation.
        """
        inode = self.path.stat().st_ino
        if self._reader is None or self._reader[0] != inode:
            self._forget_reader()
            self._reader = inode, sqlite3.connect(self.path)
        return self._reader[1].execute(sql, parameters).fetchall()

    def _forget_reader(self) -> None:
        if self._reader is not None:
            self._reader[1].close()
            self._reader = None

    def power_cut(self) -> None:
        """Every process ends at once."""
        for one in self.running:
            if not one.process.dead:
                one.process.kill()

    def backup(self, to: Path) -> None:
        """A copy of what is committed, taken while the servers run."""
        to.unlink(missing_ok=True)
        with sqlite3.connect(self.path) as source, sqlite3.connect(to) as target:
            source.backup(target)
        source.close()
        target.close()

    async def restore(self, copy: Path, *, by_hand: bool) -> None:
        """Puts a copy back, and notes what it takes back before anybody is served."""
        self.power_cut()
        self._forget_reader()  # `roundbook restore` needs the database for itself: what the log has goes into the file
        self.told.lose(read(self.path))
        given, erased = given_in(self.path), erased_in(self.path)
        disk.replace(self.path, copy)
        process = Process("restore")
        engine = self._rooms[0].slot.engine(process, self.folder)
        try:
            if not by_hand:
                await note_restore(engine, given, self.clock())
                await apply_erasures(engine, erased, OPERATOR, self.clock())
            if self.kind_grew:  # the backup may be older than the kind
                await kind_grows(engine, self.clock())
        finally:
            process.kill()

    async def stop(self) -> None:
        """Ends every process in order."""
        self._forget_reader()
        for one in self.running:
            if not one.process.dead:
                await one.services.engine.dispose()
                one.process.kill()
