"""A township under simulation: its servers, its devices, its office, and everything that may happen to them."""

import asyncio
import json
import shutil
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from random import Random
from typing import Any, Final

from client_sdk import AsyncFieldClient, AsyncOfficeClient
from client_sdk.office_answers import Conflict, OfficeRecord
from server.devices import service as devices
from server.refused import RefusedError
from server.storage.engine import Unavailable
from sync_protocol.errors import Busy, Offline, Refused, Revoked, RoundbookError, StoreFull
from tests.simulation import disk
from tests.simulation.disk import CrashError, Process
from tests.simulation.fields import is_single
from tests.simulation.ledger import read, taken_in
from tests.simulation.network import Link
from tests.simulation.rounds import Habits, Values, Worker, sentences_of
from tests.simulation.servers import Servers
from tests.simulation.template import PASSPHRASE, START_MS, Enrolled, Template
from tests.simulation.town import store
from tests.simulation.upgrades import kind_grows
from tests.simulation.witness import Witness

DAY_MS: Final = 86_400_000
YEARS_MS: Final = 365 * DAY_MS
CLONES_MAX: Final = 70
REFUSED: Final = (RefusedError, Unavailable, CrashError)
"""What the office may be told instead of its wish."""
NUMBERED: Final = frozenset({"reported", "settled", "accepted", "finished"})


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
        self.world.synced(self)
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
            clone.damaged, clone.told_ms = self.damaged, self.told_ms
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

    def turn(self) -> None:
        """The worker saves something."""
        assert self.worker is not None
        if self.world.jumps and self.random.random() < self.world.jumps:
            self.clock.set()
            self.clock_changed()
        try:
            self.worker.turn()
        except StoreFull:
            self.world.seen["save refused by a full disk"] += 1
        except Revoked:
            self.revoked = True


@dataclass(frozen=True)
class Slip:
    """What a citizen holds: a number, from the worker of a device."""

    number: str
    device: Device


class Office:
    """The township's office, through an application's token."""

    def __init__(self, world: "World", token: str, link: Link, random: Random) -> None:
        """Its link breaks as the devices' do."""
        self.world, self.random, self.link = world, random, link
        self.came_from: dict[str, str] = {}
        self.client = AsyncOfficeClient(
            "http://town", token=token, transport=link, random=random.randbytes, clock=world.now
        )

    async def turn(self) -> None:
        """One thing that an office does."""
        turns = [self._edit, self._move, self._decide, self._replay, self._act]
        await self._tried(self.random.choices(turns, self.world.habits.office)[0])

    async def decide(self) -> None:
        """Somebody opens the inbox and decides what differs."""
        await self._tried(self._decide)

    async def _tried(self, turn: Callable[[], Awaitable[None]]) -> None:
        try:
            await turn()
        except RoundbookError:
            return  # refused, or the link broke: the table of changes says what became of it

    async def _records(self) -> list[OfficeRecord]:
        return [record async for record in self.client.records("sheet", closed=False)]

    async def _some(self) -> OfficeRecord | None:
        found = await self._records()
        return self.world.habits.pick(self.random, found) if found else None

    async def _edit(self) -> None:
        record = await self._some()
        if record is None:
            return
        name = self.random.choice(["subject", "level", "heads"])
        fresh = self.world.values.fresh()
        value: Any = f"v{fresh}" if name == "subject" else fresh
        self.world.witness.saw[value] = record.fields.get(name)
        await self.client.update(record, **{name: value})

    async def _move(self) -> None:
        record = await self._some()
        if record is not None:
            drawn = self.random.choice(self.world.template.grids)
            to = self.came_from.pop(record.id, drawn)  # who moves a record a second time puts it back
            if to == drawn:
                self.came_from[record.id] = record.place
            await self.client.update(record, grid=to)

    async def _act(self) -> None:
        record = await self._some()
        if record is not None:
            open_ = await self.client.actions(record)
            if open_:
                await self.client.act(record, self.random.choice(open_).name)

    async def _decide(self) -> None:
        conflicts = await self.client.conflicts(self.random.choice(["open", "by_rule"]))
        if conflicts:
            conflict = self.random.choice(conflicts)
            pick = self.random.choice(conflict.values)
            among = [conflict.stands, *(side.value for side in conflict.values)]
            told = frozenset(value for value in among if isinstance(value, str | int))
            self.world.decided[conflict.id] = told
            if is_single(conflict.path) and pick.value is not None and self.random.random() < 0.5:
                await self.client.resolve(
                    conflict, value=self._third(conflict, pick.value, told), reason="复查"
                )
                return
            if isinstance(pick.value, str | int):
                self.world.witness.chose(pick.value, told)
            await self.client.resolve(conflict, pick=pick, reason="核实")

    def _third(self, conflict: Conflict, like: Any, told: frozenset[Any]) -> Any:
        """A value that nobody had written: whoever sees it has seen the decision."""
        fresh = self.world.values.fresh()
        value: Any = f"v{fresh}" if isinstance(like, str) else fresh
        self.world.witness.saw[value] = conflict.stands
        self.world.witness.chose(value, told)
        return value

    async def _replay(self) -> None:
        waiting = await self.client.quarantine()
        if waiting:
            await self.client.replay(self.random.choice(waiting))


