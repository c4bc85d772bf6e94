"""What can be said of the database: reachable or not, and whether its schema fits this version of the code."""

import asyncio
from functools import cache
from typing import Final, Literal

import msgspec
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from migrations.run import revisions
from server.storage import schema
from server.storage.engine import Unavailable, snapshot

Schema = Literal["current", "newer", "outdated", "missing", "unknown"]
PATIENCE_S: Final = 5.0


class Readiness(msgspec.Struct, frozen=True):
    """`schema` is unknown while the database is out of reach; current and newer ones can be worked with."""

    reachable: bool
    schema: Schema

    @property
    def ready(self) -> bool:
        """Whether requests can be served."""
        return self.reachable and self.schema in {"current", "newer"}


async def readiness(engine: AsyncEngine) -> Readiness:
    """Asks the database, and gives up after PATIENCE_S."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            found = await snapshot(engine, schema.revision)
    except (Unavailable, DBAPIError, OSError, TimeoutError):
        return Readiness(reachable=False, schema="unknown")
    return Readiness(reachable=True, schema=state_of(found))


def state_of(revision: str | None) -> Schema:
    """What a database's revision means to this code. One that it does not know is newer: they only grow."""
    known = _revisions()
    if revision is None:
        return "missing"
    if revision not in known:
        return "newer"
    return "current" if revision == known[-1] else "outdated"


@cache
def _revisions() -> tuple[str, ...]:
    return revisions()
