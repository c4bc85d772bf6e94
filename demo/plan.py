"""From a seed: who works where, with which clock, over which link, and what will go wrong. Pure.

Each village has three grids and two workers; in two villages out of three, one of them also works in a grid
of the other's, so both edit the same matters there.
"""

import random
from collections.abc import Sequence
from itertools import groupby
from typing import Final, Literal

import msgspec

from demo.clocks import DAY, HOUR, MINUTE, SECOND
from demo.texts import workers

TOWNSHIP: Final = "321283104"
SHARED_VILLAGES: Final = 8
SLOW: Final = 5
CUT_BYTES_MAX: Final = 1_500
PATTERNS: Final = ("apart", "latest", "review", "texts", "sentence", "entries", "tags", "office")
"""In which way two workers and the office meet in one matter; see tickets.py."""
_YEAR: Final = 365 * DAY

Evening = Literal["sunday", "monday", "tuesday", "wednesday"]
"""When everybody syncs: before the round, after each of its days, and once more to read what others sent."""
Role = Literal["dies", "loses_answer", "loses_record", "moves", "crafts_field", "crafts_kind"]


class Cut(msgspec.Struct, frozen=True):
    """A link breaks after so many bytes of a body, on the way up or down. None: before anything comes down."""

    way: Literal["up", "down"]
    after_bytes: int | None


class Clock(msgspec.Struct, frozen=True):
    """How far a device's clock is off, and by how much it jumps at noon of the second day."""

    error_ms: int
    jump_ms: int = 0


class DevicePlan(msgspec.Struct, frozen=True):
    """One device."""

    name: str
    """Its number, two digits."""
    worker: str
    grids: tuple[str, ...]
    clock: Clock
    slow: bool = False
    cuts: dict[str, tuple[Cut, ...]] = {}
    """By evening: how the first exchanges break."""
    role: Role | None = None


class TicketPlan(msgspec.Struct, frozen=True):
    """A matter that the office has from a hotline, in a grid of two workers."""

    key: str
    grid: str
    pattern: str


class Plan(msgspec.Struct, frozen=True):
    """One round."""

    seed: int
    devices: tuple[DevicePlan, ...]
    tickets: tuple[TicketPlan, ...]
    unplaced: tuple[tuple[str, str], ...]
    """Villages from which a matter comes without a grid, each with the grid where the office places it."""
    moved_to: str
    """The grid to which the office moves a record of the device that loses one."""
    moves: tuple[str, ...]
    """The grids of the moving worker from the second day on."""
    orders: dict[str, tuple[str, ...]]
    """By evening on which something is sent: in which order the devices reach the server."""

    def whose(self, role: Role) -> DevicePlan:
        """The device that has a role."""
        return next(device for device in self.devices if device.role == role)


def plan(seed: int, grids: Sequence[str]) -> Plan:
    """The round of a seed, in a township with these grids."""
    draw = random.Random(f"plan {seed}")
    areas, shared = _areas(draw, sorted(grids))
    clocks = _clocks(draw, len(areas))
    names = [f"{number:02}" for number in range(1, len(areas) + 1)]
    slow = draw.sample([at for at, area in enumerate(areas) if len(area) <= 2], SLOW)  # noqa: PLR2004 (a pair)
    roles = _roles(draw, areas, shared, slow)
    clocks = _kept_open(clocks, roles)
    devices = tuple(
        DevicePlan(
            names[at],
            worker,
            area,
            clocks[at],
            slow=at in slow,
            cuts=_cuts(draw, roles.get(at)) if at in slow else {},
            role=roles.get(at),
        )
        for at, (worker, area) in enumerate(zip(workers(draw, len(areas)), areas, strict=True))
    )
    patterns = draw.sample(PATTERNS, len(PATTERNS))
    moving = next(area for at, area in enumerate(areas) if roles.get(at) == "moves")
    losing = next(area for at, area in enumerate(areas) if roles.get(at) == "loses_record")
    return Plan(
        seed=seed,
        devices=devices,
        tickets=tuple(
            TicketPlan(f"12345:2026-{draw.randrange(10**6):06}", grid, pattern)
            for grid, pattern in zip(shared, patterns, strict=True)
        ),
        unplaced=tuple((grid[:12], grid) for grid in draw.sample(sorted(grids), 2)),
        moved_to=_elsewhere(draw, grids, losing),
        moves=(*(grid for grid in moving if grid not in shared), _elsewhere(draw, grids, moving)),
        orders={evening: tuple(draw.sample(names, len(names))) for evening in ("monday", "tuesday")},
    )


