"""Disks that fail: a process dies between two statements, the end of a log is lost, there is no space left.

The drivers of SQLite and SQLCipher are replaced by ones that do the same in the calling thread, and ask
before and after each statement whether their process dies there. A process that has died executes nothing
more: its open transaction never was. `Files.power_cut` also takes what the last commit had written to the
log, to any byte, as a disk does that had not been told to keep it.
"""

import asyncio
import shutil
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self, cast

import aiosqlite
import sqlcipher3

SUFFIXES: Final = ("", "-wal", "-shm", "-journal")
BUSY_S: Final = 0.005
_FULL: Final = 2
"""SQLite's number for `synchronous = FULL`."""


class CrashError(BaseException):
    """The process is gone. Not an Exception: nothing may handle it."""


@dataclass
class Process:
    """What dies together: a device, or one server process."""

    name: str
    statements: int = 0
    dies_at: int | None = None
    """The statement, counted from the start of the simulation, at which it dies."""
    dies_writing: int | None = None
    """How many more statements of transactions that write it lives, for a server: in between, it mostly reads."""
    torn: bool = False
    """It dies at its next commit, of which only a part is written to the log."""
    dead: bool = False
    pause: Callable[[], float] = lambda: 0.0
    """Seconds that pass before a statement, for a server."""
    full: Callable[[], bool] = lambda: False
    """Whether its disk has no space left, for a server."""
    on_death: list[Callable[[], None]] = field(default_factory=list)

    def alive(self) -> None:
        """Raises CrashError in what a dead process would still do."""
        if self.dead:
            raise CrashError(self.name)

    def statement(self) -> None:
        """Counts a statement; dies when it is its time."""
        self.alive()
        self.statements += 1
        if self.dies_at is not None and self.statements >= self.dies_at:
            self.die()

    def writes(self) -> None:
        """Counts a statement of a transaction that writes; dies when it is its time."""
        if self.dies_writing is not None:
            self.dies_writing -= 1
            if self.dies_writing <= 0:
                self.die()

    def die(self) -> None:
        """Ends the process here, in what it does."""
        self.kill()
        raise CrashError(self.name)

    def kill(self) -> None:
        """Ends the process, from outside."""
        self.dead, self.dies_at, self.dies_writing = True, None, None
        for told in self.on_death:
            told()


# --- the server's database -----------------------------------------------------------------------------------

_BY_FILE: dict[str, Process] = {}
"""Whose connections are opened to a file, by the spelling of its path."""


class _Cursor:
    """A cursor of aiosqlite, in place."""

    def __init__(self, connection: "InPlaceConnection") -> None:
        self._connection = connection
        self._cursor = connection.raw.cursor()
        self.arraysize = 1

    async def __aenter__(self) -> Self:
        return self

    @property
    def description(self) -> Any:
        return self._cursor.description

    @property
    def rowcount(self) -> int:
        return self._cursor.rowcount

    @property
    def lastrowid(self) -> Any:
        return self._cursor.lastrowid

    async def execute(self, sql: str, parameters: Any = ()) -> None:
        await self._connection.before(sql)
        await self._until_free(lambda: self._cursor.execute(sql, parameters or ()))

    async def executemany(self, sql: str, rows: Any) -> None:
        await self._connection.before(sql)
        await self._until_free(lambda: self._cursor.executemany(sql, rows))

    async def _until_free(self, work: Callable[[], Any]) -> None:
        """SQLite's own wait for a lock would stop the whole simulation."""
        waited = 0.0
        while True:
            try:
                work()
            except sqlite3.OperationalError as error:
                if error.sqlite_errorname != "SQLITE_BUSY" or waited >= self._connection.timeout_s:
                    raise
                waited += BUSY_S
                await asyncio.sleep(BUSY_S)
                self._connection.process.alive()
            else:
                return

    async def fetchall(self) -> list[Any]:
        return self._cursor.fetchall()

    async def fetchone(self) -> Any:
        return self._cursor.fetchone()

    async def fetchmany(self, size: int | None = None) -> list[Any]:
        return self._cursor.fetchmany(size or self.arraysize)

    async def close(self) -> None:
        self._cursor.close()


class _AtOnce:
    """The queue of aiosqlite's thread, without the thread."""

    def put_nowait(self, task: tuple[asyncio.Future[Any], Callable[[], Any]]) -> None:
        future, work = task
        future.set_result(work())


class _NoThread:
    daemon = True


class InPlaceConnection:
    """What SQLAlchemy needs of a connection of aiosqlite, carried out where it is asked for."""

    def __init__(self, path: str, timeout_s: float, process: Process) -> None:
        self.path = path
        self.raw = sqlite3.connect(path, timeout=0, check_same_thread=False)
        self.timeout_s = timeout_s
        self.process = process
        self._conn = self.raw
        self._connection: sqlite3.Connection | None = self.raw
        self._tx, self._thread = _AtOnce(), _NoThread()
        self._full = self._writes = False
        process.on_death.insert(0, self._drop)

    @property
    def isolation_level(self) -> Any:
        return self.raw.isolation_level

    def cursor(self) -> _Cursor:
        return _Cursor(self)

    async def before(self, sql: str) -> None:
        """Time passes, others run, and the process may die."""
        pause = self.process.pause()
        if pause:
            await asyncio.sleep(pause)
        self.process.statement()
        self._writes = sql == "BEGIN IMMEDIATE" or (self._writes and self.raw.in_transaction)
        if self._writes:
            self.process.writes()
        full = self.process.full()
        if full != self._full:
            self._full = full
            [count] = self.raw.execute("PRAGMA page_count").fetchone()
            self.raw.execute(f"PRAGMA max_page_count = {count if full else 1_000_000}")

    async def commit(self) -> None:
        self.process.statement()
        if self.process.torn and self.raw.in_transaction:
            self._tear()
        self.raw.commit()
        self.process.statement()  # durable, and nobody was told

    def _tear(self) -> None:
        """The power fails while the commit is written: some of it is in the log, but not its end."""
        path = Path(self.path).resolve()
        before = _on_disk(path)
        self.raw.commit()
        left = _torn(before, _on_disk(path))
        self.process.kill()  # and with it every other process on this machine
        _put(path, left)
        raise CrashError(self.process.name)

    async def rollback(self) -> None:
        if not self.process.dead:
            self.raw.rollback()

    async def close(self) -> None:
        self._drop()

    def stop(self) -> None:
        self._drop()

    async def create_function(self, name: str, arguments: int, function: Any, **how: Any) -> None:
        self.raw.create_function(name, arguments, function, **how)

    def _drop(self) -> None:
        self._connection = None
        self.raw.close()


