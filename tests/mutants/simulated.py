"""Plants faults in copies of the tree, and demands that the simulation of a township notices each.

python -m tests.mutants.simulated [--only NAME]... [--seeds N] [--jobs N]

The faults are those of listed.py that a township can show at all, and those of blind.py, whose author had seen
neither the simulation nor its checker. `lost-grid-not-dropped` is none of them: a device also drops by itself what
lies in none of its grids, so that safeguard alone can fail without anybody's loss. So can that of
`gap-accepted-silently` since nothing is taken of a request that shows a restore: both are planted together. What the
simulation knows of the code is only its database, its devices' stores and the model of who saw what.
"""

import argparse
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Final

from rich.console import Console
from rich.table import Table

from tests.mutants.__main__ import copies
from tests.mutants.blind import BLIND
from tests.mutants.listed import MUTANTS
from tests.mutants.mutant import Mutant

SEEDS: Final = 300
LIMIT_S: Final = 1_800
NAMES: Final = frozenset(
    {
        "refused-changes-are-not-kept",
        "verdict-in-another-transaction",
        "queue-cleared-by-position",
        "any-answer-clears-the-queue",
        "resend-not-looked-up",
        "verdict-made-anew",
        "clone-dropped-silently",
        "base-moves-at-every-page",
        "full-page-moves-to-its-end",
        "own-change-hides-anothers",
        "moved-in-is-not-whole",
        "no-exit-on-a-move",
        "lost-grid-still-read",
        "one-refusal-refuses-the-batch",
        "same-device-is-not-concurrent",
        "loser-thrown-away",
        "whole-record-as-one-value",
        "future-is-believed",
        "only-one-estimate-is-asked",
        "registration-number-outside-the-transaction",
        "refused-changes-use-up-numbers",
    }
)
TOGETHER: Final = Mutant(
    "nothing-is-ever-missing-before-a-change",
    ("3", "11"),
    "server/sync/opening.py",
    "    unfounded = offer_above is not None and not upload.author.revoked\n",
    "    unfounded, first = False, getattr(items[0].change, 'n', counter + 1) if items else counter + 1\n"
    "    ordered = order(items, seen, max(counter, first - 1), upload.lowest)\n",
    tests=(),
)
"""Both safeguards against what builds on something lost fail at once."""
PLANTED: Final = (*(mutant for mutant in MUTANTS if mutant.name in NAMES), TOGETHER, *BLIND)
_SEED: Final = re.compile(r"^seed (\d+): (.*)$", re.MULTILINE)


def main() -> int:
    """0 when every planted fault was noticed."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants.simulated", description=__doc__)
    parser.add_argument("--only", action="append", metavar="NAME", help="only this fault; may be repeated")
    parser.add_argument(
        "--seeds", type=int, default=SEEDS, help="simulations that a fault has to show itself in"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many at once")
    asked = parser.parse_args()
    chosen = [mutant for mutant in PLANTED if asked.only is None or mutant.name in asked.only]
    if not chosen:
        return 0
    console = Console(width=None if sys.stdout.isatty() else 140)
    table = Table("planted fault", "of", "seeds", "noticed as")
    missed = 0
    with copies(min(asked.jobs, len(chosen))) as free, ThreadPoolExecutor(free.qsize()) as pool:
        for mutant, (seed, told) in zip(
            chosen, pool.map(lambda m: noticed(free, m, asked.seeds), chosen), strict=True
        ):
            missed += seed == 0
            table.add_row(mutant.name, ", ".join(mutant.of), str(seed or "-"), told[:90])
            console.print(f"{mutant.name}: {seed or 'NOT noticed'}", highlight=False)
            console.file.flush()
    console.print(table)
    console.print(f"{len(chosen)} planted faults, {missed} not noticed in {asked.seeds} simulations")
    return 1 if missed else 0


def noticed(free: SimpleQueue[Path], mutant: Mutant, seeds: int) -> tuple[int, str]:
    """The first seed that fails with the fault planted, and what failed; 0 when none does."""
    copy = free.get()
    file = copy / mutant.file
    before = file.read_text(encoding="utf-8")
    assert before.count(mutant.old) == 1, f"{mutant.name} does not fit {mutant.file}"
    file.write_text(before.replace(mutant.old, mutant.new), encoding="utf-8")
    command = [sys.executable, "-m", "tests.simulation", "--jobs", "1", "--stop", "--seeds", str(seeds)]
    environment = {
        **os.environ,
        "PYTHONPATH": str(copy),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "COLUMNS": "500",
    }
    try:
        ran = subprocess.run(
            [*command, "--devices", "12"],
            cwd=copy,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_S,
        )
    finally:
        file.write_text(before, encoding="utf-8")
        free.put(copy)
    found = _SEED.search(ran.stdout)
    if found is None and ran.returncode not in {0, 1}:
        return 0, ran.stderr[-90:]
    return (int(found[1]), found[2]) if found else (0, "")


if __name__ == "__main__":
    sys.exit(main())
