"""The simulated days. Everything here is milliseconds since 1970 UTC.

The true time of the demo is a Sunday afternoon to a Wednesday morning in March 2026. The server lives in it;
a device's clock shows it with an error of its own, which may be hours or decades.
"""

import mmap
import struct
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Final, Self

SHANGHAI: Final = timezone(timedelta(hours=8), "Asia/Shanghai")
_SUNDAY: Final = datetime(2026, 3, 1, tzinfo=SHANGHAI)
SECOND: Final = 1_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
_BYTES: Final = 8
_TICK_MS: Final = 3


def at(day: int, hour: int, minute: int = 0) -> int:
    """A moment of the round: day 0 is the Sunday before it."""
    return round((_SUNDAY + timedelta(days=day, hours=hour, minutes=minute)).timestamp() * SECOND)


def local(ms: int) -> datetime:
    """A moment as the township's clocks show it; at the ends of the calendar what fits into it."""
    return datetime(1970, 1, 1, tzinfo=SHANGHAI) + timedelta(hours=8, milliseconds=ms)


class DeviceClock:
    """A device's clock: the true time and an error. It runs a little with every look, as clocks do."""

    def __init__(self, true_ms: int, error_ms: int) -> None:
        self.true_ms = true_ms
        self.error_ms = error_ms

    def __call__(self) -> int:
        """What the device shows."""
        self.true_ms += _TICK_MS
        return self.true_ms + self.error_ms

    def reach(self, true_ms: int) -> None:
        """Time passes until `true_ms`."""
        self.true_ms = max(self.true_ms, true_ms)

    def wait(self, ms: int) -> None:
        """Time passes."""
        self.true_ms += ms


class ServerClock:
    """The server's clock, in a file of eight bytes: one process sets it, the server's process reads it."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(_BYTES))
        with path.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), _BYTES)

    def __call__(self) -> int:
        """What the server shows."""
        return int(struct.unpack("<q", self._shared[:_BYTES])[0])

    def reach(self, ms: int) -> None:
        """Time passes until `ms`."""
        self._shared[:_BYTES] = struct.pack("<q", max(ms, self()))

    def wait(self, ms: int) -> None:
        """Time passes."""
        self.reach(self() + ms)

    def close(self) -> None:
        """Lets go of the file."""
        self._shared.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
