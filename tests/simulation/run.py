"""One seed: what happens is drawn first, then carried out, then everything heals, then the guarantees are checked.

What happens is a list of events, each with randomness of its own. So a run that fails can be repeated with
fewer of them, until each that is left is needed.
"""

import asyncio
import logging
import shutil
import sys
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Final

import structlog

from tests.simulation import checker, disk, erasures
from tests.simulation.device import Device
from tests.simulation.disk import CrashError
from tests.simulation.happenings import HOURS, OF_DEVICE, OF_TOWN
from tests.simulation.ledger import read
from tests.simulation.loop import SimulatedLoop, drawn_from
from tests.simulation.network import FAULTS
from tests.simulation.rounds import OFFICE_TURNS, TURNS, USUAL, Habits
from tests.simulation.template import Template
from tests.simulation.world import World

RESTART_S: Final = 20.0
PAGES: Final = (300, 600, 1_500, 20_000)
"""Bytes of a page: for one record, for two, for some, for all. A reading of several meets what happens between."""
_TOWNS: Final = (12, 12, 25, 60)
"""How many devices a large township has."""
_WORK: Final = {
    "save": 30,
    "sync": 18,
    "sync at work": 6,
    "meeting": 6,
    "crossing": 30,
    "office": 9,
    "office decides": 4,
}
_FAULTS: Final[dict[str, tuple[float, str | None]]] = {
    "device dies": (3, None),
    "device loses the end of its log": (1, None),
    "device's disk is full": (1, None),
    "device's clock is set": (1, None),
    "device's store is damaged": (0.5, None),
    "device's store is copied": (1, None),
    "device's store is put back": (1, "device's store is copied"),
    "device's database alone is put back": (0.7, "device's store is copied"),
    "device is cloned": (3, None),
    "device gets other grids": (2, None),
    "grids withheld for a while": (1.5, None),
    "device is revoked": (0.2, None),
    "hand-over": (1, None),
    "two syncs at once": (1, None),
    "server dies": (4, None),
    "server dies over a push": (4, None),
    "power cut": (0.5, None),
    "power cut in a commit": (2, None),
    "server's disk is full": (0.5, None),
    "servers slow down": (1, None),
    "backup": (1, None),
    "restore": (3, "backup"),
    "database put back by hand": (1, "backup"),
    "database put back in between": (3, None),
    "server's clock is set": (0.3, None),
    "servers change their release": (0.7, None),
    "kind gains a field": (0.7, None),
}
"""How often each fault comes about among others, and which one it needs before it."""
_TROUBLES: Final = (
    (),
    ("backup", "restore", "database put back by hand", "database put back in between"),
    ("database put back in between", "device's clock is set", "servers slow down", "two syncs at once"),
    ("restore", "device is cloned", "device's store is put back", "device's database alone is put back"),
    ("server dies", "server dies over a push", "power cut", "power cut in a commit", "server's disk is full"),
    ("device dies", "device loses the end of its log", "device's disk is full", "two syncs at once"),
    ("device gets other grids", "grids withheld for a while", "hand-over", "device is revoked"),
    (
        "servers change their release",
        "kind gains a field",
        "server's clock is set",
        "device's store is damaged",
    ),
)
"""What goes wrong together: one of these, or some of everything, so that a few events are enough to show it."""


@dataclass(frozen=True)
class Event:
    """Something that happens at a time, to a device where it concerns one."""

    at_s: float
    what: str
    device: int
    seed: int


@dataclass(frozen=True)
class Plan:
    """All of one simulation, drawn from its seed."""

    seed: int
    devices: int
    processes: int
    chance: float
    """That of a fault in one exchange."""
    events: tuple[Event, ...]
    link_faults: tuple[str, ...] = FAULTS
    habits: Habits = USUAL
    begun: bool = False
    """Whether there are records already, which some devices hold."""
    fades: float = 0.0
    """The chance that a device's answer is the last before its worker walks out of the network's reach."""
    jumps: float = 0.0
    """The chance that a device's clock has jumped when something is saved: its battery does not keep the time."""
    page_bytes: int | None = None
    """Of the servers' pages; None leaves it to their own randomness."""


@dataclass(frozen=True)
class Result:
    """What a simulation came to."""

    plan: Plan
    wrong: list[str]
    trace: list[str]
    faults: Counter[str]
    changes: int
    syncs: int = 0
    conflicts: int = 0
    elapsed_s: float = field(default=0.0, compare=False)


