"""W1: new records go up in batches of 200, from one device or from four at once; the floor takes the same.

Each of the four works in grids of its own, as workers do: none gets the others' records, nor does the floor send any.
"""

import asyncio
import json
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from benchmarks import founding
from benchmarks.device import Device, FloorClient
from benchmarks.figures import Seen
from benchmarks.ground import Both, Ground
from benchmarks.screening import TOWNSHIP, creates, workload
from benchmarks.turns import Client, in_turn, parts

BATCH: Final = 200
_GRIDS_EACH: Final = 3
GRIDS: Final = founding.grids_of(TOWNSHIP, _GRIDS_EACH)
"""Of the first device."""


def one(ground: Ground, records: int) -> list[Seen]:
    """From one device."""
    return _measure(ground, records, 1)


def four(ground: Ground, records: int) -> list[Seen]:
    """From four at once, a quarter each."""
    return _measure(ground, records, 4)


def _measure(ground: Ground, records: int, clients: int) -> list[Seen]:
    shares = parts(workload().records(records), -(-records // clients))
    with ground.both() as both:
        every = founding.grids_of(TOWNSHIP, clients * _GRIDS_EACH)
        own = parts(every, _GRIDS_EACH)
        ours = [
            pushes(devices(both, 1, grids)[0], share, grids) for share, grids in zip(shares, own, strict=True)
        ]
        floor = [bodies(FloorClient(both.floor), share) for share in shares]
        ours_s, floor_s = in_turn(ours, floor)
    return [Seen("upload", records / ours_s, records / floor_s)]


def pushes(
    device: Device, records: Sequence[dict[str, Any]], grids: Sequence[str] = GRIDS, size: int = BATCH
) -> Client:
    """The pushes of one device, `size` records each, their changes built now."""
    built = creates(records, grids)
    return [partial(device.push, batch) for batch in parts(built, size)]


def bodies(floor: FloorClient, records: Sequence[dict[str, Any]], size: int = BATCH) -> Client:
    """The same records for the floor, as bodies."""
    return [
        partial(floor.push, json.dumps(batch, ensure_ascii=False).encode(), len(batch))
        for batch in parts(records, size)
    ]


def devices(both: Both, count: int, grids: Sequence[str] = GRIDS) -> list[Device]:
    """Devices that have had their first, empty exchange: profile and connection are there."""
    enrolled = asyncio.run(founding.enrolled(both.database, TOWNSHIP, grids, count))
    made = [Device(me, both.ours) for me in enrolled]
    for device in made:
        device.pull()
    return made
