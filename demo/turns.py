"""The order in which devices reach the server, so that what becomes of every change follows from the seed.

Devices work and sync in threads of their own; who comes first to a shared record would be the scheduler's
choice. So the server is reached in turns: a token goes round, in the order that was drawn, and each device
has one exchange each time round until its sync is over. Slow links still wait side by side, because only
the server's part of an exchange is inside a turn. Where nothing is sent the order decides nothing, and there
is no ring: then everybody reaches the server at once.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from client_sdk import HttpTransport, Response
from client_sdk.transport import TOTAL_S

PATIENCE_S: Final = 120.0


class Turns:
    """The token. `on_turn` runs at the beginning of every turn in a ring."""

    def __init__(self, on_turn: Callable[[], object]) -> None:
        self._on_turn = on_turn
        self._changed = threading.Condition()
        self._ring: list[str] = []
        self._at = 0

    def begin(self, order: Sequence[str]) -> None:
        """Everybody in `order` will sync now."""
        with self._changed:
            self._ring, self._at = list(order), 0
            self._changed.notify_all()

    @contextmanager
    def turn(self, name: str) -> Iterator[None]:
        """Waits for the turn of `name`, and hands the token on at the end. Without a ring nobody waits."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._has(name), PATIENCE_S):
                message = f"{name} waited {PATIENCE_S:.0f} s for {self._ring[self._at]}"
                raise TimeoutError(message)
            if name in self._ring:
                self._on_turn()
        try:
            yield
        finally:
            with self._changed:
                if name in self._ring:
                    self._at = (self._at + 1) % len(self._ring)
                self._changed.notify_all()

    def leave(self, name: str) -> None:
        """The sync of `name` is over."""
        with self._changed:
            if name in self._ring:
                at = self._ring.index(name)
                self._ring.remove(name)
                self._at -= at < self._at
                self._at %= max(len(self._ring), 1)
            self._changed.notify_all()

    def _has(self, name: str) -> bool:
        return name not in self._ring or self._ring[self._at] == name


class InTurn:
    """The transport of a device with a good link: HTTP, one exchange at its turn."""

    def __init__(self, url: str, turns: Turns, name: str) -> None:
        self._http = HttpTransport(url)
        self._turns = turns
        self._name = name

    def exchange(
        self, method: str, path: str, headers: dict[str, str], body: bytes, timeout_s: float = TOTAL_S
    ) -> Response:
        """See Transport."""
        with self._turns.turn(self._name):
            return self._http.exchange(method, path, headers, body, timeout_s)

    def close(self) -> None:
        """See Transport."""
        self._http.close()
