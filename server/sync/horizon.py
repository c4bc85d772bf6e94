"""The horizon: how far back exits are kept.

A device that was away for longer reads its grids anew instead of the exits that it missed (`_behind` in
pull.py). So forgetting them loses nothing but the notice itself: what the office needs stands in the history.
Receipts stay, because nothing else tells an author what became of a change.
"""

from typing import Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from server.audit.acts import OPERATOR, Act, Actor
from server.audit.log import append
from server.directory.working import locked, required
from server.storage import changes, stream, townships
from server.storage.engine import snapshot, transact

DAYS: Final = 180
"""What commands keep unless they are told otherwise."""


class Trimmed(msgspec.Struct, frozen=True):
    """What was done in one township, or would be done."""

    township: str
    exits: int
    """How many were forgotten."""
    horizon: int
    """Where it stands now; a number of the township."""
    moved: bool


async def trim(
    engine: AsyncEngine,
    township: str,
    before_ms: int,
    *,
    now_ms: int,
    dry_run: bool = False,
    by: Actor = OPERATOR,
) -> Trimmed:
    """Forgets the exits up to the newest change that was received before `before_ms` (server time, ms since 1970).

    One transaction, behind the township's lock, so that no reader sees exits gone above the horizon. With
    `dry_run` it only counts. Raises RefusedError for a township that is not open here.
    """

    async def work(connection: AsyncConnection) -> Trimmed:
        found = await (required if dry_run else locked)(connection, township)
        upto = max(found.horizon, await changes.newest_before(connection, township, before_ms))
        moved = upto > found.horizon
        if dry_run:
            return Trimmed(township, await stream.count_exits(connection, township, upto), upto, moved)
        gone = await stream.forget_exits(connection, township, upto)
        if moved:
            await townships.move_horizon(connection, township, upto)
            told = {"exits": gone, "horizon": upto, "before_ms": before_ms}
            await append(connection, Act(township, "exits_forgotten", by, now_ms, told))
        return Trimmed(township, gone, upto, moved)

    return await (snapshot if dry_run else transact)(engine, work)
