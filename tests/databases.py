"""Fresh databases for tests, SQLite and PostgreSQL alike.

A database is migrated once a session, as a template; each test gets a copy. The copies of one session share
a folder and, under pytest-xdist, one PostgreSQL server among all workers.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal, Protocol
from uuid import uuid4

import asyncpg
from anyio.from_thread import BlockingPortal
from sqlalchemy import make_url

PARTITIONS: Final = int(os.environ.get("TEST_PARTITIONS", "0"))
"""Into how many parts PostgreSQL splits the township tables of every migrated database; 0 leaves them whole."""
DatabaseKind = Literal["sqlite", "postgresql"]


class Databases(Protocol):
    """Makes and drops databases of one sort."""

    def create(self, *, migrated: bool) -> str:
        """Make a database, and return its SQLAlchemy URL."""

    def drop(self, url: str) -> None:
        """Remove a database that `create` made."""


class SqliteDatabases:
    """Files in the session's folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def create(self, *, migrated: bool) -> str:
        path = self._folder / f"{uuid4().hex}.sqlite"
        if migrated:
            shutil.copyfile(self._template(), path)
        return _sqlite_url(path)

    def drop(self, url: str) -> None:
        path = Path(make_url(url).database or "")
        for suffix in ("", "-wal", "-shm", "-journal"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)

    def _template(self) -> Path:
        template = self._folder / "template.sqlite"
        with _once(self._folder / "template.sqlite.done") as done:
            if not done:
                template.unlink(missing_ok=True)
                _upgrade(_sqlite_url(template))
                left = template.with_name(template.name + "-wal")
                if left.exists() and left.stat().st_size:
                    message = f"the migration left a connection open: {left} is not empty"
                    raise RuntimeError(message)
        return template


class PostgresDatabases:
    """Databases of one server; administrative statements go over one connection in a thread of its own."""

    def __init__(self, server_url: str, folder: Path, portal: BlockingPortal) -> None:
        self._server = make_url(server_url)
        self._folder = folder
        self._portal = portal
        plain = self._server.set(drivername="postgresql").render_as_string(hide_password=False)
        self._connection = portal.call(asyncpg.connect, plain)

    def create(self, *, migrated: bool) -> str:
        name = f"test_{uuid4().hex}"
        # Copying files is four times as fast as copying through the log, where fsync is off.
        source = f"TEMPLATE {self._template()} STRATEGY file_copy" if migrated else ""
        self._execute(f"CREATE DATABASE {name} {source}")
        return self._url(name)

    def drop(self, url: str) -> None:
        self._execute(f"DROP DATABASE {make_url(url).database} WITH (FORCE)")

    def close(self) -> None:
        self._portal.call(self._connection.close)

    def _template(self) -> str:
        name = "migrated"
        with _once(self._folder / "template.postgresql.done") as done:
            if not done:
                self._execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
                self._execute(f"CREATE DATABASE {name}")
                _upgrade(self._url(name), partitions=PARTITIONS)
                self._execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        return name

    def _url(self, name: str) -> str:
        return self._server.set(database=name).render_as_string(hide_password=False)

    def _execute(self, statement: str) -> None:
        self._portal.call(self._connection.execute, statement)


@contextmanager
def _once(marker: Path) -> Iterator[bool]:
    """Hold a lock among all workers; yield whether the work was done before, and note it as done."""
    if marker.exists():
        yield True
        return
    with marker.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = marker.exists()
        yield done
        marker.touch()


def _upgrade(url: str, *, partitions: int = 0) -> None:
    from migrations.run import upgrade

    # In a thread: the migration runs an event loop of its own, and the test's must stay as it is.
    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(upgrade, url, partitions=partitions).result()


def _sqlite_url(path: Path) -> str:
    return f"sqlite+aiosqlite:///{path}"
