"""A device under simulation: its clock, its disk, its link, and what may happen to it."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final, TypeVar

from client_sdk import AsyncFieldClient
from sync_protocol.errors import Busy, Offline, Refused, Revoked, StoreFull
from tests.simulation import disk
from tests.simulation.disk import Process
from tests.simulation.network import Link
from tests.simulation.rounds import Worker
from tests.simulation.template import PASSPHRASE, START_MS, Enrolled

if TYPE_CHECKING:
    from tests.simulation.world import World

DAY_MS: Final = 86_400_000
YEARS_MS: Final = 365 * DAY_MS
CLONES_MAX: Final = 70
T = TypeVar("T")


class Clock:
    """A device's clock: off by any span, running too fast, set in between. Never what the server's says."""

    def __init__(self, server: Callable[[], int], random: Random) -> None:
        """Most are right within minutes, some are years off."""
        self.server, self.random = server, random
        self.offset_ms, self.drift = 0, 0.0
        self.set()

    def set(self) -> None:
        """Sets it to some time between 1970 and 2099."""
        draw = self.random.random()
        if draw < 0.5:
            self.offset_ms = self.random.randrange(-60_000, 60_000)
        elif draw < 0.8:
            self.offset_ms = self.random.randrange(-DAY_MS, DAY_MS)
        else:
            self.offset_ms = self.random.randrange(-55 * YEARS_MS, 73 * YEARS_MS)
        self.drift = self.random.choice([0.0, 0.0, 1e-4, -1e-4, 0.02])

    def __call__(self) -> int:
        """Milliseconds since 1970, as the device believes."""
        now = self.server()
        return now + self.offset_ms + int((now - START_MS) * self.drift)


@dataclass
class Device:
    """One device. It may be off (no client), and its store is somewhere on its disk all the time."""

    world: "World"
    name: str
    path: Path
    enrolled: Enrolled
    random: Random
    clock: Clock
    link: Link
    process: Process = field(default_factory=lambda: Process("off", dead=True))
    client: AsyncFieldClient | None = None
    worker: Worker | None = None
    saved: list[str] = field(default_factory=list)
    uncertain: set[str] = field(default_factory=set)
    """Changes whose only copy may have been on a disk that was replaced."""
    revoked: bool = False
    gone: bool = False
    """It was revoked, has handed in what it had, and its store is no more."""
    replaced: bool = False
    """A copy took the place of its store."""
    copied: list[str] | None = None
    """What had been saved when the store was copied."""
    damaged: bool = False
    """Something in its store was written over: then what differs may show, and is read again."""
    told_ms: int = 0
    """The server's time at the end of the last sync; what others sent later is not known here."""
    syncing: int = 0
    began_ms: int = 0
    """The server's time at the beginning of the last sync."""
    regridded_ms: int = 0
    """The server's time when its grids were last changed."""
    news: int = 0
    """The last item of its news that was looked at."""
    broke_off: bool = False
    """A sync did not come to its end since its news were looked at: what they tell of may have moved on meanwhile."""
    told_by_this_clock: bool = False
    """Its last contact is surely by the clock that it has now, and the answer was soon there."""

    async def open(self) -> None:
        """Switches the device on. What its store knows of the last contact may be another clock's."""
        self.told_by_this_clock = False
        self.process = Process(self.name)
        disk.belongs_to(self.path, self.process)
        try:
            self.client = await AsyncFieldClient.open(
                self.path,
                passphrase=PASSPHRASE,
                clock=self.clock,
                random=self.random.randbytes,
                transport=self.link,
                to_sync=True,
            )
        except Revoked:  # all was handed in before it died
            self.revoked = self.gone = True
            return
        self.gone = False
        world = self.world
        self.worker = Worker(
            self.client.blocking, self.random, world.values, world.witness, world.habits, self._came_back
        )

    def _came_back(self, change: str) -> None:
        """A change was saved, and its author was told so."""
        if change in self.saved:
            return
        self.saved.append(change)
        witness = self.world.witness
        witness.told_ms[change] = inf if self.syncing else self.told_ms
        if not witness.clock_was_set:
            witness.saved_ms[change] = self.world.now()
            disturbances = (self.world.chance > 0, self.clock.drift != 0, not self.told_by_this_clock)
            witness.disturb([change], sum(disturbances))

    def leave(self) -> None:
        """Whether it is still there after it was revoked."""
        if self.revoked and not self.path.exists():
            self.off()
            self.gone = True

    def off(self) -> None:
        """Whatever it was doing, it does no more."""
        if not self.process.dead:
            self.process.kill()
        self.client = self.worker = None

    async def sync(self) -> bool:
        """One sync; whether it came to its end."""
        assert self.client is not None
        if not self.syncing:
            self.began_ms = self.world.now()
        self.syncing += 1
        restores, broke_off, self.broke_off = self.world.restores, self.broke_off, True
        try:
            report = await self.client.sync()
        except (Offline, Busy, Refused, StoreFull):
            return False
        except Revoked:
            self.revoked = True
            return True
        finally:
            self.syncing -= 1
            self.told_ms = self.world.now()
        self.told_by_this_clock = not self.world.servers.pauses
        if report.reread and not self.damaged:
            self.world.wrong.append(f"G4: {self.name} held something else than the server in {report.reread}")
        try:
            self.world.synced(self, told_now=not broke_off)
            self.broke_off = False
            if report.complete and restores == self.world.restores:
                self.world.acknowledged(self)
        except Revoked:  # another sync of the same store was told so meanwhile
            self.revoked = True
            return True
        return report.complete

    def copy(self) -> None:
        """Somebody copies the folder of the store; later it may be put back."""
        disk.copy(self.path, self._kept)
        self.copied = list(self.saved)

    async def put_back(self, *, everything: bool) -> None:
        """The copy takes the place of the store; without `everything` the files beside the database stay."""
        if self.copied is None:
            return
        self.off()
        self.replaced = True
        # What was saved since the copy may have been nowhere else.
        self.uncertain |= set(self.saved) - set(self.copied)
        for file in self.path.parent.glob(f"{self.path.name}*"):
            if everything or file.name.removeprefix(self.path.name) in disk.SUFFIXES:
                file.unlink()
        for file in self._kept.parent.glob(f"{self._kept.name}*"):
            suffix = file.name.removeprefix(self._kept.name)
            if everything or suffix in disk.SUFFIXES:
                shutil.copyfile(file, self.path.with_name(self.path.name + suffix))
        await self.open()

    async def clone(self) -> None:
        """A second machine goes on with a copy of everything."""
        if len(self.world.devices) < CLONES_MAX:
            clones = len(self.world.devices) + 1
            clone = self.world.add(self.enrolled, f"{self.name}'s clone {clones}", self.path)
            clone.saved = list(self.saved)
            clone.uncertain = set(self.uncertain)
            clone.damaged, clone.told_ms, clone.news = self.damaged, self.told_ms, self.news
            clone.broke_off = self.broke_off
            clone.syncing = self.syncing and 1  # what a running sync had brought already, nobody knows
            clone.clock_changed()  # what waits in its queue may be sent beside another clock
            await clone.open()

    def clock_changed(self) -> None:
        """The clock is not what it was: the contact was by another one, and so was what may wait in the queue."""
        self.told_by_this_clock = False
        self.world.witness.disturb(self.saved, 1 + (self.clock.drift != 0))

    def fill(self, pages: int) -> None:
        """Leaves so many pages of free space on its disk."""
        assert self.client is not None
        with self.client.blocking._store.inner.write() as tx:
            ((count,),) = tx.rows("PRAGMA page_count")
            tx.rows(f"PRAGMA max_page_count = {count + pages}")

    def empty(self) -> None:
        """There is space again."""
        assert self.client is not None
        with self.client.blocking._store.inner.write() as tx:
            tx.rows("PRAGMA max_page_count = 1000000")

    @property
    def _kept(self) -> Path:
        return self.path.parent / "copy" / self.path.name

    def damage(self) -> None:
        """Writes over a value of a record, past everything that keeps its digest."""
        assert self.client is not None
        with self.client.blocking._store.inner.write() as tx:
            rows = tx.rows("SELECT id, body FROM records ORDER BY id")
            if rows:
                record, body = self.random.choice(rows)
                damaged = json.dumps(json.loads(body) | {"weight": 1.5}, ensure_ascii=False).encode()
                tx.run("UPDATE records SET body = ? WHERE id = ?", damaged, record)
                self.damaged = True

    @property
    def at_work(self) -> bool:
        """Whether somebody could save something on it now."""
        return self.client is not None and not self.process.dead and not self.gone

    def turn(self, sort: int | None = None) -> None:
        """The worker saves something; an edit of one sort on the oldest record, if it is named."""
        self._at_work(lambda worker: worker.turn() if sort is None else worker.edit_first(sort))

    def shows(self) -> list[str]:
        """The ids of the records on the screen, the oldest first; none when the device is off."""
        return (self._at_work(Worker.shows) if self.at_work else None) or []

    def begin(self, grid: str | None = None) -> str | None:
        """The worker begins a new record, in any of their grids; its id, if it was saved."""
        return self._at_work(lambda worker: worker.begin(grid)) if self.at_work else None

    def go_on(self, record: str, sort: int) -> None:
        """The worker goes on with a record, unless the device is off."""
        if self.at_work:
            self._at_work(lambda worker: worker.go_on(record, sort))

    def think_again(self, record: str) -> None:
        """The worker takes back what they saved last on a record, unless the device is off."""
        if self.at_work:
            self._at_work(lambda worker: worker.think_again(record))

    def _at_work(self, saves: Callable[[Worker], T]) -> T | None:
        assert self.worker is not None
        if self.world.jumps and self.random.random() < self.world.jumps:
            self.clock.set()
            self.clock_changed()
        try:
            return saves(self.worker)
        except StoreFull:
            self.world.seen["save refused by a full disk"] += 1
        except Revoked:
            self.revoked = True
        return None
