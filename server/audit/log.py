"""The one door into the audit: `append`, called inside the transaction of the act itself.

So an act without its entry cannot be committed, nor an entry without its act. Rule for locks: first the
township's row, where the act takes it; then everything else; the chain's head last, by `append`. After
`append` a transaction locks nothing more but other chains' heads, in the order of their codes. It has to run
in `transact`, never in `snapshot`.
"""

import secrets
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.audit.acts import Act, Actor
from server.audit.chain import SALT_BYTES, beginning, following
from server.storage import audit
from server.storage.audit import Head

_encode: Final = msgspec.json.Encoder(order="deterministic").encode


async def append(
    connection: AsyncConnection, act: Act, *, random: Callable[[int], bytes] = secrets.token_bytes
) -> Head:
    """Writes an act down as the next entry of its chain; where the chain ends now.

    Nothing that is decided depends on the salt, so only tests hand in their own randomness.
    """
    detail, salt = _encode(dict(act.detail)), random(SALT_BYTES)
    head = await audit.lock_head(connection, act.township, beginning(act.township))
    entry, moved = following(head, act.name, str(act.by), act.at_ms, detail, salt)
    await audit.add(connection, entry)
    return moved


async def erase(
    connection: AsyncConnection, township: str, numbers: Sequence[int], *, by: Actor, now_ms: int
) -> None:
    """Erases the details of entries, which still verify, and says so in an entry of its own."""
    told: dict[str, Sequence[int]] = {"entries": sorted(set(numbers))}
    await audit.lock_head(connection, township, beginning(township))
    await audit.blank(connection, township, told["entries"])
    await append(connection, Act(township, "detail_erased", by, now_ms, told))
