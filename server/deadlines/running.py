"""The service runs the pass by itself, beside its requests: every process looks, and whoever finds work does it."""

import asyncio
import random
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from server.deadlines.force import Force, in_force
from server.deadlines.keeping import keep
from server.reckoning.spans import year_of
from server.services import Services
from server.storage.directory import opened
from server.storage.engine import Unavailable, snapshot

_log: Final = structlog.get_logger(__name__)


async def keep_running(services: Services, every_s: int) -> None:
    """Looks for as long as the process lives; 0 seconds leaves it to `roundbook deadlines run`."""
    warned: set[tuple[str, int]] = set()
    while every_s:
        # Jitter only spreads the processes; nothing that is stored depends on it.
        await asyncio.sleep(every_s * (0.5 + random.random()))  # noqa: S311 (no secret)
        try:
            await look(services, warned)
        except (Unavailable, SQLAlchemyError, OSError) as error:
            _log.warning("deadlines_not_kept", reason=type(error).__name__)


async def look(services: Services, warned: set[tuple[str, int]]) -> None:
    """Brings every township up to date; warns once of each year that has no notice of its working days."""
    for one in await snapshot(services.engine, opened):
        done = await keep(services, one.township)
        if done.reckoned or done.told:
            _log.info("deadlines_kept", township=one.township, reckoned=done.reckoned, told=done.told)
        for year in await _silent_years(services, one.township):
            if (one.township, year) not in warned:
                warned.add((one.township, year))
                _log.warning("working_days_unknown", township=one.township, year=year)


async def _silent_years(services: Services, township: str) -> list[int]:
    async def read(connection: AsyncConnection) -> Force:
        return await in_force(connection, township)

    return (await snapshot(services.engine, read)).silent_years({year_of(services.clock())})