def plan(seed: int, devices_max: int) -> Plan:
    """Draws a simulation. Most are small and violent, one in a hundred is of a large township."""
    random = Random(seed)
    big = random.random() < 0.01
    count = min(random.choice(_TOWNS if big else [1, 2, 2, 3, 3, 3, 4, 5]), devices_max)
    length = random.choice([4, 7, 11]) * (6 if big else 1)
    chance = random.choice([0.0, 0.1, 0.3, 0.5])
    violence = random.choice([0.1, 0.3, 0.5])
    faults = _faults(random)
    work = _WORK | {"sync": random.choice([6, 12, 18])}
    over = random.choice([0.05, 0.4, 6, 40]) * HOURS
    events = []
    for _ in range(length):
        kinds = faults if faults and random.random() < violence else work
        what = random.choices(list(kinds), list(kinds.values()))[0]
        device = min(int(random.expovariate(1 / max(count / 2, 1))), count - 1)
        until = over if what in work else 0.8 * over  # somebody has to meet what went wrong
        events.append(Event(random.uniform(0, until), what, device, random.getrandbits(48)))
    events += [Event(at_s, erasures.WHAT, 0, drawn) for at_s, drawn in erasures.drawn(seed, over)]
    events = list(_possible(sorted(events, key=lambda event: event.at_s)))
    link_faults = tuple(random.sample(FAULTS, random.choice([1, 2, 4, len(FAULTS)])))
    focus, tags = random.choice([0.7, 0.7, 3]), random.choice([1, 2, 4])
    twice = random.choice([0.3, 0.3, 0.8])
    wordy, hands_on = random.choice([0, 0, 40, 180]), random.choice([0.0, 0.5])
    habits = Habits(_some(random, TURNS), _some(random, OFFICE_TURNS), focus, tags, twice, wordy, hands_on)
    processes, begun = random.choice([1, 1, 2, 3]), random.random() < 0.7
    fades, page_bytes = random.choice([0.0, 0.0, 0.1, 0.4]), random.choice(PAGES)
    jumps = random.choice([0.0, 0.0, 0.0, 0.15])
    return Plan(
        seed, count, processes, chance, tuple(events), link_faults, habits, begun, fades, jumps, page_bytes
    )


def _faults(random: Random) -> dict[str, float]:
    """One sort of trouble with a little of the others, or some of everything.

    Some only show when the others leave room (swarm testing: Groce et al., 2012).
    """
    chosen = set(random.choice(_TROUBLES)) | set(random.sample(list(_FAULTS), random.choice([0, 0, 1, 3])))
    if random.random() < 0.1:
        chosen = set(_FAULTS)
    if chosen and random.random() < 0.5:
        chosen.add("device's clock is set")  # which makes others worse
    chosen |= {needed for _, needed in (_FAULTS[what] for what in chosen) if needed is not None}
    return {
        what: weight * random.choice([0.3, 1, 4]) for what, (weight, _) in _FAULTS.items() if what in chosen
    }


def _possible(events: Iterable[Event]) -> Iterator[Event]:
    """In the place of a fault that needs another one before it, that other one, until it was there."""
    been = set()
    for event in events:
        _, needed = _FAULTS.get(event.what, (0, None))
        device = event.device if event.what in OF_DEVICE else None
        what = event.what if needed is None or (needed, device) in been else needed
        been.add((what, device))
        yield replace(event, what=what)


def _some(random: Random, usual: Sequence[float]) -> tuple[float, ...]:
    """What people do is as usual, or mostly a few things."""
    if random.random() < 0.4:
        return tuple(usual)
    return tuple(weight * random.choice([0.1, 0.1, 1, 5]) for weight in usual)


