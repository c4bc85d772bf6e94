"""W3: ten devices edit a fifth of the records each, all from one stale base, and exchange until all stand alike.

The records are there and every device has downloaded them. Then all push their edits at once, in batches, and read;
and read again until the last pages of all carry the same digests. Nothing is stored on the devices, as with the
peers: seconds and bytes are those of the exchange.
"""

import asyncio
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final

import msgspec

from benchmarks import founding
from benchmarks.device import Device
from benchmarks.figures import Seen
from benchmarks.ground import Ground
from benchmarks.screening import TOWNSHIP, Shown, creates, edit, record_of, shown, workload
from benchmarks.turns import parts
from benchmarks.works.upload import BATCH, GRIDS

DEVICES: Final = 10
_BASE_SHARE: Final = 4
"""5,000 records where W1 uploads 20,000."""
_EDITS_SHARE: Final = 5
"""Each device edits a fifth of them."""


def measure(ground: Ground, records: int) -> list[Seen]:
    """One run."""
    base = workload().records(records // _BASE_SHARE)
    edits = workload().edits(base, DEVICES, len(base) // _EDITS_SHARE)
    with ground.both() as both:
        made = asyncio.run(founding.enrolled(both.database, TOWNSHIP, GRIDS, DEVICES + 1))
        author, *devices = [Device(me, both.ours, accepts="zstd") for me in made]
        built = creates(base, GRIDS)
        for batch in parts(built, BATCH):
            author.push(batch)
        ours = {record["id"]: record_of(create) for record, create in zip(base, built, strict=True)}
        queues = [_queue(device, ours, each) for device, each in zip(devices, edits, strict=True)]
        before = sum(device.link.bytes_down for device in devices)
        start = time.perf_counter()
        results = _converge(devices, queues)
        whole_s = time.perf_counter() - start
        down = sum(device.link.bytes_down for device in devices) - before
    return [
        Seen("whole", whole_s),
        Seen("down", down / 1e6),
        Seen("conflicts", 100 * results["conflict"] / results.total()),
    ]


def _queue(
    device: Device, ours: dict[str, str], edits: list[tuple[str, dict[str, Any]]]
) -> list[msgspec.Raw]:
    """The device's edits, on what it downloads now."""
    held: dict[str, Shown] = shown(device.pull())
    return [edit(held[ours[record]], values, n) for n, (record, values) in enumerate(edits, 1)]


def _converge(devices: list[Device], queues: list[list[msgspec.Raw]]) -> Counter[str]:
    """Exchanges until nobody has anything to send and the digests of all are equal; the results of the edits."""
    results: Counter[str] = Counter()
    with ThreadPoolExecutor(len(devices)) as pool:
        for told in pool.map(_exchange, devices, queues):
            results.update(told)
        while len({msgspec.json.encode(device.digests) for device in devices}) > 1:
            list(pool.map(partial(_exchange, queue=[]), devices))
    return results


def _exchange(device: Device, queue: list[msgspec.Raw]) -> list[str]:
    """The queue up, pages down until the head; what became of each change."""
    results: list[str] = []
    for batch in parts(queue, BATCH):
        results += [verdict.result for verdict in device.sync(batch).verdicts]
    device.pull()
    strange = set(results) - {"applied", "merged", "conflict"}
    if strange:
        message = f"edits were {sorted(strange)}"
        raise SystemExit(message)
    return results
