"""What a server process may remember between requests: only what can be read again at any time."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final, Generic, TypeVar

Value = TypeVar("Value")
FOR_EVER: Final = 2**62


class Memory(Generic[Value]):
    """The most recently used values of a bounded number, each for a bounded time in milliseconds."""

    def __init__(self, most: int, lifetime_ms: int = FOR_EVER) -> None:
        self._most = most
        self._lifetime_ms = lifetime_ms
        self._values: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()

    def get(self, key: Hashable, now_ms: int = 0) -> Value | None:
        """The value remembered for `key`, unless it is too old or the clock went back."""
        found = self._values.get(key)
        if found is None or not 0 <= now_ms - found[1] < self._lifetime_ms:
            return None
        self._values.move_to_end(key)
        return found[0]

    def forget(self, key: Hashable) -> None:
        """Forgets the value of `key`, if one is remembered."""
        self._values.pop(key, None)

    def put(self, key: Hashable, value: Value, now_ms: int = 0) -> None:
        """Remembers a value; the one that was not used for longest is forgotten when there are too many."""
        self._values[key] = (value, now_ms)
        self._values.move_to_end(key)
        if len(self._values) > self._most:
            self._values.popitem(last=False)
