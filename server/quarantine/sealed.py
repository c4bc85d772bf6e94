"""What devices offered sealed is taken in once the township's recovery key has been brought."""

import hashlib
from typing import Final

from server.quarantine.waiting import Installer, TakenIn, replay_where
from server.services import Services
from sync_protocol import kept
from sync_protocol.ids import uuid8

_NAME: Final = "roundbook recovery take-in"
_BY: Final = Installer(
    uuid8(hashlib.sha256(_NAME.encode()).digest()), _NAME, "the recovery key was brought 已取来恢复密钥"
)


async def replay_sealed(services: Services, township: str) -> TakenIn:
    """Replays what is sealed in the quarantine, with the keys that `services` was given, or those that are here."""
    return await replay_where(services, township, _BY, lambda row: kept.read(row.payload) is not None)