async def _connected(path: str, timeout_s: float) -> InPlaceConnection:
    process = _BY_FILE[path]
    process.alive()
    return InPlaceConnection(path, timeout_s, process)


def _connect(database: str, timeout: float = 5.0, **_: Any) -> Any:
    return _Opening(_connected(database, timeout))


class _Opening:
    """What aiosqlite.connect gives: to be awaited, with a thread that is not there."""

    def __init__(self, work: Awaitable[InPlaceConnection]) -> None:
        self._work, self._thread = work, _NoThread()

    def __await__(self) -> Any:
        return self._work.__await__()


# --- the devices' stores -------------------------------------------------------------------------------------


class _Dying:
    """A connection to a store that dies with its device."""

    def __init__(self, raw: Any, process: Process, path: Path) -> None:
        self._raw, self._process, self._path = raw, process, path
        self._left: Content | None = None
        process.on_death.append(self._lose)

    def execute(self, sql: str, parameters: Any = ()) -> Any:
        process = self._process
        commit = sql == "COMMIT"
        if commit and process.torn:
            self._tear()
        process.statement()
        done = self._raw.execute(sql, parameters)
        if commit:
            process.statement()  # durable, and nobody was told
        return done

    def _tear(self) -> None:
        """Commits, and loses the end of what the commit has written."""
        before = _on_disk(self._path)
        self._raw.execute("COMMIT")
        self._left = _torn(before, _on_disk(self._path))
        self._process.die()

    @property
    def in_transaction(self) -> bool:
        return not self._process.dead and bool(self._raw.in_transaction)

    def _lose(self) -> None:
        """As the disk has it at this moment: an orderly close would finish what the dead one had begun."""
        left = self._left or _on_disk(self._path)
        if self._raw.execute("PRAGMA synchronous").fetchone()[0] < _FULL:
            left = left[0], b""  # the battery fell out, and no commit had waited for its log
        self._raw.close()
        _put(self._path, left)

    def close(self) -> None:
        if not self._process.dead and self._lose in self._process.on_death:  # else it is closed already
            self._raw.close()
            self._process.on_death.remove(self._lose)  # what it had is on the disk, or is meant to be no more


Content = tuple[bytes, bytes]
"""A database's file and its log."""


def _on_disk(path: Path) -> Content:
    return _content(path, "") or b"", _content(path, "-wal") or b""


def _torn(before: Content, after: Content) -> Content:
    """What is left of a commit: all but the end of its log. What a checkpoint has moved was safe before that."""
    if before[0] != after[0] or len(after[1]) <= len(before[1]):
        return after
    return after[0], after[1][: len(before[1]) + (len(after[1]) - len(before[1])) * 2 // 3]


def _put(path: Path, content: Content) -> None:
    for suffix in SUFFIXES:
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    path.write_bytes(content[0])
    if content[1]:
        path.with_name(f"{path.name}-wal").write_bytes(content[1])


def _content(path: Path, suffix: str) -> bytes | None:
    file = path.with_name(path.name + suffix)
    return file.read_bytes() if file.exists() else None


_plain_connect: Final = sqlcipher3.connect


def _store_connect(path: str, **how: Any) -> Any:
    raw = _plain_connect(path, **{**how, "timeout": 0})
    process = _BY_FILE.get(path)
    return raw if process is None else _Dying(raw, process, Path(path))


def belongs_to(path: Path, process: Process) -> None:
    """From here on whoever opens the file by this spelling of its path is `process`."""
    _BY_FILE[str(path)] = process


def copy(path: Path, to: Path) -> None:
    """A copy of a store or database with everything beside it, as somebody copies a folder."""
    to.parent.mkdir(parents=True, exist_ok=True)
    for file in path.parent.glob(f"{path.name}*"):
        if not file.name.endswith("-shm"):
            shutil.copyfile(file, to.with_name(to.name + file.name.removeprefix(path.name)))


def replace(path: Path, by: Path) -> None:
    """Puts a database in the place of another; nothing of the other stays."""
    _put(path, (by.read_bytes(), b""))


@contextmanager
def simulated() -> Iterator[None]:
    """The drivers of both sides, replaced; whose file is whose is forgotten afterwards."""
    real = aiosqlite.connect
    aiosqlite.connect = cast("Any", _connect)
    sqlcipher3.connect = _store_connect
    try:
        yield
    finally:
        aiosqlite.connect = real
        sqlcipher3.connect = _plain_connect
        _BY_FILE.clear()
