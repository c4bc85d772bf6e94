"""What waited for a kind is taken in once the kind is installed, without anybody having to think of it."""

import hashlib
from typing import Final

from server.quarantine.waiting import Installer, TakenIn, replay_where
from server.records.views import change_of
from server.services import Services
from server.storage import directory
from server.storage.changes import Stored
from server.storage.engine import snapshot
from sync_protocol.ids import uuid8
from sync_protocol.kinds import Kind

INSTALLER: Final = uuid8(hashlib.sha256(b"roundbook kinds install").digest())
"""Who takes them in, in history and receipts."""
_WAITING: Final = frozenset({"unknown_kind", "unknown_version"})
_BY: Final = Installer(INSTALLER, "roundbook kinds install", "the kind was installed 表单已安装")


async def replay_waiting(services: Services, kind: Kind) -> TakenIn:
    """Replays every quarantined change that waited for this version of a kind, township by township."""
    taken = waiting = 0
    for township in await snapshot(services.engine, directory.opened):
        done = await replay_where(services, township.township, _BY, lambda row: _waits_for(row, kind))
        taken, waiting = taken + done.taken, waiting + done.waiting
    return TakenIn(taken, waiting)


def _waits_for(row: Stored, kind: Kind) -> bool:
    change = change_of(row) if row.code in _WAITING else None
    return change is not None and (change.kind, change.version) == kind.key
