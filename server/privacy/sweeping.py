"""The service carries retention out by itself, beside its requests.

Every process looks from time to time; a township is looked through by one of them, because each claims it in
the database for the time that was set. What one could not do, another does at the next look.
"""

import asyncio
import random
from functools import partial
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from server.audit.acts import SERVICE
from server.privacy.recording import record
from server.privacy.retention import Swept, sweep
from server.refused import RefusedError
from server.services import Services
from server.storage import retention, townships
from server.storage.engine import Unavailable, snapshot

_LOOKS: Final = 4
"""Looks in the time after which a township is looked through again."""
_log = structlog.get_logger(__name__)


async def keep_sweeping(services: Services, every_minutes: int) -> None:
    """Looks for as long as the process lives; begins after a pause, so that a restart does not do it at once."""
    while every_minutes:
        pause_s = every_minutes * 60 / _LOOKS
        # Jitter only spreads the processes; nothing that is stored depends on it.
        await asyncio.sleep(pause_s * (0.5 + random.random()))  # noqa: S311 (no secret)
        try:
            await look(services, every_minutes)
        except (Unavailable, SQLAlchemyError, OSError, RefusedError) as error:
            _log.warning("retention_not_done", reason=type(error).__name__)


async def look(services: Services, every_minutes: int) -> list[Swept]:
    """Looks through every township that nobody has looked through for so long."""
    done: list[Swept] = []
    await services.registry.ensure()
    for township in await snapshot(services.engine, townships.codes):
        done += await _one(services, township, every_minutes * 60_000)
    return done


async def _one(services: Services, township: str, every_ms: int) -> list[Swept]:
    now_ms = services.clock()
    claim = partial(retention.claim, township=township, now_ms=now_ms, every_ms=every_ms)
    if not await services.write(township, claim):
        return []
    kinds = services.registry.current()
    done = await sweep(services.engine, township, kinds, now_ms, by=SERVICE, write=services.write)
    await record(services.engine, services.erasures, township)
    for one in done:
        _log.info(
            "retention_done",
            township=township,
            kind=one.kind,
            erased=one.erased,
            left_devices=one.left_devices,
        )
    return done
