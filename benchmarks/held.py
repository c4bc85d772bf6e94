"""The process of a device: opens a store with its key, lists grids, searches words, and tells what that took.

`python -m benchmarks.held` reads `{file, key, grids, words}` as JSON and writes a `Held` of works/holding.py. It
imports no more than a device does.
"""

import json
import re
import sys
import time
from collections.abc import Callable, Sized
from functools import partial
from pathlib import Path

from client_sdk import FieldClient
from client_sdk.store import keyfile


def main() -> None:
    """Measures and tells."""
    told = json.load(sys.stdin)
    key = bytes.fromhex(told["key"])
    keyfile.unwrap = lambda path, passphrase: key  # noqa: ARG005 (the derivation is measured by itself)
    start = time.perf_counter()
    client = FieldClient.open(Path(told["file"]), passphrase="")
    open_s = time.perf_counter() - start
    lists = [_timed(partial(client.list, grid=grid)) for grid in told["grids"]]
    searches = [_timed(partial(client.list, text=word)) for word in told["words"]]
    client.close()
    print(
        json.dumps(
            {
                "open_s": open_s,
                "list_s": [seconds for seconds, _ in lists],
                "search_s": [seconds for seconds, _ in searches],
                "peak_bytes": _peak_bytes(),
                "found": sum(count for _, count in searches),
            }
        )
    )


def _timed(view: Callable[[], Sized]) -> tuple[float, int]:
    """Seconds that a view takes, and how many records it shows."""
    start = time.perf_counter()
    shown = view()
    return time.perf_counter() - start, len(shown)


def _peak_bytes() -> int:
    """The most that was ever resident, as Linux counts it."""
    said = Path("/proc/self/status").read_text()
    [peak] = re.findall(r"VmHWM:\s+(\d+) kB", said)
    return int(peak) * 1024


if __name__ == "__main__":
    main()
