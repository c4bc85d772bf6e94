"""What every feature of the server is given: the database, the kinds, the clock, the limits."""

import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, TypeVar

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from server.failures import Counted, counted
from server.kinds.registry import Registry
from server.memory import Memory
from server.sessions.limits import SignInLimits
from server.settings import Settings
from server.storage.engine import Work, open_engine, transact
from server.turns import Turns
from server.vault import keyfile
from sync_protocol.limits import Limits
from sync_protocol.messages import Profile

T = TypeVar("T")
DEVICES_MAX: Final = 20_000
"""Devices that one process remembers the key and the profile of; a county has 6,000."""
PROFILE_MS: Final = 30_000
_POOL_SHARES: Final = 4
"""One township takes at most this part of the connections."""


def _keys() -> Memory[bytes]:
    return Memory(DEVICES_MAX)


def _counted() -> Counted:
    return counted(Settings())


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
    recovery: tuple[bytes, ...] = ()
    """Private halves of a township's recovery key that somebody brought for one command; else those here count."""
    contact_minutes: int = 10
    """How long contact may be shown after a reason was stated."""
    keys: Memory[bytes] = msgspec.field(default_factory=_keys)
    """Public keys of devices, by township and device."""
    profiles: Memory[Profile] = msgspec.field(default_factory=_profiles)
    heads: dict[str, int] = msgspec.field(default_factory=dict)
    """The last number of each township that this process has seen committed (sync/timeline.py)."""
    turns: Turns = msgspec.field(default_factory=Turns)
    counted: Counted = msgspec.field(default_factory=_counted)

    @asynccontextmanager
    async def turn(self, township: str) -> AsyncIterator[None]:
        """A turn of this township at the database; a file has one lock, and so one queue, for all of them."""
        async with self.turns.of("" if self.engine.dialect.name == "sqlite" else township):
            yield

    async def write(self, township: str, work: Work[T]) -> T:
        """Runs a write of one township in its turn; see `transact`."""
        async with self.turn(township):
            return await transact(self.engine, work)


def open_services(settings: Settings, opened: AsyncEngine | None = None) -> Services:
    """The services of a real server: the system's clock and randomness; an engine of their own unless one is given."""
    engine = opened if opened is not None else _engine(settings)
    return Services(
        engine,
        Registry(engine, _system_ms),
        _system_ms,
        secrets.token_bytes,
        settings.limits,
        sign_in=settings.sign_in,
        code_minutes=settings.code_minutes,
        lease_days=settings.lease_days,
        erasures=Path(settings.erasures) if settings.erasures else None,
        contact_minutes=settings.contact_minutes,
        turns=Turns(max(1, settings.pool_size // _POOL_SHARES), settings.wait_s),
        counted=counted(settings),
    )


def _engine(settings: Settings) -> AsyncEngine:
    return open_engine(
        settings.database, pool_size=settings.pool_size, wait_s=settings.wait_s, vault=keyfile.vault(settings)
    )


def _system_ms() -> int:
    return time.time_ns() // 1_000_000
