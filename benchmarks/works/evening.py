"""W2: fifty devices of ten townships push 200 records each in batches of 50; then each pulls its township.

All at once, first ours and then the floor's. A device's pushes bring what others have sent meanwhile already; what is
still missing comes when all have pushed, page by page. The percentile is over all requests of a side.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from benchmarks import founding
from benchmarks.device import Device, FloorClient
from benchmarks.figures import Seen
from benchmarks.ground import Ground
from benchmarks.screening import TOWNSHIP, workload
from benchmarks.turns import Client, Step, at_once, parts, percentile99, seconds
from benchmarks.works.upload import bodies, pushes

Records = Sequence[dict[str, Any]]
Shares = Sequence[Records]
Side = TypeVar("Side", Device, FloorClient)
TOWNS: Final = [f"{int(TOWNSHIP) + nth}" for nth in range(10)]
DEVICES_A_TOWN: Final = 5
GRIDS_A_TOWN: Final = 3
_BATCH: Final = 50
_SHARE: Final = 100
"""200 records a device where W1 uploads 20,000."""


def measure(ground: Ground, records: int) -> list[Seen]:
    """One run."""
    with ground.both(TOWNS) as both:
        shares = parts(workload().records(_devices() * (records // _SHARE)), records // _SHARE)
        ours_s, ours_each = _timed(enrolled(both.database, both.ours), shares, _pushes)
        floors = [FloorClient(both.floor, town) for town in range(len(TOWNS)) for _ in range(DEVICES_A_TOWN)]
        floor_s, floor_each = _timed(floors, shares, _bodies)
    return [
        Seen("whole", ours_s, floor_s),
        Seen("p99", percentile99(ours_each) * 1e3, percentile99(floor_each) * 1e3),
    ]


def enrolled(database: str, url: str) -> list[Device]:
    """The devices of every township, which have had their first exchange."""
    devices: list[Device] = []
    for town in TOWNS:
        grids = founding.grids_of(town, GRIDS_A_TOWN)
        made = asyncio.run(founding.enrolled(database, town, grids, DEVICES_A_TOWN))
        devices += [Device(me, url, accepts="zstd") for me in made]
    for device in devices:
        device.pull()
    return devices


def whole_evening(devices: Sequence[Device], shares: Shares) -> float:
    """Seconds that our side takes for the whole of W2."""
    return _timed(devices, shares, _pushes)[0]


def _devices() -> int:
    return len(TOWNS) * DEVICES_A_TOWN


def _timed(
    clients: Sequence[Side], shares: Shares, pushes: Callable[[Side, Records], Client]
) -> tuple[float, list[float]]:
    """Seconds of the whole, and of each request."""
    each: list[float] = []

    def noted(step: Step) -> None:
        each.append(seconds(step))

    built: list[Client] = [
        [partial(noted, push) for push in pushes(client, share)]
        for client, share in zip(clients, shares, strict=True)
    ]
    pulls: list[Client] = [[partial(_read_on, client, noted)] for client in clients]
    return at_once(built) + at_once(pulls), each


def _pushes(device: Device, records: Records) -> Client:
    return pushes(device, records, founding.grids_of(device.me.township, GRIDS_A_TOWN), _BATCH)


def _bodies(floor: FloorClient, records: Records) -> Client:
    return bodies(floor, records, _BATCH)


def _read_on(client: Device | FloorClient, noted: Callable[[Step], None]) -> None:
    """Pages until the head, one at least."""
    noted(client.page)
    while not client.complete:
        noted(client.page)