def _areas(draw: random.Random, grids: list[str]) -> tuple[list[tuple[str, ...]], list[str]]:
    """The grids of each device, and those that two of them share."""
    villages = [list(group) for _, group in groupby(grids, lambda grid: grid[:12])]
    sharing = set(draw.sample(range(len(villages)), SHARED_VILLAGES))
    areas: list[tuple[str, ...]] = []
    shared: list[str] = []
    for at, village in enumerate(villages):
        split = draw.choice((1, 2))
        one, other = village[:split], village[split:]
        if at in sharing:
            giver, taker = draw.choice(((one, other), (other, one)))
            shared.append(draw.choice(giver))
            taker.append(shared[-1])
        areas += [tuple(sorted(one)), tuple(sorted(other))]
    return areas, shared


def _clocks(draw: random.Random, count: int) -> list[Clock]:
    """Most clocks are off by seconds; three by hours, two by years, and one is set wrong in the middle."""
    clocks = [Clock(draw.randrange(-90, 90) * SECOND) for _ in range(count)]
    wrong = draw.sample(range(count), 6)
    for at in wrong[:3]:
        clocks[at] = Clock(
            draw.choice((-1, 1)) * (draw.randrange(2, 13) * HOUR + draw.randrange(60) * MINUTE)
        )
    clocks[wrong[3]] = Clock(-56 * _YEAR)
    clocks[wrong[4]] = Clock(draw.randrange(2, 12) * _YEAR)
    clocks[wrong[5]] = Clock(draw.randrange(90) * SECOND, draw.choice((-1, 1)) * draw.randrange(2, 400) * DAY)
    return clocks


def _roles(
    draw: random.Random, areas: list[tuple[str, ...]], shared: list[str], slow: list[int]
) -> dict[int, Role]:
    """To whom what happens. The links that break are two of the slow ones'; the rest befalls good links."""
    roles: dict[int, Role] = {slow[0]: "dies", slow[1]: "loses_answer"}
    pool = draw.sample([at for at in range(len(areas)) if at not in slow], len(areas) - len(slow))
    moving = next(at for at in pool if len(areas[at]) > 1 and set(areas[at]) & set(shared))
    losing = next(at for at in pool if at != moving and set(areas[at]) - set(shared))
    rest = [at for at in pool if at not in {moving, losing}]
    return roles | {moving: "moves", losing: "loses_record", rest[0]: "crafts_field", rest[1]: "crafts_kind"}


def _kept_open(clocks: list[Clock], roles: dict[int, Role]) -> list[Clock]:
    """The clocks, with one that jumps only where no role opens the store again after it.

    Opened months later by its clock, its lease would have ended: it would show nothing before its next sync.
    """
    jumping = next(at for at, clock in enumerate(clocks) if clock.jump_ms)
    if jumping not in roles:
        return clocks
    other = next(at for at in range(len(clocks)) if at not in roles)
    swapped = {jumping: clocks[other], other: clocks[jumping]}
    return [swapped.get(at, clock) for at, clock in enumerate(clocks)]


def _cuts(draw: random.Random, role: Role | None) -> dict[str, tuple[Cut, ...]]:
    """How a slow link breaks on the two evenings of the round."""

    def some() -> tuple[Cut, ...]:
        return tuple(
            Cut(draw.choice(("up", "down")), draw.randrange(1, CUT_BYTES_MAX))
            for _ in range(draw.randrange(1, 3))
        )

    cuts: dict[str, tuple[Cut, ...]] = {"monday": some(), "tuesday": some()}
    if role == "dies":
        cuts["tuesday"] = (Cut("up", draw.randrange(1, CUT_BYTES_MAX)),)
    if role == "loses_answer":
        cuts["tuesday"] = (Cut("down", None),)
    return cuts


def _elsewhere(draw: random.Random, grids: Sequence[str], area: tuple[str, ...]) -> str:
    """A grid in another village."""
    return draw.choice([grid for grid in sorted(grids) if grid[:12] != area[0][:12]])
