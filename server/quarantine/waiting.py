"""What waits in a township's quarantine for one thing is taken in once that is there, by a command of the operator."""

from collections.abc import Callable
from functools import partial
from typing import Final

import msgspec

from server.audit.acts import OPERATOR
from server.declined import Declined
from server.quarantine.replaying import Correction
from server.quarantine.service import replay
from server.reach import Caller, Reach
from server.records.writing import Target
from server.rights import APPLICATION, rights
from server.services import Services
from server.storage import office_changes
from server.storage.changes import Stored
from server.storage.engine import snapshot

_MOST: Final = 500


class TakenIn(msgspec.Struct, frozen=True):
    """How many changes were taken in, and how many still wait for something else."""

    taken: int
    waiting: int


class Installer(msgspec.Struct, frozen=True):
    """Who takes them in, in history and receipts: no person and no application, but a command; and why."""

    id: str
    name: str
    reason: str


async def replay_where(
    services: Services, township: str, by: Installer, waits: Callable[[Stored], bool]
) -> TakenIn:
    """Replays every open quarantined change of a township that `waits`, oldest first."""
    reach = Reach((township,), restricted=True)
    caller = Caller(by.id, by.name, APPLICATION, reach, frozenset(rights().scopes))
    taken = waiting = above = 0
    while rows := await snapshot(
        services.engine,
        partial(office_changes.quarantined, township=township, above=above, most=_MOST),
    ):
        above = rows[-1].n
        for row in filter(waits, rows):
            done = await _replayed(services, caller, row, by.reason)
            taken, waiting = taken + done, waiting + (not done)
    return TakenIn(taken, waiting)


async def _replayed(services: Services, caller: Caller, row: Stored, reason: str) -> bool:
    try:
        await replay(services, caller, Target(row.change_id), Correction(reason=reason), by=OPERATOR)
    except Declined:
        return False
    return True
