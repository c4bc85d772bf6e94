"""Memory of a server process: ten thousand devices that have synced once and are idle, then W2."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from benchmarks import founding
from benchmarks.device import Device
from benchmarks.figures import Seen
from benchmarks.ground import Ground
from benchmarks.load.county import Enrolled
from benchmarks.load.memory import Course, family, look
from benchmarks.screening import workload
from benchmarks.turns import parts
from benchmarks.works.evening import DEVICES_A_TOWN, GRIDS_A_TOWN, TOWNS, enrolled, whole_evening

AT_ONCE: Final = 50
_MB: Final = 2**20 / 10**6


def measure(ground: Ground, idle: int, records: int) -> list[Seen]:
    """The most that any of our processes ever had resident, after the idle devices and after W2, in MB."""
    with ground.both(TOWNS) as both:
        for town in TOWNS:
            grids = founding.grids_of(town, GRIDS_A_TOWN)
            quiet = asyncio.run(founding.enrolled(both.database, town, grids, idle // len(TOWNS)))
            with ThreadPoolExecutor(AT_ONCE) as pool:
                list(pool.map(lambda me: _once(me, both.ours), quiet))
        courses = [Course(pid, []) for pid in family(both.pid)]
        look(courses)
        resting_mib = max(course.samples[-1].resident_mib for course in courses)
        share = records // (len(TOWNS) * DEVICES_A_TOWN)
        shares = parts(workload().records(share * len(TOWNS) * DEVICES_A_TOWN), share)
        whole_evening(enrolled(both.database, both.ours), shares)
        look(courses)
        peak_mib = max(course.peak_mib for course in courses)
    return [Seen("idle", resting_mib * _MB), Seen("memory", peak_mib * _MB)]


def _once(me: Enrolled, url: str) -> None:
    """A device that syncs once, with nothing to say."""
    device = Device(me, url)
    device.sync()
    device.link.close()
