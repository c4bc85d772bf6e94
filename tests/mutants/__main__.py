"""Applies each mutation to a copy of the tree, and demands that its tests fail there.

python -m tests.mutants [--only NAME]... [--jobs N]
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue

import msgspec
from rich.console import Console
from rich.table import Table

from tests.mutants.listed import MUTANTS
from tests.mutants.mutant import Mutant

ROOT = Path(__file__).resolve().parents[2]
COPIES = ROOT / ".cache" / "mutants"
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".cache", "data", "__pycache__", "*.egg-info")
LIMIT_S = 300
_FAILED = re.compile(r"^FAILED (\S+?)(?:\[.*)?(?: - .*)?$", re.MULTILINE)
_BROKEN = re.compile(r"^ERROR (\S+)", re.MULTILINE)


class Outcome(msgspec.Struct, frozen=True):
    """What became of one mutant: dead when `survived` is empty."""

    mutant: Mutant
    survived: str


def main() -> int:
    """The number of mutants that survived, at most 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--only", action="append", metavar="NAME", help="only this mutant; may be repeated")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many at once")
    asked = parser.parse_args()
    unknown = sorted(set(asked.only or ()) - {mutant.name for mutant in MUTANTS})
    if unknown:
        parser.error(f"no mutant is called {', '.join(unknown)}")
    chosen = [mutant for mutant in MUTANTS if not asked.only or mutant.name in asked.only]
    console = Console(width=None if sys.stdout.isatty() else 120)
    with copies(min(asked.jobs, len(chosen))) as free:
        broken = unmutated(free, chosen)
        if broken:
            console.print("These tests fail without any mutation:", *broken, sep="\n  ", style="red")
            return 1
        with ThreadPoolExecutor(free.qsize()) as pool:
            outcomes = list(pool.map(lambda mutant: tried(free, mutant), chosen))
    console.print(table(outcomes))
    alive = [outcome for outcome in outcomes if outcome.survived]
    for outcome in alive:
        console.print(f"{outcome.mutant.name}: {outcome.survived}", style="red")
    console.print(f"{len(outcomes)} mutants, {len(alive)} survived", style="red" if alive else "green")
    return 1 if alive else 0


@contextmanager
def copies(count: int) -> Iterator[SimpleQueue[Path]]:
    """Copies of the work tree as it is now, removed at the end."""
    shutil.rmtree(COPIES, ignore_errors=True)
    free: SimpleQueue[Path] = SimpleQueue()
    try:
        for at in range(count):
            shutil.copytree(ROOT, COPIES / str(at), ignore=LEFT_OUT)
            free.put(COPIES / str(at))
        yield free
    finally:
        shutil.rmtree(COPIES, ignore_errors=True)


def unmutated(free: "SimpleQueue[Path]", chosen: Sequence[Mutant]) -> list[str]:
    """The named tests that fail as the code stands: they would prove nothing."""
    copy = free.get()
    broken: list[str] = []
    for database in sorted({mutant.database for mutant in chosen}):
        tests = sorted({test for mutant in chosen if mutant.database == database for test in mutant.tests})
        code, text = run(copy, tests, database)
        failed = [*_FAILED.findall(text), *_BROKEN.findall(text)]
        broken += failed or ([text.strip()[-2_000:]] if code else [])
    free.put(copy)
    return broken


def tried(free: "SimpleQueue[Path]", mutant: Mutant) -> Outcome:
    """Applies one mutation, runs its tests, and takes it back."""
    copy = free.get()
    try:
        survived = survival(copy, mutant)
    finally:
        free.put(copy)
    return Outcome(mutant, survived)


def survival(copy: Path, mutant: Mutant) -> str:
    """Why a mutant lives; empty when it is dead."""
    file = copy / mutant.file
    before, times = file.read_text(encoding="utf-8"), file.stat()
    found = before.count(mutant.old)
    if found != 1:
        return f"its text stands {found} times in {mutant.file}"
    file.write_text(before.replace(mutant.old, mutant.new), encoding="utf-8")
    try:
        code, text = run(copy, mutant.tests, mutant.database)
    except subprocess.TimeoutExpired:
        return f"the tests did not end within {LIMIT_S} s"
    finally:
        file.write_text(before, encoding="utf-8")
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))  # its compiled form fits again
    if code not in {0, 1}:
        return f"pytest ended with {code}: {text.strip()[-300:]}"
    passed = [test for test in mutant.tests if test not in _FAILED.findall(text)]
    return f"passed: {', '.join(passed)}" if passed else ""


def run(copy: Path, tests: Sequence[str], database: str) -> tuple[int, str]:
    """pytest's exit code and report for some tests in a copy."""
    marks = "not postgres" if database == "sqlite" else "not sqlite"
    command = [sys.executable, "-m", "pytest", "-q", "--tb=no", "-m", marks, *tests]
    environment = {
        **os.environ,
        "PYTHONPATH": str(copy),
        "PYTHONDONTWRITEBYTECODE": "1",  # nothing compiled of a mutant outlives it
        "ROUNDBOOK_SHARED": os.environ.get("ROUNDBOOK_SHARED", str(ROOT.parent / "shared")),
        "COLUMNS": "500",
        "ROUNDBOOK_NO_SHRINKING": "1",  # that it fails is enough
        "CI": "1",  # the same examples of Hypothesis each time
    }
    ran = subprocess.run(
        command, cwd=copy, env=environment, capture_output=True, text=True, check=False, timeout=LIMIT_S
    )
    return ran.returncode, ran.stdout + ran.stderr


def table(outcomes: Sequence[Outcome]) -> Table:
    """A line for each mutant."""
    shown = Table()
    for title in ("mutant", "of", "file", ""):
        shown.add_column(title, no_wrap=True)
    for outcome in outcomes:
        what = "[red]lives" if outcome.survived else "[green]dead"
        shown.add_row(outcome.mutant.name, ", ".join(outcome.mutant.of), outcome.mutant.file, what)
    return shown


if __name__ == "__main__":
    sys.exit(main())