@dataclass
class World:
    """Everything of one simulation."""

    template: Template
    folder: Path
    random: Random
    chance: float
    """That of a fault in one exchange."""
    processes: int
    link_faults: Sequence[str]
    habits: Habits
    fades: float = 0.0
    jumps: float = 0.0
    seen: Counter[str] = field(default_factory=Counter)
    values: Values = field(default_factory=Values)
    witness: Witness = field(default_factory=Witness)
    decided: dict[str, frozenset[Any]] = field(default_factory=dict)
    """What lay before whoever decided a conflict."""
    devices: list[Device] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    """What the checks found on the way."""
    trace: list[str] = field(default_factory=list)
    backup: Path | None = None
    restored: bool = False
    by_hand: bool = False
    """The servers were not told of it: they may give numbers again that the lost time had given."""
    slips: dict[str, Slip] = field(default_factory=dict)
    """The numbers that devices had been told, before the last restore, of what they had reported; by record."""
    skew_ms: int = 0
    """How far somebody has set the servers' clock."""
    syncs: int = 0

    def __post_init__(self) -> None:
        self.folder.mkdir()
        disk.copy(self.template.folder / "town.sqlite", self.folder / "town.sqlite")
        self.servers = Servers(self.template.wired, self.folder, self.processes, self.now, self.part())
        self.office = Office(self, self.template.token, self.link(), self.part())
        self.office.link.fades = 0.0
        for record, story in self.template.told.items():
            self.witness.sentences[record] = sentences_of(story)

    def part(self) -> Random:
        """Randomness of its own for one part, so that a part that is left out changes no other."""
        return Random(self.random.getrandbits(64))

    def now(self) -> int:
        """The servers' clock, in milliseconds since 1970."""
        return START_MS + self.skew_ms + int(asyncio.get_running_loop().time() * 1000)

    def link(self) -> Link:
        """A way to the servers."""
        return Link(self.servers.serve, self.part(), self.seen, self.chance, self.link_faults, self.fades)

    def say(self, what: str) -> None:
        """A line of the trace."""
        self.trace.append(f"{asyncio.get_running_loop().time():9.1f} s  {what}")

    def add(self, enrolled: Enrolled, name: str, files: Path) -> Device:
        """A device whose store is copied from `files`."""
        path = self.folder / name / "worker.rbk"
        disk.copy(files, path)
        device = Device(self, name, path, enrolled, self.part(), Clock(self.now, self.part()), self.link())
        self.devices.append(device)
        return device

    def synced(self, device: Device) -> None:
        """After each sync that came to its end: nothing lies on the device that is not of its grids (G5)."""
        self.syncs += 1
        client = device.client
        if client is None or device.process.dead:
            return
        grids = {grid.code for grid in client.blocking.grids()}
        with client.blocking._store.read() as tx:
            held = tx.rows("SELECT id, place FROM records")
            news = tx.rows("SELECT id, record, detail FROM news WHERE id > ?", device.news)
        self.wrong += [
            f"G5: {device.name} holds {record} of {place}, its grids are {sorted(grids)}"
            for record, place in held
            if place not in grids
        ]
        device.news = max((id_ for id_, _, _ in news), default=device.news)
        told = {record for _, record, detail in news if json.loads(detail).get("by")} - {of for of, _ in held}
        self.wrong += [
            f"G5: {device.name} was told who decided on {record}, which was elsewhere"
            for record in sorted(told)
            if self._was_elsewhere(device, record, grids)
        ]

    def _was_elsewhere(self, device: Device, record: str, grids: set[str]) -> bool:
        """Whether the record lay in none of the device's grids during the whole of its last sync."""
        with sqlite3.connect(self.servers.path) as connection:
            row = connection.execute(
                "SELECT r.place, c.received_ms FROM records r JOIN changes c ON c.n = r.placed"
                " WHERE r.record_id = ?",
                (record,),
            ).fetchone()
        connection.close()
        if row is None or self.restored or self.witness.clock_was_set:
            return False
        place, moved_ms = row
        return place not in grids and max(moved_ms, device.regridded_ms) < device.began_ms

    # --- what may happen ----------------------------------------------------------------------------------

    async def regrid(self, device: Device, grids: Sequence[str]) -> None:
        """The office gives a device other grids."""
        alive = [one for one in self.servers.running if not one.process.dead]
        if alive:
            try:
                engine = alive[0].services.engine
                await devices.set_grids(engine, device.enrolled.id, grids, now_ms=self.now())
                for one in self.devices:  # clones included
                    if one.enrolled.id == device.enrolled.id:
                        one.regridded_ms = self.now()
            except REFUSED:
                return

    async def revoke(self, device: Device) -> None:
        """The office revokes a device."""
        alive = [one for one in self.servers.running if not one.process.dead]
        if alive:
            try:
                await devices.revoke(alive[0].services.engine, device.enrolled.id, now_ms=self.now())
            except REFUSED:
                return

    async def hand_over(self, device: Device, to: Device) -> None:
        """Two workers change their grids; what the first has not sent yet is of grids that are the other's now."""
        await self.regrid(device, to.enrolled.grids)
        await self.regrid(to, device.enrolled.grids)

    async def kind_grows(self) -> None:
        """The office installs a kind's next version."""
        alive = [one for one in self.servers.running if not one.process.dead]
        if alive:
            self.servers.kind_grew = True
            try:
                await kind_grows(alive[0].services.engine, self.now())
            except REFUSED:
                return

    async def other_release(self) -> None:
        """The servers are upgraded one after another, or put back to the release before."""
        self.servers.later = not self.servers.later
        for one in list(self.servers.running):
            await asyncio.sleep(self.random.uniform(60, 900))
            if not one.process.dead:
                one.process.kill()

    def power_cut(self) -> None:
        """The servers' machine loses its power."""
        self.servers.power_cut()

    def take_backup(self) -> None:
        """A copy of the database, while the servers run."""
        self.backup = self.folder / "backup.sqlite"
        self.servers.backup(self.backup)

    async def restore_server(self, *, by_hand: bool = False) -> None:
        """The database is put back to its backup, as `roundbook restore` does it, or by copying the file."""
        if self.backup is not None:
            self.restored = self.witness.restored = True
            self.by_hand = self.by_hand or by_hand
            self.slips = dict(self._slips())
            await self.servers.restore(self.backup, by_hand=by_hand)

    def _slips(self) -> Iterator[tuple[str, Slip]]:
        """The numbers on the slips that workers have handed out, of what their device alone had reported."""
        ledger = read(self.servers.path)
        for record, changes in taken_in(ledger).items():
            step = next((c for c in changes if (c.says.get("act") or {}).get("to") in NUMBERED), None)
            of = [device for device in self.devices if step and device.enrolled.id == step.author]
            if any(device.link.under_way for device in of):
                continue  # a request of before the restore may reach the server after it, and prove no number
            number = ledger.records[record]["number"]
            if step and number and len(of) == 1 and of[0].client is not None and not of[0].process.dead:
                told = (
                    f"SELECT 1 FROM reports r JOIN changes c ON c.record = r.record WHERE c.id = '{step.id}'"
                    f" AND c.status = 'acknowledged' AND r.number = '{number}'"
                )
                if store(of[0], told):
                    yield record, Slip(number, of[0])
