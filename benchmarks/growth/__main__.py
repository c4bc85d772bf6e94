"""`make bench-growth`: the same work in small and in large databases, side by side; and memory of the server.

The databases of one comparison are there at once, each with its server, and take each step in turn. So a step in the
largest stands beside the same step in the smallest, a moment before. benchmarks/README.md says more.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console

from benchmarks import report
from benchmarks.figures import Outcome, Seen, outcomes
from benchmarks.ground import Ground
from benchmarks.growth import memory
from benchmarks.growth.sizes import Size, side_by_side
from benchmarks.turns import Step, seconds
from tests.postgres import postgres_server

UPLOADS: Final = 4_000
"""New records of W1 in each size."""
EXCHANGES: Final = 40
IDLE: Final = 10_000
EVENING: Final = 10_000
"""Records of W2."""
OF_A_TOWN: Final = 100
"""Records of each township, where townships are many."""
MILLION: Final = Size("1,000,000 records", 1, 1_000_000)


def main() -> None:
    """Measures, prints, writes, and ends with 1 when a figure falls below its reach."""
    options, console = _options(), Console(width=None if sys.stdout.isatty() else 140)
    found: list[Outcome] = []
    with (
        tempfile.TemporaryDirectory(prefix="roundbook-growth-") as folder,
        postgres_server(Path(folder, "postgres"), {}) as url,
    ):
        ground = Ground(url, Path(folder))
        for work in options.only or WORKS:
            with console.status(work):
                seen = WORKS[work](ground, options)
            done = outcomes(work, [seen])
            console.print(report.table(work, done))
            found += done
    report.write(found, options.json, options.pictures)
    console.print(report.verdict(found))
    sys.exit(1 if any(one.reached is False for one in found) else 0)


def records(ground: Ground, options: argparse.Namespace) -> list[Seen]:
    """Records of one township: the largest against the smallest."""
    share = options.share
    sizes = [Size("10,000 records", 1, 10_000 // share), Size("100,000 records", 1, 100_000 // share)]
    sizes += [MILLION] if options.million else []
    return _compared(ground, sizes, share)


def townships(ground: Ground, options: argparse.Namespace) -> list[Seen]:
    """Townships of one database, and a fresh one in the fullest."""
    share = options.share
    most = max(2, 1_000 // share)
    sizes = [Size("1 township", 1, OF_A_TOWN), Size("100 townships", max(2, 100 // share), OF_A_TOWN)]
    sizes += [Size("1,000 townships", most, OF_A_TOWN, fresh="a fresh one")]
    return _compared(ground, sizes, share)


def idle(ground: Ground, options: argparse.Namespace) -> list[Seen]:
    """Memory of the server."""
    return memory.measure(ground, IDLE // options.share, EVENING // options.share)


WORKS: Final = {"records": records, "townships": townships, "server": idle}


def _compared(ground: Ground, sizes: list[Size], share: int) -> list[Seen]:
    """Every size's time as ours, the smallest one's as the floor."""
    with side_by_side(ground, sizes, UPLOADS // share, max(2, EXCHANGES // share)) as works:
        uploads = _in_turn([work.uploads for work in works])
        small = _in_turn([work.small for work in works])
    seen: list[Seen] = []
    for nth, work in enumerate(works[1:], 1):
        seen += [
            Seen(f"W1, {work.name}", uploads[nth] * 1e3, uploads[0] * 1e3),
            Seen(f"W5, {work.name}", small[nth] * 1e3, small[0] * 1e3),
        ]
    return seen


def _in_turn(sides: Sequence[Sequence[Step]]) -> list[float]:
    """The median step of each side, in seconds; every step is taken on all sides before the next one."""
    steps = [[seconds(step) for step in turn] for turn in zip(*sides, strict=True)]
    return [statistics.median(side) for side in zip(*steps, strict=True)]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make bench-growth",
        description="W1 and W5 in small and in large databases; memory of the server.",
        epilog='example: make bench-growth ARGS="--only records --million"',
    )
    parser.add_argument("--only", nargs="+", choices=WORKS, metavar="WORK", help=f"of {', '.join(WORKS)}")
    parser.add_argument("--million", action="store_true", help="a township of a million records too")
    parser.add_argument(
        "--share", type=int, default=1, help="everything so many times smaller, for a try [1]"
    )
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    parser.add_argument("--pictures", type=Path, help="draw a chart of each work into this folder")
    return parser.parse_args()


if __name__ == "__main__":
    main()
