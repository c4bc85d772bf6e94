"""How many wrong one-time codes are borne in a minute, by address and in all, in one process.

Against 40 bits, ten minutes and a handful of open codes, a hundred guesses a minute get nowhere; the bound
keeps them at that. It is kept in memory: a restart forgives, which changes nothing of the odds.
"""

from collections import OrderedDict, deque
from typing import Final

WINDOW_MS: Final = 60_000
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
