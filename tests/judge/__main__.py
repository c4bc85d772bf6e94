"""Rounds on real server processes, and what the judge says of their histories.

python -m tests.judge [--seed N] [--rounds N] [--seconds S] [--database sqlite|postgresql] [--export FILE]

`--export` writes the last history in the form of Elle (list-append, a line for each event), so that anybody who has
elle-cli can judge it:  FILE under strict-serializable, FILE.session under strong-session-serializable.
"""

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import msgspec
from anyio.from_thread import start_blocking_portal
from rich.console import Console

from tests.databases import DatabaseKind, Databases, PostgresDatabases, SqliteDatabases
from tests.judge.history import export
from tests.judge.judge import Anomaly
from tests.judge.round import Played, Size, judged, play
from tests.postgres import postgres_server

SCRATCH = Path(__file__).resolve().parents[2] / ".cache" / "judge"
KINDS: tuple[DatabaseKind, ...] = ("sqlite", "postgresql")
LARGE = Size(devices=8, rounds=12, records=6, servers=3, kills=3)


def main() -> int:
    """0 when no history shows an anomaly."""
    parser = argparse.ArgumentParser(prog="python -m tests.judge", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the first round; the next takes the next")
    parser.add_argument("--seconds", type=float, default=100.0, help="no round begins after this")
    parser.add_argument("--rounds", type=int, help="at most so many rounds on each database")
    parser.add_argument("--devices", type=int, default=LARGE.devices)
    parser.add_argument("--database", choices=KINDS, help="only this one")
    parser.add_argument("--export", type=Path, metavar="FILE", help="write the last history for Elle")
    asked = parser.parse_args()
    console = Console(highlight=False, soft_wrap=True)
    size = msgspec.structs.replace(LARGE, devices=asked.devices)
    until = time.monotonic() + asked.seconds
    wrong = 0
    with _folder() as folder, _databases(folder, asked.database) as databases:
        for at in count():
            if at == asked.rounds or (at and time.monotonic() > until):
                break
            for kind, made in databases.items():
                played, found = _round(made, folder, asked.seed + at, size)
                wrong += len(found)
                console.print(
                    f"{kind}, seed {asked.seed + at}: {_figures(played)}", *map(str, found), sep="\n  "
                )
                if asked.export:
                    console.print("written:", *export(played.history, asked.export))
    console.print(f"{wrong} anomalies", style="red" if wrong else "green")
    return 1 if wrong else 0


def _round(databases: Databases, folder: Path, seed: int, size: Size) -> tuple[Played, list[Anomaly]]:
    url = databases.create(migrated=True)
    with tempfile.TemporaryDirectory(dir=folder) as stores:
        played = play(url, Path(stores), seed, size)
    databases.drop(url)
    return played, judged(played)


def _figures(played: Played) -> str:
    sorts = Counter("screen" if not op.live else "push" if op.appends else "read" for op in played.history)
    outcomes = Counter(op.outcome for op in played.history)
    return ", ".join(
        f"{name} {number}" for part in (sorts, outcomes, played.faults) for name, number in part.items()
    )


@contextmanager
def _folder() -> Iterator[Path]:
    SCRATCH.mkdir(parents=True, exist_ok=True)
    os.environ["TMPDIR"] = tempfile.tempdir = str(SCRATCH)
    with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
        yield Path(folder)


@contextmanager
def _databases(folder: Path, only: DatabaseKind | None) -> Iterator[dict[DatabaseKind, Databases]]:
    found: dict[DatabaseKind, Databases] = {}
    if only != "postgresql":
        found["sqlite"] = SqliteDatabases(folder)
    if only == "sqlite":
        yield found
        return
    with postgres_server(folder / "postgres") as server, start_blocking_portal() as portal:
        postgres = PostgresDatabases(server, folder, portal)
        found["postgresql"] = postgres
        yield found
        postgres.close()


if __name__ == "__main__":
    sys.exit(main())
