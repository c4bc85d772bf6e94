"""`make load`: a township and a county in the same minutes, or many evenings in a few; docs/load.md."""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.ground import database
from benchmarks.load.county import Enrolled, founded, stored_changes
from benchmarks.load.fleet import Device, Told, evening
from benchmarks.load.memory import Course, watched
from migrations.run import upgrade
from sync_protocol.session import Policy
from tests.e2e.processes import serving
from tests.postgres import postgres_server

WORKERS: Final = 2
PEAK_MIB: Final = 400
"""What one process may ever take: its 130 at rest, and all that settings.py lets in at once."""
GROWTH_MIB_AN_HOUR: Final = 60
"""What one process may grow, measured over the second half, when connections and what it remembers are there."""
SCENE_S_MAX: Final = 400
"""Whoever has not come through by then has not."""
_WARM: Final = 1 / 2
_console: Final = Console(width=120)


class Scene(msgspec.Struct, frozen=True):
    """So many townships of so many villages with 25 grids and devices each, which sync within some seconds."""

    name: str
    towns: int
    villages: int
    within_s: float
    changes: int = 5


TOWNSHIP: Final = Scene("a township", 1, 12, 5)
COUNTY: Final = Scene("a county", 20, 10, 60)
EVENINGS: Final = Scene("evenings", 4, 3, 10)


def main() -> None:
    """Plays the scenes; ends with 1 when something was lost, or memory passed its bound."""
    parser = argparse.ArgumentParser(prog="make load", description="Many devices in the same minutes.")
    parser.add_argument("--minutes", type=float, help="instead: one evening after another, for so long")
    parser.add_argument("--requests-max", type=int, help="ROUNDBOOK_REQUESTS_MAX of the server")
    asked = parser.parse_args()
    settings = {"workers": WORKERS}
    if asked.requests_max:
        settings["requests_max"] = asked.requests_max
    scenes = [EVENINGS] if asked.minutes else [TOWNSHIP, COUNTY]
    with tempfile.TemporaryDirectory(prefix="roundbook-load-") as folder:
        sound = [_play(scene, Path(folder), settings, asked.minutes) for scene in scenes]
    sys.exit(0 if all(sound) else 1)


@contextmanager
def stage(
    scene: Scene, folder: Path, settings: dict[str, int]
) -> Iterator[tuple[str, str, int, list[Enrolled]]]:
    """The scene's database and server: the database's URL, the server's, its process, its devices."""
    with postgres_server(folder / "postgres", {}) as server, database(server, "load") as url:
        upgrade(url)
        devices = asyncio.run(founded(url, towns=scene.towns, villages=scene.villages))
        with serving(url, folder, **settings) as (address, process):
            yield url, address, process.pid, devices


def _play(scene: Scene, folder: Path, settings: dict[str, int], minutes: float | None) -> bool:
    """One scene; whether nothing was lost and memory stayed within its bounds."""
    with stage(scene, folder, settings) as (url, address, pid, enrolled):
        parts = urlsplit(address)
        fleet = [Device(one, parts.hostname or "", parts.port or 0, Policy()) for one in enrolled]
        began = time.monotonic()
        try:
            told, courses = asyncio.run(_rounds(scene, fleet, pid, minutes))
        except TimeoutError:
            left = sum(bool(device.waiting) for device in fleet)
            _console.print(f"{scene.name}: {left} devices had not come through after {SCENE_S_MAX} s")
            return False
        seconds = time.monotonic() - began
        saved = scene.changes * len(told)
        stored = asyncio.run(stored_changes(url))
    show_waits(scene, told, seconds)
    show_memory(courses)
    lost = saved - stored + sum(device.waiting for device in fleet)
    early = sum(wait < asked for one in told for asked, wait in one.pauses)
    _console.print(f"changes saved {saved}, stored {stored}, lost {lost}; came back too early {early}")
    return lost == 0 and early == 0 and _bounded(courses, grown=minutes is not None)


async def _rounds(
    scene: Scene, fleet: list[Device], pid: int, minutes: float | None
) -> tuple[list[Told], list[Course]]:
    """One evening, or as many as begin within so many minutes."""
    told: list[Told] = []
    async with watched(pid) as courses, asyncio.timeout(None if minutes else SCENE_S_MAX):
        until = time.monotonic() + 60 * (minutes or 0)
        while not told or time.monotonic() < until:
            told += await evening(fleet, scene.within_s, scene.changes)
    return told, courses


def _bounded(courses: list[Course], *, grown: bool) -> bool:
    peak = max(course.peak_mib for course in courses)
    growth = max(course.slope_mib_a_minute(_WARM) for course in courses) * 60 if grown else 0.0
    good = peak <= PEAK_MIB and growth <= GROWTH_MIB_AN_HOUR
    words = f", growth {growth:.1f} MiB an hour (bound {GROWTH_MIB_AN_HOUR})" if grown else ""
    _console.print(
        f"memory: peak {peak:.0f} MiB (bound {PEAK_MIB}){words}: {'within' if good else 'PAST'} its bounds\n"
    )
    return good


def show_waits(scene: Scene, told: list[Told], seconds: float) -> None:
    """Throughput, waits, and what was sent away."""
    waits = sorted(one.waited_s for one in told)
    tries = [one.tries for one in told]
    table = Table(
        title=f"{scene.name}: {len(told)} syncs of {scene.changes} changes, begun within {scene.within_s:g} s"
    )
    for heading in (
        "seconds",
        "syncs/s",
        "wait median",
        "wait p99",
        "wait most",
        "503",
        "broken",
        "tries mean",
        "tries most",
        "begun again",
    ):
        table.add_column(heading, justify="right")
    table.add_row(
        f"{seconds:.0f}",
        f"{len(told) / seconds:.0f}",
        f"{statistics.median(waits):.2f} s",
        f"{waits[int(len(waits) * 0.99)]:.2f} s",
        f"{waits[-1]:.2f} s",
        str(sum(one.shed for one in told)),
        str(sum(one.broken for one in told)),
        f"{statistics.mean(tries):.2f}",
        str(max(tries)),
        str(sum(one.given_up for one in told)),
    )  # fmt: skip
    _console.print(table)


def show_memory(courses: list[Course]) -> None:
    """Each process at the beginning, at each quarter of the time and at its highest."""
    table = Table(title="resident memory of the server's processes, MiB")
    for heading in ("process", "begin", "1/4", "1/2", "3/4", "end", "peak", "MiB a minute, 2nd half"):
        table.add_column(heading, justify="right")
    for number, course in enumerate(courses):
        samples = course.samples
        marks = [samples[min(len(samples) - 1, len(samples) * n // 4)].resident_mib for n in range(5)]
        slope = course.slope_mib_a_minute(_WARM)
        name = "parent" if number == 0 else f"worker {number}"
        table.add_row(name, *(f"{mark:.0f}" for mark in marks), f"{course.peak_mib:.0f}", f"{slope:+.2f}")
    _console.print(table)


if __name__ == "__main__":
    main()
