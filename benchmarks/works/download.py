"""W4: the first download. On the wire, page by page in turn with the floor's; then into an encrypted store."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

from benchmarks import founding, stores
from benchmarks.device import Device, FloorClient
from benchmarks.figures import Seen
from benchmarks.ground import Both, Ground
from benchmarks.screening import TOWNSHIP, creates, workload
from benchmarks.stores import Connection
from benchmarks.turns import at_once, in_turn, parts
from benchmarks.works.upload import BATCH, bodies
from client_sdk import FieldClient

GRIDS: Final = founding.grids_of()
"""Every grid of the township, as the workload's records are spread."""


def measure(ground: Ground, records: int) -> list[Seen]:
    """One run."""
    every = workload().records(records)
    with ground.both() as both:
        fill(both.database, both.ours, every)
        at_once([bodies(FloorClient(both.floor), every)])
        ours_s, floor_s, floor_bytes = _on_the_wire(both, records)
        with downloaded(ground.file("device.rbk"), both.database, both.ours) as (_, stored_s, down):
            bytes_down = down / records
        slow_bytes = _over_a_slow_link(both, records)
    return [
        Seen("wire", records / ours_s, records / floor_s),
        Seen("stored", records / stored_s),
        Seen("bytes", bytes_down, floor_bytes / records),
        Seen("slow", slow_bytes / records, floor_bytes / records),
    ]


def fill(database: str, url: str, records: list[dict[str, Any]]) -> None:
    """Brings records to the server, spread over all grids of the township."""
    [me] = asyncio.run(founding.enrolled(database, TOWNSHIP, GRIDS, 1))
    device = Device(me, url)
    for batch in parts(creates(records, GRIDS), BATCH):
        device.push(batch)
    device.link.close()


@contextmanager
def downloaded(file: Path, database: str, url: str) -> Iterator[tuple[FieldClient, float, int]]:
    """A device of all grids that has just had its first download; the seconds that it took, and the bytes."""
    with (
        Connection(url) as connection,
        stores.opened(file, database, connection, GRIDS) as client,
    ):
        start = time.perf_counter()
        report = client.sync()
        seconds = time.perf_counter() - start
        assert report.complete, report
        yield client, seconds, report.bytes_down


def _on_the_wire(both: Both, records: int) -> tuple[float, float, int]:
    """Seconds for ours and the floor's pages, read and taken apart into records, nothing stored; the floor's bytes."""
    [me] = asyncio.run(founding.enrolled(both.database, TOWNSHIP, GRIDS, 1))
    device, floor = Device(me, both.ours, accepts="zstd"), FloorClient(both.floor)
    got: list[int] = []
    ours_s = floor_s = 0.0
    while not (device.complete and floor.complete):
        ours = [partial(_page, device, got)] * (not device.complete)
        theirs = [floor.page] * (not floor.complete)
        one, other = in_turn([ours], [theirs])
        ours_s, floor_s = ours_s + one, floor_s + other
    assert sum(got) == records, f"{sum(got)} of {records} came"
    return ours_s, floor_s, floor.link.bytes_down


def _over_a_slow_link(both: Both, records: int) -> int:
    """The bytes down when every page is asked for as over a slow link."""
    [me] = asyncio.run(founding.enrolled(both.database, TOWNSHIP, GRIDS, 1))
    device = Device(me, both.ours, sparing=True)
    got = len(device.pull())
    assert got == records, f"{got} of {records} came"
    return device.link.bytes_down


def _page(device: Device, got: list[int]) -> None:
    got.append(len(device.page()))
