"""One round: a township on real server processes, devices that all sync at once, and the history that comes of it."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random

import msgspec

from client_sdk import FieldClient
from tests.e2e.village import GRID, NEXT_GRID, PASSPHRASE, Village, a_village
from tests.judge.fleet import Fleet, Road
from tests.judge.history import Op, Recorder
from tests.judge.judge import Anomaly, judge
from tests.judge.walker import KIND, Walker, arranged


class Size(msgspec.Struct, frozen=True):
    """How much happens. Likelihoods are of one exchange, and of one cut answer."""

    devices: int = 6
    rounds: int = 8
    records: int = 4
    servers: int = 2
    kills: int = 1
    faults: float = 0.1
    loss: float = 0.05


class Played(msgspec.Struct, frozen=True):
    """A history, and what was done to make it hard."""

    history: list[Op]
    faults: Counter[str]
    rereads: int
    """Grids that a device read again because its digest differed from the server's: none should."""


def judged(played: Played) -> list[Anomaly]:
    """What a round shows that was not promised. A device that had to read again had no snapshot before."""
    found = judge(played.history)
    if played.rereads:
        found.append(Anomaly("reread", f"{played.rereads} grids differed from their digest"))
    return found


def play(url: str, folder: Path, seed: int, size: Size) -> Played:
    """One round on the migrated, empty database at `url`. The seed draws what is done, not how threads interleave."""
    random, recorder = Random(seed), Recorder()
    with ExitStack() as stack:
        village = stack.enter_context(a_village(url, folder))
        names = _enrolled(village, size)
        fleet = stack.enter_context(Fleet(url, folder, size.servers))
        walkers = [
            stack.enter_context(_walker(at, name, fleet, recorder, Random(f"{seed}/{at}"), folder, size))
            for at, name in enumerate(names)
        ]
        _walk(walkers, fleet, random, size)
        for walker in walkers:
            if not walker.lost:
                walker.road.calm()
                walker.read()
        stored = {change: row["n"] for change, row in village.changes().items()}
    numbers = {
        value: stored[change]
        for walker in walkers
        for value, change in walker.changes.items()
        if change in stored
    }
    history = arranged(recorder.ops, numbers)
    return Played(history, fleet.faults, sum(walker.rereads for walker in walkers))


def _enrolled(village: Village, size: Size) -> list[str]:
    """Devices that hold all records: half of them one grid, half of them two."""
    village.install(KIND)
    names = [f"device{at}" for at in range(size.devices)]
    for at, name in enumerate(names):
        with village.device(name, *((GRID, NEXT_GRID) if at % 2 == 0 else (GRID,))) as device:
            for made in range(size.records if at == 0 else 0):
                device.create("ledger", grid=NEXT_GRID if made % 4 == 3 else GRID)
            assert device.sync().complete
    return names


@contextmanager
def _walker(
    at: int, name: str, fleet: Fleet, recorder: Recorder, random: Random, folder: Path, size: Size
) -> Iterator[Walker]:
    road = Road(fleet, random, size.faults)
    opened = FieldClient.open(
        folder / f"{name}.rbk", passphrase=PASSPHRASE, transport=road, sleep=sleep_shortly
    )
    with opened as client:
        yield Walker(at, client, road, recorder, random)
    road.close()


def _walk(walkers: Sequence[Walker], fleet: Fleet, random: Random, size: Size) -> None:
    """Everybody at once, while servers die: in even parts of the exchanges that are certain to come."""
    part = size.devices * size.rounds // (2 * size.kills + 1)

    def die() -> None:
        for _ in range(size.kills):
            if fleet.wait(part):
                fleet.kill(random)

    with ThreadPoolExecutor(len(walkers) + 1) as pool:
        dying = pool.submit(die)
        walking = [pool.submit(walker.walk, size.rounds, size.loss) for walker in walkers]
        for one in [*walking, dying]:
            one.result()


def sleep_shortly(seconds: float) -> None:
    """A device is as impatient as a test."""
    time.sleep(min(seconds, 0.1))
