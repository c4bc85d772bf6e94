"""Brings a database to a revision, and says at which one it is.

Any of the URLs that Roundbook takes may be given, with an asynchronous driver. Each function opens a
connection of its own and runs an event loop of its own: inside a running loop, call it in a thread.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

T = TypeVar("T")

FOLDER: Final = Path(__file__).resolve().parent
_WRITES: Final = "roundbook_migrates"
_PAUSE_S: Final = 0.02
_BUSY_S: Final = 60
"""How long a migration waits for another process that is writing to the same file."""
_VERSION_TABLE: Final = (
    "CREATE TABLE IF NOT EXISTS alembic_version "
    "(version_num VARCHAR(32) NOT NULL CONSTRAINT alembic_version_pkc PRIMARY KEY)"
)
_MADE_MEANWHILE: Final = ("23505", "42P07", "42710")
"""unique_violation (in the catalogue), duplicate_table, duplicate_object."""


def upgrade(url: str, revision: str = "head", *, partitions: int = 0) -> None:
    """Brings the database at `url` to `revision`, in one transaction: all of it or nothing.

    `partitions` is for a new PostgreSQL without Citus: township tables are then split by hash into as many
    parts, 0 leaves them whole. Later revisions follow what they find. Several processes may call this at
    once; one works, the others wait and find nothing left to do. Raises what SQLAlchemy raises when the
    database cannot be reached, and alembic.util.CommandError for a revision that does not exist.
    """

    def run(connection: Connection) -> None:
        _lock(connection)
        before = MigrationContext.configure(connection).get_current_revision()
        command.upgrade(_config(connection=connection, partitions=partitions), revision)
        if before is not None:
            _check_references(connection)

    _run(url, run, writes=True)


def current(url: str) -> str | None:
    """The revision of the database at `url`; None when it has none, because it is empty."""
    return _run(url, lambda connection: MigrationContext.configure(connection).get_current_revision())


def head() -> str:
    """The newest revision that this version of Roundbook has."""
    newest = ScriptDirectory(str(FOLDER)).get_current_head()
    if newest is None:
        message = f"no revision in {FOLDER / 'versions'}: the installation is incomplete, install it again"
        raise RuntimeError(message)
    return newest


def revisions() -> tuple[str, ...]:
    """Every revision, the oldest first."""
    return tuple(script.revision for script in ScriptDirectory(str(FOLDER)).walk_revisions())[::-1]


def _config(**attributes: Any) -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes.update(attributes)
    return config


def _lock(connection: Connection) -> None:
    """One migration at a time. SQLite has its write lock already; PostgreSQL locks the version table."""
    if connection.dialect.name != "postgresql":
        return
    # The role may have been given the server's time-outs; a migration takes the time that it needs.
    connection.execute(text("SET LOCAL statement_timeout = 0"))
    try:
        with connection.begin_nested():
            connection.execute(text(_VERSION_TABLE))
    except DBAPIError as error:
        # IF NOT EXISTS does not see a table that another transaction is making; it fails when that commits.
        if getattr(error.orig, "sqlstate", None) not in _MADE_MEANWHILE:
            raise
    connection.execute(text("LOCK TABLE alembic_version IN ACCESS EXCLUSIVE MODE"))


def _check_references(connection: Connection) -> None:
    """SQLite rebuilt tables with its foreign keys off, so they are looked at once before the commit."""
    if connection.dialect.name != "sqlite":
        return
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if broken is not None:
        message = f"the migration would leave rows of {broken[0]} that point nowhere; nothing was changed"
        raise RuntimeError(message)


def _run(url: str, work: Callable[[Connection], T], *, writes: bool = False) -> T:
    async def run() -> T:
        engine = _engine(url).execution_options(**{_WRITES: writes})
        try:
            async with engine.begin() as connection:
                return await connection.run_sync(work)
        finally:
            await engine.dispose()

    return asyncio.run(run())


def _engine(url: str) -> AsyncEngine:
    """An engine without the server's time-outs: a migration may take long."""
    if not url.startswith("sqlite"):
        return create_async_engine(url, poolclass=NullPool, connect_args={"timeout": _BUSY_S})
    engine = create_async_engine(url, poolclass=NullPool, connect_args={"timeout": _BUSY_S})
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    _begin_log(cursor)
    # Rebuilding a table drops the old one; with foreign keys on, that would take the rows that point to it.
    cursor.execute("PRAGMA foreign_keys=OFF")
    cursor.close()


def _begin_log(cursor: Any) -> None:
    """Switches the file to its log. Where two processes do this to a new file, SQLite refuses one without waiting."""
    until = time.monotonic() + _BUSY_S
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(_PAUSE_S)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
