"""From the options of a command to a database that is ready to be worked with."""

import asyncio
import os
import secrets
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import typer
from sqlalchemy.ext.asyncio import AsyncEngine

from migrations.run import current, upgrade
from server.files import require_database
from server.health.service import state_of
from server.kinds.service import install_shipped
from server.refused import RefusedError
from server.settings import Settings, read, shown_database
from server.storage.engine import open_engine

T = TypeVar("T")
PRIVATE: Final = 0o077
"""Bits that a file of citizens' records is made without."""

Data = Annotated[
    Path | None,
    typer.Option(
        "--data", metavar="DIR", help="The data folder [ROUNDBOOK_DATA, else ./data].", show_default=False
    ),
]
Database = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="URL",
        help="A database elsewhere, such as postgresql://… [ROUNDBOOK_DATABASE, else SQLite in the data folder].",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.", show_default=False)]
random = secrets.token_bytes


def now_ms() -> int:
    """The system's clock: milliseconds since 1970 UTC."""
    return time.time_ns() // 1_000_000


def settings_of(data: Path | None, database: str | None, **options: Any) -> Settings:
    """The settings from the environment, with a command's options above it."""
    return read(os.environ, data=None if data is None else str(data), database=database, **options)


def on_database(data: Path | None, database: str | None, work: Callable[[AsyncEngine], Awaitable[T]]) -> T:
    """Runs `work` on the database that the options name, once its schema fits."""
    settings = settings_of(data, database)
    make_ready(settings)
    return with_engine(settings, work)


def with_engine(settings: Settings, work: Callable[[AsyncEngine], Awaitable[T]]) -> T:
    """Runs `work` with an engine of its own, whatever the schema is."""

    async def run() -> T:
        engine = open_engine(settings.database, pool_size=1)
        try:
            return await work(engine)
        finally:
            await engine.dispose()

    return asyncio.run(run())


def make_ready(settings: Settings) -> None:
    """Migrates an embedded database; raises RefusedError for a PostgreSQL whose schema is too old."""
    prepare_file(settings)
    state = state_of(current(settings.database))
    if state in {"current", "newer"}:
        return
    if not settings.embedded:
        message = f"The schema of {shown_database(settings)} is {state}: bring it up to date with `roundbook migrate`."
        raise RefusedError(message)
    migrate(settings)


def write_for_own_user() -> None:
    """From here on, this process makes files that nobody else may read: databases, journals, copies."""
    os.umask(os.umask(0) | PRIVATE)


def prepare_file(settings: Settings) -> None:
    """Makes folder and file of an embedded database, readable for this user only."""
    if settings.embedded:
        write_for_own_user()
        try:
            settings.file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            message = f"The folder {settings.file.parent} cannot be made: name another with --data."
            raise RefusedError(message) from error
        require_database(settings.file)


def migrate(settings: Settings) -> None:
    """Brings the schema to the newest revision, and installs the kinds that ship."""
    upgrade(settings.database)
    add_shipped_kinds(settings)


def add_shipped_kinds(settings: Settings) -> None:
    """Installs the kinds that ship and are missing."""
    with_engine(settings, lambda engine: install_shipped(engine, now_ms()))
