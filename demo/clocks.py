"""The simulated days. Everything here is milliseconds since 1970 UTC.

The true time of the demo is the last Sunday afternoon to Wednesday morning that are over, so that what the office
looks at afterwards is some days old. The server lives in it; a device's clock shows it with an error of its own,
which may be hours or decades.
"""

import mmap
import struct
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Final, Self

SHANGHAI: Final = timezone(timedelta(hours=8), "Asia/Shanghai")
SECOND: Final = 1_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
_BYTES: Final = 8
_TICK_MS: Final = 3
_WEDNESDAY: Final = 2


def sunday_before(now: datetime) -> datetime:
    """The last Sunday whose Wednesday is over and lies in the same year: numbers begin anew with one."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    wednesday = midnight - timedelta(days=(midnight.weekday() - _WEDNESDAY - 1) % 7 + 1)
    sunday = wednesday - timedelta(days=3)
    return sunday if sunday.year == wednesday.year else sunday - timedelta(days=7)


_SUNDAY: Final = sunday_before(datetime.fromtimestamp(time.time(), SHANGHAI))


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
