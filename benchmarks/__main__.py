"""`make bench`: the measured works, each beside its floor in the same run.

Ratios count, not seconds: a machine is shared, and the floor meets the same noise a moment before or after.
benchmarks/README.md says how each figure is taken, docs/performance.md what came of it.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from rich.console import Console

from benchmarks import report
from benchmarks.figures import Outcome, Seen, outcomes
from benchmarks.ground import Ground
from benchmarks.works import convergence, download, edits, embedded, evening, holding, saving, small, upload
from tests.postgres import postgres_server

RECORDS: Final = 20_000
RUNS: Final = 3
Measure = Callable[[Ground, int], list[Seen]]
"""One run of a work on so many records: a work whose size is another takes its share of them."""
WORKS: Final[Mapping[str, Measure]] = {
    "W1": upload.one,
    "W1x4": upload.four,
    "edits": edits.measure,
    "sqlite": embedded.measure,
    "W2": evening.measure,
    "W3": convergence.measure,
    "W4": download.measure,
    "W5": small.measure,
    "save": saving.measure,
    "device": holding.measure,
}


def main() -> None:
    """Measures, prints, writes, and ends with 1 when a figure falls below its reach."""
    options = _options()
    console = Console(width=None if sys.stdout.isatty() else 140)
    with (
        tempfile.TemporaryDirectory(prefix="roundbook-bench-") as folder,
        postgres_server(Path(folder, "postgres"), {}) as url,
    ):
        ground = Ground(url, Path(folder))
        found: list[Outcome] = []
        for work in options.only or WORKS:
            with console.status(work):
                runs = [WORKS[work](ground, options.records) for _ in range(options.runs)]
            done = outcomes(work, runs)
            console.print(report.table(work, done))
            found += done
    report.write(found, options.json, options.pictures)
    missed = [one for one in found if one.reached is False]
    console.print(report.verdict(found))
    sys.exit(1 if missed else 0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make bench",
        description="The measured works, each beside its floor.",
        epilog='example: make bench ARGS="--only W1 W5 --records 2000 --runs 1"',
    )
    parser.add_argument("--only", nargs="+", choices=WORKS, metavar="WORK", help=f"of {', '.join(WORKS)}")
    parser.add_argument(
        "--records", type=int, default=RECORDS, help=f"records of W1, the others in proportion [{RECORDS}]"
    )
    parser.add_argument("--runs", type=int, default=RUNS, help=f"runs, whose median counts [{RUNS}]")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    parser.add_argument("--pictures", type=Path, help="draw a chart of each work into this folder")
    return parser.parse_args()


if __name__ == "__main__":
    main()
