"""`make chaos`: a township over real processes, and what came of it. See docs/chaos.md."""

import argparse
import asyncio
import secrets
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Final

from rich.console import Console
from rich.table import Table

from tests.chaos import scenes
from tests.chaos.nodes import pair
from tests.chaos.storm import FAULTS, storm
from tests.chaos.town import Town

DEVICES: Final = 6
SCENES_S: Final = 170.0
"""What preparing and the scenes take of the time, on two cores."""
STORM_MIN_S: Final = 20.0
SHOWN: Final = 12


class Run:
    """One run: its parts, its figures, its end."""

    def __init__(self, town: Town, seed: int, minutes: float) -> None:
        self.town, self.seed = town, seed
        self.console = Console(width=None if sys.stdout.isatty() else 120)
        self.began = time.monotonic()
        self.storm_s = max(STORM_MIN_S, minutes * 60 - SCENES_S)
        self.rows: list[tuple[str, int, int]] = []

    def say(self, what: str) -> None:
        self.console.print(f"{time.monotonic() - self.began:5.0f} s  {what}", highlight=False, markup=False)

    async def part(self, name: str) -> None:
        """Checks what a part left behind."""
        before = self.town.changes
        wrong = len(await self.town.check())
        self.rows.append((name, self.town.changes - before, wrong - sum(row[2] for row in self.rows)))
        self.say(f"{name}: checked, {wrong} wrong so far")

    async def play(self, only: str | None) -> None:
        """Storm first, then the scenes; the one that loses something comes last."""
        town, random = self.town, Random(self.seed)
        await town.prepare(DEVICES)
        self.say(f"two PostgreSQL nodes, two servers and {DEVICES} devices run")
        for name, part in PARTS.items():
            if only in {None, name}:
                await part(self, random)
                await self.part(name)

    async def storm(self, random: Random) -> None:
        """Everything that may happen at any moment."""
        await storm(self.town, random, self.storm_s, list(FAULTS), self.say)
        await self.town.settle()

    def tell(self) -> int:
        """The table, and 0 or 1."""
        town, console = self.town, self.console
        faults = Table(title=f"seed {self.seed}, {time.monotonic() - self.began:.0f} s")
        faults.add_column("done")
        faults.add_column("times", justify="right")
        for what, times in sorted(town.faults.items(), key=lambda item: -item[1]):
            faults.add_row(what, f"{times:,}")
        parts = Table()
        for column in ("checked after", "new changes", "wrong"):
            parts.add_column(column, justify="left" if column == "checked after" else "right")
        for name, changes, wrong in self.rows:
            parts.add_row(name, f"{changes:,}", f"{wrong:,}")
        console.print(faults, parts)
        ends = ", ".join(f"{times:,} {end}" for end, times in town.ends.most_common())
        console.print(
            f"{town.changes:,} changes, {town.conflicts:,} conflicts; syncs: {ends}; "
            f"the longest took {town.longest_s:.1f} s",
            highlight=False,
        )
        for one in town.wrong[:SHOWN]:
            console.print(one[:600], style="red", markup=False, highlight=False)
        if town.wrong:
            console.print(f"{len(town.wrong)} wrong. Once more: make chaos SEED={self.seed}", style="red")
            return 1
        console.print("every guarantee held after each part", style="green")
        return 0


PARTS: Final[dict[str, Callable[[Run, Random], Awaitable[None]]]] = {
    "storm": lambda run, random: run.storm(random),
    "pool": lambda run, _: scenes.exhausted(run.town, run.say),
    "download": lambda run, random: scenes.downloaded(run.town, random, run.say),
    "upgrade": lambda run, random: scenes.upgraded(run.town, random, run.say),
    "lag": lambda run, random: scenes.lagging(run.town, random, run.say),
}


async def run(folder: Path, seed: int, minutes: float, only: str | None) -> int:
    """One run with its files in `folder`."""
    with pair(folder) as nodes:
        town = Town(folder, nodes, Random(seed))
        playing = Run(town, seed, minutes if only is None else minutes + SCENES_S / 60)
        try:
            await playing.play(only)
        except Exception as error:  # noqa: BLE001 (whatever it is, the figures so far are told)
            town.wrong.append(f"unexpected: {type(error).__name__}: {error}")
            playing.console.print_exception()
        finally:
            await town.close()
        return playing.tell()


def main() -> int:
    """0 when every guarantee held."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0, help="about how long; the scenes take three")
    parser.add_argument("--seed", type=int, help="which faults, in which order")
    parser.add_argument("--keep", type=Path, help="a folder for databases, stores and logs, which is kept")
    parser.add_argument("--only", choices=PARTS, help="one part alone")
    asked = parser.parse_args()
    seed = asked.seed if asked.seed is not None else secrets.randbelow(1_000_000)
    if asked.keep is not None:
        asked.keep.mkdir(parents=True, exist_ok=True)
        return asyncio.run(run(asked.keep, seed, asked.minutes, asked.only))
    with tempfile.TemporaryDirectory(prefix="roundbook-chaos-") as folder:
        return asyncio.run(run(Path(folder), seed, asked.minutes, asked.only))


if __name__ == "__main__":
    sys.exit(main())
