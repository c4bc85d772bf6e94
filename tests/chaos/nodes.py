"""Two real PostgreSQL nodes, a primary and a standby, and what may happen to them."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import asyncpg

from tests.postgres import BASE_SETTINGS, USER, PostgresError, Way, free_port, make_cluster, reached, start

DATABASE: Final = "roundbook"
PATIENCE_S: Final = 30.0
SETTINGS: Final[Mapping[str, str]] = {
    **BASE_SETTINGS,
    "wal_level": "replica",
    "max_wal_senders": "8",
    "wal_keep_size": "512MB",
    "wal_retrieve_retry_interval": "200ms",
    "synchronous_commit": "on",
    "deadlock_timeout": "200ms",
    "restart_after_crash": "on",
    "io_method": "sync",
}


class Node:
    """One PostgreSQL. It keeps its port and its folder, whatever becomes of its process."""

    def __init__(self, way: Way, password: str) -> None:
        self.way, self.password, self.port = way, password, free_port()
        self.log = way.folder / "log"
        self._shell: subprocess.Popen[bytes] | None = None

    @property
    def cluster(self) -> Path:
        return self.way.folder / "cluster"

    def url(self, database: str = "postgres") -> str:
        """For libpq and asyncpg."""
        return f"postgresql://{USER}:{self.password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Starts it, and waits until it answers."""
        self._shell = start(self.way, self.log, {**SETTINGS, "port": str(self.port)})
        if self._shell is None:
            message = f"PostgreSQL on port {self.port} did not come back; see {self.log}"
            raise PostgresError(message)

    def kill(self) -> None:
        """kill -9 of the postmaster. What it started notices, and ends."""
        processes = self.processes()
        os.kill(processes[0], signal.SIGKILL)
        self._reap()
        deadline = time.monotonic() + PATIENCE_S
        while any(map(_runs, processes)) and time.monotonic() < deadline:
            time.sleep(0.02)
        # It still says that the server is ready.
        (self.cluster / "postmaster.pid").unlink()

    def _reap(self) -> None:
        if self._shell is not None:
            self._shell.wait(PATIENCE_S)
            if self._shell.stdin is not None:
                self._shell.stdin.close()
            self._shell = None

    def stop(self) -> None:
        """Ends it for good, in whatever state it is."""
        if self._shell is not None and self._shell.poll() is None:
            with suppress(OSError, ValueError):
                self.proceed()
                os.kill(self.postmaster(), signal.SIGQUIT)
        with suppress(subprocess.TimeoutExpired):
            self._reap()

    def postmaster(self) -> int:
        return int((self.cluster / "postmaster.pid").read_text().split()[0])

    def processes(self) -> list[int]:
        """The postmaster and everything that it started."""
        return [self.postmaster(), *children(self.postmaster())]

    def stand_still(self) -> None:
        """As if the disk had stopped: every process, wherever it is."""
        self._signal(signal.SIGSTOP)

    def proceed(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        for process in self.processes():
            with suppress(ProcessLookupError):
                os.kill(process, number)

    def promote(self) -> None:
        """Makes a primary of a standby."""
        self.run("pg_ctl", "promote", "--wait", "-D", str(self.cluster))

    def copy_from(self, primary: "Node") -> None:
        """Makes it a standby of `primary`, from a copy taken now."""
        shutil.rmtree(self.cluster, ignore_errors=True)
        self.run(
            "pg_basebackup", "--dbname", primary.url(), "--pgdata", str(self.cluster),
            "--wal-method=stream", "--checkpoint=fast", "--write-recovery-conf", "--no-sync",
        )  # fmt: skip

    def run(self, program: str, *arguments: str) -> None:
        with self.log.open("ab") as output:
            status = self.way.popen([self.way.program(program), *arguments], output=output).wait()
        if status != 0:
            message = f"{program} ended with {status}; see {self.log}"
            raise PostgresError(message)

    async def ask(self, statement: str, *values: Any, database: str = "postgres") -> list[Any]:
        """The rows of one statement."""
        connection = await asyncpg.connect(self.url(database), timeout=PATIENCE_S)
        try:
            rows: list[Any] = await connection.fetch(statement, *values)
        finally:
            await connection.close()
        return rows


def children(parent: int) -> list[int]:
    """The processes that a process started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # The name in brackets may hold anything; the parent is the second word after it.
            if int(stat.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(stat.parent.name))
    return found


def _runs(process: int) -> bool:
    """Whether a process is there, and is more than what its parent has not asked after."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Pair:
    """A primary and its standby. Commits wait for the standby, unless `synchronous` is off."""

    def __init__(self, primary: Node, standby: Node) -> None:
        self.primary, self.standby = primary, standby
        self.synchronous = True

    @property
    def url(self) -> str:
        """For servers: both nodes, of which they use the one that takes writes."""
        one, other = sorted((self.primary, self.standby), key=lambda node: node.port)
        hosts = f"host=127.0.0.1:{one.port}&host=127.0.0.1:{other.port}"
        return f"postgresql://{USER}:{one.password}@/{DATABASE}?{hosts}"

    async def follow(self) -> None:
        """Makes a standby of the node that is none, waits until it has everything, and lets commits wait for it."""
        self.standby.copy_from(self.primary)
        self.standby.start()
        await self.streaming()
        await self.wait_for_standby(on=self.synchronous)

    async def streaming(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            behind = await self.primary.ask(
                "SELECT 1 FROM pg_stat_replication WHERE state = 'streaming' AND flush_lsn >= pg_current_wal_lsn()"
            )
            if behind:
                return
        message = "the standby did not catch up"
        raise PostgresError(message)

    async def wait_for_standby(self, *, on: bool) -> None:
        await self.primary.ask(f"ALTER SYSTEM SET synchronous_standby_names = '{'*' if on else ''}'")
        await self.primary.ask("SELECT pg_reload_conf()")

    async def fail_over(self) -> None:
        """kill -9 of the primary; the standby takes its place. There is no standby until `follow`."""
        self.primary.kill()
        self.primary, self.standby = self.standby, self.primary
        self.primary.promote()
        # What was copied from the old primary: to wait for a standby, which there is not yet.
        await self.wait_for_standby(on=False)


@contextmanager
def pair(folder: Path) -> Iterator[Pair]:
    """Two nodes with their files in `folder`; the primary runs, with an empty database."""
    with ExitStack() as stack:
        ways = [stack.enter_context(reached(folder / name)) for name in ("one", "two")]
        password = make_cluster(ways[0], ways[0].folder / "log")
        nodes = [Node(way, password) for way in ways]
        for node in nodes:
            stack.callback(node.stop)
        nodes[0].start()
        yield Pair(*nodes)
