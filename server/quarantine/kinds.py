"""What waited for a kind is taken in once the kind is installed, without anybody having to think of it."""

import hashlib
from functools import partial
from typing import Final

import msgspec

from server.audit.acts import OPERATOR
from server.declined import Declined
from server.quarantine.replaying import Correction
from server.quarantine.service import replay
from server.reach import Caller, Reach
from server.records.views import change_of
from server.records.writing import Target
from server.rights import APPLICATION, rights
from server.services import Services
from server.storage import directory, office_changes
from server.storage.changes import Stored
from server.storage.engine import snapshot
from sync_protocol.ids import uuid8
from sync_protocol.kinds import Kind

INSTALLER: Final = uuid8(hashlib.sha256(b"roundbook kinds install").digest())
"""Who takes them in, in history and receipts: no person and no application, but the installation."""
_WAITING: Final = frozenset({"unknown_kind", "unknown_version"})
_MOST: Final = 500
_REASON: Final = "the kind was installed 表单已安装"


class TakenIn(msgspec.Struct, frozen=True):
    """How many changes were taken in, and how many still wait for something else."""

    taken: int
    waiting: int


async def replay_waiting(services: Services, kind: Kind) -> TakenIn:
    """Replays every quarantined change that waited for this version of a kind, township by township."""
    taken = waiting = 0
    for township in await snapshot(services.engine, directory.opened):
        reach = Reach((township.township,), restricted=True)
        scopes = frozenset(rights().scopes)
        installer = Caller(INSTALLER, "roundbook kinds install", APPLICATION, reach, scopes)
        above = 0
        while rows := await snapshot(
            services.engine,
            partial(office_changes.quarantined, township=township.township, above=above, most=_MOST),
        ):
            above = rows[-1].n
            for row in rows:
                if _waits_for(row, kind):
                    done = await _replayed(services, installer, row)
                    taken, waiting = taken + done, waiting + (not done)
    return TakenIn(taken, waiting)


def _waits_for(row: Stored, kind: Kind) -> bool:
    change = change_of(row) if row.code in _WAITING else None
    return change is not None and (change.kind, change.version) == kind.key


async def _replayed(services: Services, installer: Caller, row: Stored) -> bool:
    try:
        await replay(services, installer, Target(row.change_id), Correction(reason=_REASON), by=OPERATOR)
    except Declined:
        return False
    return True
