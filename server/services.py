"""What every feature of the server is given: the database, the kinds, the clock, the limits."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, TypeVar

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from server.kinds.registry import Registry
from server.memory import Memory
from server.sessions.limits import SignInLimits
from server.storage.engine import Work, transact
from server.turns import Turns
from sync_protocol.limits import Limits
from sync_protocol.messages import Profile

T = TypeVar("T")
DEVICES_MAX: Final = 20_000
"""Devices that one process remembers the key and the profile of; a county has 6,000."""
PROFILE_MS: Final = 30_000


def _keys() -> Memory[bytes]:
    return Memory(DEVICES_MAX)


def _profiles() -> Memory[Profile]:
    return Memory(DEVICES_MAX, PROFILE_MS)


class Services(msgspec.Struct, frozen=True):
    """Made once by app.py, never changed."""

    engine: AsyncEngine
    registry: Registry
    clock: Callable[[], int]
    """The server's time in milliseconds since 1970 UTC."""
    random: Callable[[int], bytes]
    """So many random bytes, fit for keys."""
    limits: Limits
    sign_in: SignInLimits = SignInLimits()
    code_minutes: int = 10
    """How long a one-time code for a device is valid."""
    lease_days: int = 0
    """How long a device's store stays open without a contact; 0: for ever."""
    erasures: Path | None = None
    """The list of erasures outside the database; None keeps none, which only tests want."""
    contact_minutes: int = 10
    """How long contact may be shown after a reason was stated."""
    keys: Memory[bytes] = msgspec.field(default_factory=_keys)
    """Public keys of devices, by township and device."""
    profiles: Memory[Profile] = msgspec.field(default_factory=_profiles)
    turns: Turns = msgspec.field(default_factory=Turns)

    @asynccontextmanager
    async def turn(self, township: str) -> AsyncIterator[None]:
        """A turn of this township at the database; a file has one lock, and so one queue, for all of them."""
        async with self.turns.of("" if self.engine.dialect.name == "sqlite" else township):
            yield

    async def write(self, township: str, work: Work[T]) -> T:
        """Runs a write of one township in its turn; see `transact`."""
        async with self.turn(township):
            return await transact(self.engine, work)
