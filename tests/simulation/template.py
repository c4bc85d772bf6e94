"""What every simulation starts from, made once: a township with enrolled devices, and applications that are wired."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from random import Random
from typing import Final

from client_sdk import AsyncFieldClient, AsyncOfficeClient
from client_sdk.store import keyfile
from migrations.run import upgrade
from server.applications import service as applications
from server.devices import service as devices
from server.directory.service import open_township
from server.kinds.service import install
from server.staff import service as staff
from server.storage import directory
from server.storage.directory import Place
from server.storage.engine import transact
from tests.protocol.kinds_for_tests import NOTE_TOML, SHEET_TOML
from tests.simulation import disk
from tests.simulation.loop import SimulatedLoop, drawn_from
from tests.simulation.network import Link
from tests.simulation.servers import Room, Servers

TOWN: Final = "321283104"
START_MS: Final = 1_795_219_200_000
PASSPHRASE: Final = "口令"
_TEN_MINUTES_MS: Final = 600_000
PROCESSES_MAX: Final = 3
_SENTENCES: Final = 4
"""So many that two people can write into one story without touching each other's sentences."""
Clock = Callable[[], int]


@dataclass(frozen=True)
class Enrolled:
    """A device as it was enrolled: its id, its grids, its files."""

    id: str
    grids: tuple[str, ...]
    files: Path


@dataclass(frozen=True)
class Template:
    """The files to copy, and what a simulation has to know of them."""

    folder: Path
    grids: tuple[str, ...]
    devices: tuple[Enrolled, ...]
    token: str
    rooms: list[Room]
    told: Mapping[str, str] = field(default_factory=dict)
    """The stories that records tell already."""
    later: "Template | None" = None
    """The same township some days on."""

    def of(self, *, begun: bool) -> "Template":
        """The township before its first record, or when there are some."""
        return self.later if begun and self.later is not None else self


def make(folder: Path, devices_count: int) -> Template:
    """Makes the template in `folder`. The stores' keys are wrapped cheaply: deriving them is not what is tried here."""
    keyfile._MEMORY_KIB, keyfile._PASSES = 8, 1  # type: ignore[misc]  # Final, but not for this
    rooms = [Room(folder, f"server{n}") for n in range(PROCESSES_MAX)]
    home = folder / "template"
    home.mkdir()
    upgrade(f"sqlite+aiosqlite:///{home / 'town.sqlite'}")
    with disk.simulated(), drawn_from(0), asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        return runner.run(_made(home, rooms, devices_count))


async def _made(home: Path, rooms: list[Room], count: int) -> Template:
    random = Random(0)
    loop = asyncio.get_running_loop()

    def now() -> int:
        return START_MS - _TEN_MINUTES_MS + int(loop.time() * 1000)

    servers = Servers(rooms, home, 1, now, random)
    await servers.start()
    services = servers.running[0].services
    engine = services.engine
    for toml in (SHEET_TOML, NOTE_TOML):
        await install(engine, toml, "kind.toml", now())
    places = [Place(TOWN, "town", TOWN[:6], "元竹镇", 2023)]
    places += [Place(f"{TOWN}{village}", "village", TOWN, "潘元村委会", 2023) for village in ("201", "202")]
    await transact(engine, partial(directory.put_places, rows=places))
    await open_township(engine, TOWN, grids=2, now_ms=now(), random=random.randbytes)
    await services.registry.refresh()
    grids = tuple(f"{TOWN}{village}{grid:03}" for village in ("201", "202") for grid in (1, 2))
    enrolled = [await _enrolled(home, servers, n, _grids_of(n, grids), now, random) for n in range(count)]
    scopes = ("records:read", "records:write", "contact:read", "contact:write", "review")
    added = await applications.add(engine, "镇里", scopes, (TOWN,), now_ms=now(), random=random.randbytes)
    await servers.stop()
    fresh = Template(home, grids, tuple(enrolled), added.token, rooms)
    return replace(fresh, later=await _begun(fresh, now, random))


async def _begun(fresh: Template, now: Clock, random: Random) -> Template:
    """A copy of the township in which the office has made some records. Every other device has read them."""
    home = fresh.folder.with_name("begun")
    home.mkdir()
    disk.copy(fresh.folder / "town.sqlite", home / "town.sqlite")
    servers = Servers(fresh.rooms, home, 1, now, random)
    await servers.start()
    link = Link(servers.serve, random, Counter(), 0.0)
    office = AsyncOfficeClient(
        "http://town", token=fresh.token, transport=link, random=random.randbytes, clock=now
    )
    told = {}
    for n, grid in enumerate((*fresh.grids[:2], fresh.grids[0])):
        story = "".join(f"句9{n}0{at}。" for at in range(_SENTENCES))
        record = await office.create("sheet", key=f"{n}", grid=grid, subject=f"before {n}", story=story)
        told[record.id] = story
    devices = []
    for n, enrolled in enumerate(fresh.devices):
        path = home / f"{n}" / "worker.rbk"
        disk.copy(enrolled.files, path)
        devices.append(replace(enrolled, files=path))
        if n % 2 == 0:
            async with await AsyncFieldClient.open(
                path, passphrase=PASSPHRASE, clock=now, random=random.randbytes, transport=link
            ) as client:
                await client.sync()
    await servers.stop()
    return replace(fresh, folder=home, devices=tuple(devices), told=told)


def _grids_of(n: int, grids: tuple[str, ...]) -> tuple[str, ...]:
    """Neighbours share grids, so that most records have several editors."""
    return (grids[0], grids[1]) if n % 3 == 0 else (grids[n % 4],) if n % 3 == 1 else (grids[0], grids[n % 4])


async def _enrolled(
    home: Path, servers: Servers, n: int, grids: tuple[str, ...], now: Clock, random: Random
) -> Enrolled:
    grids = tuple(dict.fromkeys(grids))
    engine = servers.running[0].services.engine
    name = f"网格员{n}"
    candidate = staff.Candidate(name, "grid_worker", TOWN)
    await staff.add(engine, candidate, now_ms=now(), random=random.randbytes)
    code = await devices.give_code(
        engine, name, grids, lifetime_ms=_TEN_MINUTES_MS, now_ms=now(), random=random.randbytes
    )
    path = home / f"{n}" / "worker.rbk"
    link = Link(servers.serve, random, Counter(), 0.0)
    client = await AsyncFieldClient.open(
        path, passphrase=PASSPHRASE, clock=now, random=random.randbytes, transport=link
    )
    await client.enrol("http://town", code=code.code)
    device = (await client.me()).device
    await client.close()
    return Enrolled(device, grids, path)
