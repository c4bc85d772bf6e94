"""`make load` in small: more devices than places. Some are sent away, all come through, memory stays where it was."""

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from benchmarks.load.county import founded, stored_changes
from benchmarks.load.fleet import Device, Told, evening
from benchmarks.load.memory import Course, watched
from sync_protocol.session import Policy
from tests.e2e.processes import serving

DEVICES, CHANGES, ROUNDS = 60, 5, 2
GROWTH_MIB = 60
BOUNDS = {"requests_max": 8, "retry_after_s_max": 3, "pool_size": 4}


async def _evenings(fleet: list[Device], pid: int) -> tuple[list[Told], list[Course]]:
    told: list[Told] = []
    async with watched(pid) as courses:
        for _ in range(ROUNDS):
            told += await evening(fleet, 0, CHANGES)
    return told, courses


@pytest.mark.slow
def test_more_devices_than_places_all_come_through(database_url: str, tmp_path: Path) -> None:
    enrolled = asyncio.run(founded(database_url, towns=2, villages=2))[:DEVICES]
    with serving(database_url, tmp_path, **BOUNDS) as (url, process):
        parts = urlsplit(url)
        fleet = [Device(one, parts.hostname or "", parts.port or 0, Policy()) for one in enrolled]
        told, courses = asyncio.run(_evenings(fleet, process.pid))
    assert sum(one.shed for one in told) > DEVICES / 4, "the bound was never met"
    assert sum(one.broken for one in told) == 0
    assert max(one.tries for one in told) > 1
    assert all(waited >= asked for one in told for asked, waited in one.pauses)
    assert sum(device.waiting for device in fleet) == 0
    assert asyncio.run(stored_changes(database_url)) == DEVICES * CHANGES * ROUNDS
    for course in courses:
        assert course.peak_mib - course.samples[0].resident_mib < GROWTH_MIB
