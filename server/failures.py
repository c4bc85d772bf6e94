"""How much of what may be guessed or hoarded is borne in a minute, by caller and in all, in one process.

Against the 40 bits, the ten minutes and the handful of open one-time codes, a hundred guesses a minute get
nowhere; the bound keeps them at that. It is kept in memory: a restart forgives, which changes nothing of the odds.
"""

from collections import OrderedDict, deque
from typing import Final

import msgspec

from server.settings import Settings

WINDOW_MS: Final = 60_000
_SIGN_IN_TOTAL: Final = 10**6
"""Failures of all addresses together: no bound, else whoever has many addresses locks everybody out."""
_CONTACT_TOTAL: Final = 10_000
"""Asked for by everybody together."""
_ADDRESSES_MAX: Final = 10_000


class Failures:
    """Counts failures in the last minute. Times are milliseconds of one clock."""

    def __init__(self, per_address: int, total: int) -> None:
        self._per_address = per_address
        self._total = total
        self._all: deque[int] = deque(maxlen=total)
        self._by_address: OrderedDict[str, deque[int]] = OrderedDict()

    def too_many(self, address: str, now_ms: int) -> bool:
        """Whether an address has to wait before it is listened to again."""
        mine = self._by_address.get(address)
        return _full(self._all, self._total, now_ms) or (
            mine is not None and _full(mine, self._per_address, now_ms)
        )

    def add(self, address: str, now_ms: int) -> None:
        """Counts one failure of an address."""
        self._all.append(now_ms)
        mine = self._by_address.setdefault(address, deque(maxlen=self._per_address))
        mine.append(now_ms)
        self._by_address.move_to_end(address)
        if len(self._by_address) > _ADDRESSES_MAX:
            self._by_address.popitem(last=False)


def _full(times: deque[int], most: int, now_ms: int) -> bool:
    """Whether the last `most` failures all lie in the window. A clock set back frees nobody for long."""
    return len(times) >= most and 0 <= now_ms - times[0] < WINDOW_MS


class Counted(msgspec.Struct, frozen=True):
    """What a process counts."""

    codes: Failures
    """Wrong one-time codes, by address."""
    sign_ins: Failures
    """Wrong passwords and links, by address."""
    contact: Failures
    """Contact that was asked for, by person, wherever it is asked for."""


def counted(settings: Settings) -> Counted:
    """Nothing yet, under the bounds that an operator chose."""
    return Counted(
        Failures(settings.failures_per_address, settings.failures_total),
        Failures(settings.sign_in.sign_in_failures_per_address, _SIGN_IN_TOTAL),
        Failures(settings.contact_asks, _CONTACT_TOTAL),
    )
