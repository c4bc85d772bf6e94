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
from server.commands import output
from server.commands.sealing import seal_stored
from server.files import require_database
from server.health.service import state_of
from server.kinds.service import install_shipped
from server.refused import RefusedError
from server.settings import Settings, read, shown_database
from server.storage import keys
from server.storage.engine import open_engine, snapshot
from server.vault import keyfile
from server.vault import service as vault_service

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
        engine = open_engine(settings.database, pool_size=1, vault=keyfile.vault(settings))
        try:
            return await work(engine)
        finally:
            await engine.dispose()

    return asyncio.run(run())


def make_ready(settings: Settings) -> None:
    """Migrates an embedded database and makes its master key.

    Raises RefusedError for a PostgreSQL whose schema is too old, and for a master key that was there and is gone.
    """
    prepare_file(settings)
    state = state_of(current(settings.database))
    if state in {"current", "newer"}:
        prepare_key(settings)
        return
    if not settings.embedded:
        message = f"The schema of {shown_database(settings)} is {state}: bring it up to date with `roundbook migrate`."
        raise RefusedError(message)
    migrate(settings)


def prepare_key(settings: Settings) -> None:
    """Makes the master key of an embedded database that never had one, and says once to keep a copy."""
    file = keyfile.place(settings)
    if not settings.embedded or file is None or file.exists():
        return
    if with_engine(settings, lambda engine: snapshot(engine, keys.master_ids)):
        keyfile.master(settings)  # it was there and is gone: this says so
    if keyfile.make_missing(settings) is None:
        return
    output.hint(
        f"The master key {file} is made: contact is encrypted under it. Keep a copy of it in another place than the "
        "backups, which never contain it. 主密钥已生成，请另处保存一份，不要与备份放在一起。"
    )


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
    """Brings the schema to the newest revision, and installs the kinds that ship.

    Townships that were opened before there were keys get theirs here, or when the server starts.
    """
    upgrade(settings.database)
    add_shipped_kinds(settings)
    if settings.embedded:
        prepare_key(settings)
        _begin_sealing(settings)


def _begin_sealing(settings: Settings) -> None:
    """Makes the keys of townships that have none, and seals what an older version of Roundbook has stored there."""

    async def work(engine: AsyncEngine) -> None:
        for township in await vault_service.ensure(engine, now_ms()):
            await seal_stored(engine, township, quiet=False)

    with_engine(settings, work)


def ensure_keys(settings: Settings) -> None:
    """Sees that the master key fits the database and every township has keys; raises KeyMissing."""
    with_engine(settings, lambda engine: vault_service.ensure(engine, now_ms()))


def add_shipped_kinds(settings: Settings) -> None:
    """Installs the kinds that ship and are missing."""
    with_engine(settings, lambda engine: install_shipped(engine, now_ms()))
