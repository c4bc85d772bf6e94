"""What is made from records for lists: kept by following the township's changes by their numbers.

A push pays nothing for it. A follower works in bounded transactions under a lock of its own, so several
processes may run it at once, and what it makes follows from records and changes alone. A page that lists what
was made first catches up, within a bound, so that what was just saved is seen.

    1  changes that came since: their records are made anew
    2  after another edition came into force: every record, in the order of ids
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec
import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from server.kinds.registry import Registry
from server.services import Services
from server.storage import following
from server.storage.directory import opened
from server.storage.engine import Unavailable, snapshot
from server.storage.following import Standing

CATCH_UP: Final = 4
"""Transactions that a page waits for at most: some 1,200 changes. What is beyond that comes by the next look."""
Make = Callable[[AsyncConnection, Registry, str, Sequence[str]], Awaitable[None]]
_log: Final = structlog.get_logger(__name__)


class Follower(msgspec.Struct, frozen=True):
    """Something that is made from records."""

    name: str
    """At most 20 characters; it never changes."""
    edition: int
    """From 1 on; grows with a release that makes something else of the same records."""
    kinds: tuple[str, ...]
    """Of which every record is made anew then."""
    make: Make
    """Brings what is made of these records up to date; the follower's lock is held."""


async def follow(services: Services, township: str, follower: Follower, most: int | None = None) -> bool:
    """Brings a township up to date in transactions, at most so many; whether it is."""

    async def work(connection: AsyncConnection) -> bool:
        return await _advance(connection, services.registry, township, follower)

    more = await _is_due(services, township, follower)
    done = 0
    while more and (most is None or done < most):
        more = await services.write(township, work)
        done += 1
    return not more


async def keep_following(services: Services, followers: Sequence[Follower], every_s: int) -> None:
    """Looks for as long as the process lives; 0 seconds leaves it to the pages."""
    while every_s:
        # Jitter only spreads the processes; nothing that is stored depends on it.
        await asyncio.sleep(every_s * (0.5 + random.random()))  # noqa: S311 (no secret)
        try:
            for one in await snapshot(services.engine, opened):
                for follower in followers:
                    await follow(services, one.township, follower)
        except (Unavailable, SQLAlchemyError, OSError) as error:
            _log.warning("not_followed", reason=type(error).__name__)


async def _is_due(services: Services, township: str, follower: Follower) -> bool:
    """Whether there is anything to do; most of the time there is not, and this takes no lock."""
    await services.registry.ensure()

    async def look(connection: AsyncConnection) -> tuple[int | None, Standing]:
        tip = await following.tip(connection, township)
        return tip, await following.standing_of(connection, township, follower.name)

    tip, standing = await snapshot(services.engine, look)
    if tip is None or standing.edition > follower.edition:
        return False
    return standing.edition < follower.edition or standing.renewed is not None or tip > standing.reached


async def _advance(
    connection: AsyncConnection, registry: Registry, township: str, follower: Follower
) -> bool:
    """One transaction; whether more is to be done at once."""
    standing = await following.lock(connection, township, follower.name)
    if standing.edition > follower.edition:
        # A later release makes it in its own way: it goes on, not this one.
        return False
    if standing.edition < follower.edition:
        # Every record is read after this number was, so what it says up to there is in what is read.
        tip = await following.tip(connection, township)
        standing = Standing(tip or 0, follower.edition, "")
    found = await following.batch(
        connection, township, standing.reached, standing.renewed, list(follower.kinds)
    )
    await follower.make(connection, registry, township, found.ids)
    moved = Standing(found.reached, follower.edition, found.renewed)
    await following.move(connection, township, follower.name, moved)
    return found.more
