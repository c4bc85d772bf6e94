"""The ground that a work stands on: one durable PostgreSQL, a fresh database for each run, one server of each sort."""

import asyncio
import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import asyncpg
import msgspec
from sqlalchemy import make_url

from benchmarks import founding, servers
from benchmarks.screening import TOWNSHIP

_MIGRATED: Final = "migrated"


class Both(msgspec.Struct, frozen=True):
    """Our server and the floor, over databases of their own in one PostgreSQL."""

    database: str
    """Ours, as a URL for SQLAlchemy."""
    ours: str
    """Address of our server."""
    floor: str
    pid: int
    """Process of our server."""


class Ground:
    """Databases are made anew for each run: a truncated or deleted table keeps bad plans."""

    def __init__(self, postgres: str, folder: Path) -> None:
        """`postgres` is a URL for SQLAlchemy; in `folder` lies what a run leaves."""
        self.folder: Final = folder
        self._postgres = postgres
        self._count = itertools.count()
        _run(postgres, f'CREATE DATABASE "{_MIGRATED}"')
        founding.migrated(_named(postgres, _MIGRATED))

    @contextmanager
    def both(self, towns: Sequence[str] = (TOWNSHIP,)) -> Iterator[Both]:
        """Both servers, ours with these townships founded."""
        with (
            self.founded(towns) as ours,
            self.empty() as bare,
            servers.roundbook(ours, self.folder) as (url, pid),
            servers.floor(plain(bare)) as floor,
        ):
            yield Both(ours, url, floor, pid)

    @contextmanager
    def founded(self, towns: Sequence[str] = (TOWNSHIP,)) -> Iterator[str]:
        """A fresh database of ours in PostgreSQL."""
        with self._fresh(f'TEMPLATE "{_MIGRATED}"') as url:
            asyncio.run(founding.founded(url, towns))
            yield url

    @contextmanager
    def empty(self) -> Iterator[str]:
        """A fresh database without any table."""
        with self._fresh("") as url:
            yield url

    @contextmanager
    def copied(self, url: str) -> Iterator[str]:
        """A copy of a database that nobody is connected to."""
        with self._fresh(f'TEMPLATE "{make_url(url).database}"') as copy:
            yield copy

    @contextmanager
    def _fresh(self, how: str) -> Iterator[str]:
        with database(self._postgres, f"run{next(self._count)}", how) as url:
            yield url

    def file(self, name: str) -> Path:
        """A path in the folder that nothing lies at."""
        return self.folder / f"{next(self._count)}-{name}"

    def sqlite(self) -> str:
        """A fresh database of ours in a file."""
        url = f"sqlite+aiosqlite:///{self.file('run.db')}"
        founding.migrated(url)
        asyncio.run(founding.founded(url, (TOWNSHIP,)))
        return url


@contextmanager
def database(postgres: str, name: str, how: str = "") -> Iterator[str]:
    """A fresh database on the server of `postgres`, dropped afterwards. `how` goes on with CREATE DATABASE."""
    _run(postgres, f'CREATE DATABASE "{name}" {how}')
    try:
        yield _named(postgres, name)
    finally:
        _run(postgres, f'DROP DATABASE "{name}" WITH (FORCE)')


def _named(postgres: str, name: str) -> str:
    return make_url(postgres).set(database=name).render_as_string(hide_password=False)


def _run(postgres: str, statement: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(plain(postgres))
        await connection.execute(statement)
        await connection.close()

    asyncio.run(run())


def plain(url: str) -> str:
    """The URL as asyncpg takes it."""
    return url.replace("+asyncpg", "")
