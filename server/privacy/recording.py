"""Brings erasures that were committed into the list outside the database.

An erasure is committed first, marked as not listed, and answered only when its line is durable: a transaction
may be tried several times, and a line must never speak of what was taken back. Whatever ends in between, the
next look finds what is not listed yet. So a line may stand there twice, which does no harm, and is never missing.
"""

import asyncio
from functools import partial
from pathlib import Path

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from server.privacy.listing import Line, append, line_of
from server.storage import erasures
from server.storage.engine import snapshot, transact
from server.storage.erasing import settle_file
from server.vault.keeping import keys_of

_log = structlog.get_logger(__name__)


async def record(engine: AsyncEngine, file: Path | None, township: str) -> bool:
    """Lists what is not listed yet; False where there is no list, or it could not be written.

    The next look tries again.
    """
    if file is None:
        return False

    async def read(connection: AsyncConnection) -> tuple[list[Line], list[str]]:
        waiting = await erasures.unlisted(connection, township)
        keys = await keys_of(connection, township) if waiting else None
        return [line_of(one, keys) for one in waiting if keys], [one.record_id for one in waiting]

    await settle_file(engine)
    while True:
        lines, ids = await snapshot(engine, read)
        if not lines:
            return True
        try:
            await asyncio.to_thread(append, file, lines)
        except OSError as error:
            _log.error("erasures_not_listed", township=township, file=str(file), reason=error.strerror)
            return False
        await transact(engine, partial(erasures.mark_listed, township=township, records=ids))