def simulate(template: Template, folder: Path, drawn: Plan, *, wire: bool = False) -> Result:
    """Carries a plan out in `folder`, which is removed afterwards; `wire` puts every exchange into the trace."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    home = folder / f"seed{drawn.seed}"
    shutil.rmtree(home, ignore_errors=True)
    try:
        with (
            disk.simulated(),
            drawn_from(drawn.seed),
            asyncio.Runner(loop_factory=SimulatedLoop) as runner,
        ):
            return runner.run(_simulated(template.of(begun=drawn.begun), home, drawn, wire=wire))
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _told(error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({Path(last.filename).name}:{last.lineno})"


async def _simulated(template: Template, home: Path, drawn: Plan, *, wire: bool) -> Result:
    loop = asyncio.get_running_loop()
    deaths: list[str] = []
    loop.set_exception_handler(
        lambda _, context: deaths.append(str(context.get("exception") or context["message"]))
    )
    world = World(
        template, home, Random(drawn.seed), drawn.chance, drawn.processes, drawn.link_faults, drawn.habits,
        drawn.fades, drawn.jumps,
    )  # fmt: skip
    world.servers.page_bytes = drawn.page_bytes or world.servers.page_bytes
    world.servers.on_wire = world.say if wire else None
    await world.servers.start()
    for at, enrolled in enumerate(template.devices[: drawn.devices]):
        await world.add(enrolled, f"device{at}", enrolled.files).open()
    supervisor = asyncio.create_task(_supervised(world))
    running = [asyncio.create_task(_happens(world, event)) for event in drawn.events]
    await asyncio.gather(*running)
    supervisor.cancel()
    try:
        await _heal(world)
        found = list(checker.objections(world))
    except Exception as error:  # noqa: BLE001 (see above)
        found = [*world.wrong, f"unexpected: {_told(error)}"]
    wrong = [*found, *(f"unexpected: {death}" for death in deaths if "CrashError" not in death)]
    ledger = read(world.servers.path)
    for device in world.devices:
        if device.client is not None:
            await device.client.close()
    await world.servers.stop()
    return Result(
        drawn, wrong, world.trace, world.seen, len(ledger.changes), world.syncs, len(ledger.conflicts),
        loop.time(),
    )  # fmt: skip


_BRINGS_BACK: Final = {"device's store is put back"}


async def _supervised(world: World) -> None:
    """Servers that died are started again within the minute."""
    while True:
        await world.servers.fell.wait()
        world.servers.fell.clear()
        await asyncio.sleep(RESTART_S)
        try:
            await world.servers.start()
        except CrashError:
            continue  # it fell again, which is told as before


async def _happens(world: World, event: Event) -> None:
    """Waits for its time, and lets an event happen."""
    await asyncio.sleep(event.at_s)
    random = Random(event.seed)
    enrolled = world.devices[event.device].enrolled
    copies = [one for one in world.devices if one.enrolled is enrolled]
    device = Random(f"whose {event.seed}").choice(copies)  # itself, or a clone of it
    if event.what not in _WORK:
        world.seen[event.what] += 1
    world.say(f"{event.what} ({device.name})" if event.what in OF_DEVICE else event.what)
    try:
        if event.what in OF_DEVICE:
            if (device.client is None or device.process.dead) and not device.gone:
                device.off()
                await device.open()
            if not device.gone or event.what in _BRINGS_BACK:
                await OF_DEVICE[event.what](device, random)
            device.leave()
        else:
            await OF_TOWN[event.what](world, random)
    except CrashError:
        if device.process.dead:
            device.off()
            world.say(f"  {device.name} is dead")
    except Exception as error:  # noqa: BLE001 (whatever it is, nobody promised it)
        world.wrong.append(f"unexpected: {event.what}: {_told(error)}")


async def _heal(world: World) -> None:
    """The link is perfect, everything runs, and everybody syncs until nothing happens any more."""
    servers = world.servers
    servers.pauses, servers.full = 0.0, False
    for one in servers.running:
        one.process.dies_at, one.process.dies_writing, one.process.torn = None, None, False
    await servers.start()
    for device in world.devices:
        device.process.dies_at, device.process.torn = None, False
        await device.link.quiet()
        if (device.client is None or device.process.dead) and not device.gone:
            device.off()
            await device.open()
        if not device.gone:
            device.empty()
    await world.office.link.quiet()
    if any(device.damaged for device in world.devices):
        await asyncio.sleep(30 * HOURS)  # records are weighed once a day
    knows = []
    for device in world.devices:
        await _until_complete(device)
        knows.append(servers.head)
    for device, known in zip(world.devices, knows, strict=True):
        if known != servers.head:  # what others have brought up since goes down to it
            await _until_complete(device)


async def _until_complete(device: Device) -> None:
    for _ in range(12):
        if device.gone or await device.sync() or device.revoked:
            device.leave()
            return
    device.world.wrong.append(f"G6: {device.name} comes to no end")


def shortest(template: Template, folder: Path, failing: Plan) -> Result:
    """The same failure with as few events as a simple search finds: halves first, then one by one."""
    best = simulate(template, folder, failing)
    size = len(best.plan.events) // 2
    while size >= 1:
        at = 0
        while at < len(best.plan.events):
            events = best.plan.events[:at] + best.plan.events[at + size :]
            tried = simulate(template, folder, _with(best.plan, events))
            if _alike(tried.wrong, best.wrong):
                best = tried
            else:
                at += size
        size //= 2
    return best


def _with(drawn: Plan, events: Sequence[Event]) -> Plan:
    return replace(drawn, events=tuple(events))


def _alike(wrong: list[str], other: list[str]) -> bool:
    """Whether the first thing that is wrong is wrong in the other simulation too."""
    return any(one.split(":")[0] == other[0].split(":")[0] for one in wrong)


def hash_is_fixed() -> bool:
    """Whether sets of texts have the same order in every process: without it no run can be repeated."""
    return not sys.flags.hash_randomization
