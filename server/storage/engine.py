"""Engines and transactions: the one place that knows how the databases differ in this.

`transact` runs a write and repeats it whole where the database asks for that (a deadlock, a lock time-out,
a failover: docs/architecture.md, rule E1). So a write must be repeatable: it reads everything that it
needs inside, and has no effect outside. `snapshot` runs reads that see one state of the database.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from asyncpg.exceptions import TargetServerAttributeNotMatched
from sqlalchemy import event
from sqlalchemy.engine.interfaces import DBAPIConnection, ExceptionContext
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

if TYPE_CHECKING:
    from server.vault.keeping import Vault

T = TypeVar("T")
Work = Callable[[AsyncConnection], Awaitable[T]]

ATTEMPTS: Final = 6
_BACK_OFF_S: Final = 0.02
_RETRY: Final = (
    "40001",
    "40P01",
    "55P03",
    "08",
    "57P01",
    "57P02",
    "57P03",
    "57014",
    "25P03",
    "53300",
    "XX000",
)
"""Deadlocks, time-outs, lost connections, a database that starts or ends, one that has no room for a connection."""
_READ_ONLY: Final = "25006"
"""The connection leads to a standby, or to what has become one."""
_DISK_FULL: Final = "53100"
_PATIENCE_S: Final = 15.0
"""No attempt begins after so long: a device waits 60 s for its answer, and one attempt may take 30."""
BUSY_S: Final = 15
_COMMAND_S: Final = 30
_WRITE: Final = "roundbook_write"
_FULL: Final = "roundbook_full"
VAULT: Final = "roundbook_vault"
"""The execution option under which the connections of an engine find its vault."""


class Unavailable(Exception):  # noqa: N818 (the state, not the error, is what callers ask for)
    """The database cannot take this now; the same request may be sent again later, unchanged."""


def open_engine(
    url: str, *, pool_size: int = 8, wait_s: float = BUSY_S, vault: "Vault | None" = None
) -> AsyncEngine:
    """An engine for `sqlite+aiosqlite:///file` or `postgresql+asyncpg://...`, with what seals on its way in and out.

    Who gets none of its `pool_size` connections within `wait_s` seconds is refused with Unavailable.
    """
    embedded = url.startswith("sqlite")
    arguments = {"timeout": BUSY_S} if embedded else {"timeout": BUSY_S, "command_timeout": _COMMAND_S}
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=wait_s,
        hide_parameters=True,
        connect_args=arguments,
        execution_options={VAULT: vault},
    )
    event.listen(engine.sync_engine, "handle_error", _note_full)
    if embedded:
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
    else:
        event.listen(engine.sync_engine, "handle_error", _give_up_readers)
    return engine


async def compact(engine: AsyncEngine) -> None:
    """Writes an SQLite file anew, so that nothing is left in it of what rows said before; nothing elsewhere."""
    if engine.dialect.name != "sqlite":
        return
    async with engine.connect() as connection:
        # Outside any transaction, which SQLAlchemy would begin.
        driver: Any = (await connection.get_raw_connection()).driver_connection
        for statement in ("VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):
            await (await driver.execute(statement)).close()


def is_sqlite(connection: AsyncConnection) -> bool:
    """Whether statements must take SQLite's form."""
    return connection.dialect.name == "sqlite"


async def transact(engine: AsyncEngine, work: Work[T]) -> T:
    """Runs `work` in one transaction and commits it; raises Unavailable when it cannot be done now."""
    return await _repeat(engine, work, {_WRITE: True})


async def snapshot(engine: AsyncEngine, work: Work[T]) -> T:
    """Runs the reads of `work` over one state of the database."""
    options = {} if engine.dialect.name == "sqlite" else {"isolation_level": "REPEATABLE READ"}
    return await _repeat(engine, work, options)


async def _repeat(engine: AsyncEngine, work: Work[T], options: dict[str, Any]) -> T:
    began = time.monotonic()
    for attempt in range(ATTEMPTS):
        full: list[bool] = []
        try:
            async with engine.connect() as connection:
                await connection.execution_options(**options)
                connection.info[_FULL] = full
                async with connection.begin():
                    return await work(connection)
        except PoolTimeoutError as error:
            # It has waited for its turn already; to wait again would only make the queue longer.
            message = "no database connection became free in time"
            raise Unavailable(message) from error
        except (DBAPIError, OSError, TimeoutError) as error:
            if full:
                message = "the database's disk is full: nothing of this was stored, everything before it was"
                raise Unavailable(message) from error
            if not _passing(error):
                raise
            if time.monotonic() - began > _PATIENCE_S:
                message = f"the database did not take the transaction in {_PATIENCE_S:.0f} s"
                raise Unavailable(message) from error
            # Jitter only spreads waiting writers; nothing that is stored depends on it.
            await asyncio.sleep(_BACK_OFF_S * 2**attempt * (0.5 + random.random()))  # noqa: S311 (no secret)
    message = f"the database did not take the transaction in {ATTEMPTS} attempts"
    raise Unavailable(message)


def _passing(error: Exception) -> bool:
    """Whether trying again may help, by SQLSTATE (PostgreSQL) or result code (SQLite), never by message."""
    original = getattr(error, "orig", error)
    if isinstance(original, OSError | TimeoutError):
        return True
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True  # the driver knows that the connection is gone, and has no SQLSTATE for it
    if isinstance(original.__cause__, TargetServerAttributeNotMatched):
        return True  # none of several hosts takes writes now
    state = getattr(original, "sqlstate", None)
    if state is not None:
        return str(state).startswith((*_RETRY, _READ_ONLY))
    return getattr(original, "sqlite_errorname", "").startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))


def _give_up_readers(context: ExceptionContext) -> None:
    """A connection that takes no writes is of no use any more, nor are the others that were opened with it."""
    if getattr(context.original_exception, "sqlstate", None) == _READ_ONLY:
        context.is_disconnect = True


def _note_full(context: ExceptionContext) -> None:
    """Notes that there is no space left. SQLite ends the whole transaction then, so that later errors say less."""
    original = context.original_exception
    full = getattr(original, "sqlite_errorname", "") == "SQLITE_FULL" or (
        getattr(original, "sqlstate", None) == _DISK_FULL
    )
    if full and context.connection is not None:
        context.connection.info.get(_FULL, []).append(True)


def _prepare_sqlite(connection: DBAPIConnection, _record: object) -> None:
    connection.isolation_level = None  # transactions are begun below, by hand
    cursor = connection.cursor()
    # What is overwritten or deleted leaves nothing in the file: erasing must find it nowhere (docs/privacy.md).
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Any) -> None:
    writes = connection.get_execution_options().get(_WRITE, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
