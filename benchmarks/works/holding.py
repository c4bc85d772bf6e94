"""A device that holds 20,000 records: size of its store, memory, and how long opening, a list and a search take.

A process of its own does it (`held.py`), so that its memory is nobody else's. It is handed the store's key, because
the derivation from the passphrase is a cost by choice; that one is timed beside it.
"""

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

import msgspec

from benchmarks import servers
from benchmarks.figures import Seen
from benchmarks.ground import Ground
from benchmarks.screening import HERE, fields_of, workload
from benchmarks.stores import PASSPHRASE
from benchmarks.works.download import GRIDS, downloaded, fill
from client_sdk.store import keyfile

WORDS: Final = ("赡养", "水库", "围墙", "低保", "回访")
"""Of two characters each, as the workload's narratives have them."""
_STORE: Final = ("", "-wal", "-shm")


class Held(msgspec.Struct, frozen=True):
    """What the process saw. Seconds, and bytes."""

    open_s: float
    list_s: list[float]
    search_s: list[float]
    peak_bytes: int
    found: int


def measure(ground: Ground, records: int) -> list[Seen]:
    """One run."""
    every = workload().records(records)
    raw_bytes = sum(len(msgspec.json.encode(fields_of(record))) for record in every)
    database, file = ground.sqlite(), ground.file("device.rbk")
    with servers.roundbook(database, ground.folder) as (url, _):
        fill(database, url, every)
        with downloaded(file, database, url):
            pass
    start = time.perf_counter()
    key = keyfile.unwrap(file.with_name(f"{file.name}.key"), PASSPHRASE)
    derivation_s = time.perf_counter() - start
    held = _held(file, key or b"")
    size = sum(part.stat().st_size for end in _STORE if (part := file.with_name(file.name + end)).exists())
    return [
        Seen("size", size / 1e6, raw_bytes / 1e6),
        Seen("memory", held.peak_bytes / 1e6),
        Seen("open", held.open_s * 1e3),
        Seen("derivation", derivation_s * 1e3),
        Seen("list", statistics.median(held.list_s) * 1e3),
        Seen("search", statistics.median(held.search_s) * 1e3),
    ]


def _held(file: Path, key: bytes) -> Held:
    told: dict[str, Any] = {"file": str(file), "key": key.hex(), "grids": GRIDS[:5], "words": WORDS}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.held"],
        input=json.dumps(told).encode(), capture_output=True, check=True, cwd=HERE.parent,
    )  # fmt: skip
    held = msgspec.json.decode(done.stdout, type=Held)
    assert held.found > 0, "the search found nothing"
    return held
