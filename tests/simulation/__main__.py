"""`make simulate`: many seeds, and what came of them. See docs/reliability.md."""

import argparse
import gc
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from tests.simulation.run import Result, hash_is_fixed, plan, shortest, simulate
from tests.simulation.template import Template, make

DEVICES_MAX: Final = 60
_MEMORY: Final = Path("/dev/shm")  # noqa: S108 (a folder in memory, where there is one)
_WORKER: list[tuple[Template, Path]] = []


def main() -> int:
    """0 when every guarantee held in every simulation."""
    if not hash_is_fixed():
        os.execve(  # noqa: S606 (itself)
            sys.executable,
            [sys.executable, "-m", "tests.simulation", *sys.argv[1:]],
            {**os.environ, "PYTHONHASHSEED": "0"},
        )
    parser = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    parser.add_argument("--seeds", type=int, default=300, help="how many simulations")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--seed", type=int, help="one seed only, with its trace")
    parser.add_argument("--stop", action="store_true", help="end with the first simulation that fails")
    parser.add_argument("--wire", action="store_true", help="with --seed: every exchange too")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--devices", type=int, default=DEVICES_MAX, help="devices of the largest township")
    asked = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 120)
    if asked.seed is not None:
        with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
            return _one(console, make(Path(folder), asked.devices), Path(folder), asked.seed, wire=asked.wire)
    return _many(
        console, range(asked.first, asked.first + asked.seeds), asked.jobs, asked.devices, stop=asked.stop
    )


def _one(console: Console, template: Template, folder: Path, seed: int, *, wire: bool) -> int:
    result = simulate(template, folder, plan(seed, len(template.devices)))
    if result.wrong:
        result = shortest(template, folder, result.plan)
    if wire:
        result = simulate(template, folder, result.plan, wire=True)
    console.print(f"seed {seed}: {result.plan.devices} devices, {result.plan.processes} server processes, "
                  f"{len(result.plan.events)} events, {result.changes} changes")  # fmt: skip
    console.print(*result.trace, sep="\n", highlight=False, markup=False, soft_wrap=True)
    console.print(
        *(result.wrong or ["every guarantee held"]),
        sep="\n",
        style="red" if result.wrong else "green",
        markup=False,
    )
    return 1 if result.wrong else 0


def _many(console: Console, seeds: range, jobs: int, devices: int, *, stop: bool) -> int:
    began = time.monotonic()
    faults: Counter[str] = Counter()
    failed: list[Result] = []
    done = changes = syncs = conflicts = 0
    elapsed_s = 0.0
    for result in _results(seeds, jobs, devices):
        done, changes, syncs = done + 1, changes + result.changes, syncs + result.syncs
        conflicts, elapsed_s = conflicts + result.conflicts, elapsed_s + result.elapsed_s
        faults += result.faults
        if result.wrong:
            failed.append(result)
            console.print(f"seed {result.plan.seed}: {result.wrong[0][:300]}", style="red", markup=False)
            if stop:
                break
        if done % 100 == 0:
            rate = done / (time.monotonic() - began)
            console.print(
                f"{done} of {len(seeds)} seeds, {rate:.1f} a second, {len(failed)} failed", highlight=False
            )
    took = time.monotonic() - began
    table = Table(title=f"{done} simulations in {took:.0f} s, {done / took:.1f} a second, {jobs} processes")
    table.add_column("fault")
    table.add_column("times", justify="right")
    for fault, times in faults.most_common():
        table.add_row(fault, f"{times:,}")
    console.print(table)
    console.print(
        f"{changes:,} changes, {syncs:,} syncs, {conflicts:,} conflicts, {elapsed_s / 86_400:,.0f} simulated days"
    )
    for result in failed[:5]:
        console.print(
            f"\nseed {result.plan.seed} failed; SEED={result.plan.seed} make simulate shows its shortest trace",
            style="red",
        )
    console.print(
        f"{len(failed)} failed" if failed else "every guarantee held in each of them",
        style="red" if failed else "green",
    )
    return 1 if failed else 0


def _results(seeds: range, jobs: int, devices: int) -> Iterator[Result]:
    with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
        if jobs == 1:
            _prepare(folder, devices)
            yield from map(_result, seeds)
            return
        with ProcessPoolExecutor(jobs, initializer=_prepare, initargs=(folder, devices)) as pool:
            yield from pool.map(_result, seeds, chunksize=10)


def _prepare(folder: str, devices: int) -> None:
    own = Path(folder) / str(os.getpid())
    own.mkdir()
    _WORKER.append((make(own, devices), own))
    gc.collect()
    gc.freeze()  # what every simulation uses is not looked through again with each
    gc.set_threshold(50_000)  # what one leaves behind is little: a tenth of the time went into looking for it


def _result(seed: int) -> Result:
    template, folder = _WORKER[0]
    return simulate(template, folder, plan(seed, len(template.devices)))


if __name__ == "__main__":
    sys.exit(main())
