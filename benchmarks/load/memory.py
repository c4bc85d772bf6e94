"""Memory of server processes, as Linux counts it: resident now, and the most there ever was."""

import asyncio
import re
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec

_PROC: Final = Path("/proc")
_EVERY_S: Final = 1.0
_MIB: Final = 2**10
"""/proc counts in KiB."""


class Sample(msgspec.Struct, frozen=True):
    """One look at one process. Seconds of the monotonic clock, MiB."""

    at_s: float
    resident_mib: float
    peak_mib: float


class Course(msgspec.Struct, frozen=True):
    """The samples of one process."""

    pid: int
    samples: list[Sample] = []

    @property
    def peak_mib(self) -> float:
        """The most that was ever resident."""
        return max(sample.peak_mib for sample in self.samples)

    def slope_mib_a_minute(self, from_share: float) -> float:
        """How fast it grows, by least squares, over the samples after the first `from_share` of the time."""
        begin, end = self.samples[0].at_s, self.samples[-1].at_s
        late = [s for s in self.samples if s.at_s >= begin + (end - begin) * from_share]
        times, sizes = [s.at_s for s in late], [s.resident_mib for s in late]
        return statistics.linear_regression(times, sizes).slope * 60


def family(pid: int) -> list[int]:
    """A process and its children: what serves, and what watches over it."""
    children = (_PROC / str(pid) / "task" / str(pid) / "children").read_text().split()
    return [pid, *(one for child in children for one in family(int(child)))]


@asynccontextmanager
async def watched(pid: int) -> AsyncIterator[list[Course]]:
    """Looks at a process and its children every second, for as long as the block lasts."""
    courses = [Course(one, []) for one in family(pid)]

    async def watch() -> None:
        while True:
            look(courses)
            await asyncio.sleep(_EVERY_S)

    task = asyncio.create_task(watch())
    try:
        yield courses
    finally:
        task.cancel()
        look(courses)


def look(courses: list[Course]) -> None:
    """Adds one sample to each."""
    for course in courses:
        with suppress(FileNotFoundError, ProcessLookupError):
            said = (_PROC / str(course.pid) / "status").read_text()
            found = dict(re.findall(r"(VmRSS|VmHWM):\s+(\d+) kB", said))
            course.samples.append(
                Sample(time.monotonic(), int(found["VmRSS"]) / _MIB, int(found["VmHWM"]) / _MIB)
            )
