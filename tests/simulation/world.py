"""A township under simulation: its servers, its devices, its office, and everything that may happen to them."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

from server.devices import service as devices
from server.refused import RefusedError
from server.storage.engine import Unavailable
from tests.simulation import disk
from tests.simulation.device import Clock, Device
from tests.simulation.disk import CrashError
from tests.simulation.ledger import read, taken_in
from tests.simulation.network import Link
from tests.simulation.office import Office
from tests.simulation.rounds import Habits, Values, sentences_of
from tests.simulation.servers import Servers
from tests.simulation.template import START_MS, Enrolled, Template
from tests.simulation.town import store
from tests.simulation.upgrades import kind_grows
from tests.simulation.witness import Witness

REFUSED: Final = (RefusedError, Unavailable, CrashError)
"""What the office may be told instead of its wish."""
NUMBERED: Final = frozenset({"reported", "settled", "accepted", "finished"})


@dataclass(frozen=True)
class Slip:
    """What a citizen holds: a number, from the worker of a device."""

    number: str
    device: Device


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
    restores: int = 0
    """How often the database was put back."""
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
        self.servers = Servers(self.template.rooms, self.folder, self.processes, self.now, self.part())
        self.office = Office(self, self.template.token, self.link(), self.part())
        self.office.link.fades = 0.0
        for record, story in self.template.told.items():
            self.witness.sentences[record] = sentences_of(story)

    @property
    def restored(self) -> bool:
        """Whether the database was ever put back."""
        return self.restores > 0

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

    def synced(self, device: Device, *, told_now: bool) -> None:
        """After each sync that came to its end: nothing lies on the device that is not of its grids (G5).

        `told_now`: its news came with this very sync.
        """
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
            if told_now and self._was_elsewhere(device, record, grids)
        ]

    def acknowledged(self, device: Device) -> None:
        """After a sync that came to its end: what the device holds as answered is on the server, however often that was
        put back (G2). Later it may be mended by luck: a gap in what the device sends tells of it too.
        """
        answered = {
            change
            for (change,) in store(device, "SELECT id FROM changes WHERE status NOT IN ('queued', 'draft')")
        }
        there = {change for (change,) in self.servers.rows("SELECT change_id FROM changes")}
        self.wrong += [
            f"G2: {device.name} has synced, holds {change} as answered, and the server does not know it"
            for change in sorted(answered - there)
        ]

    def _was_elsewhere(self, device: Device, record: str, grids: set[str]) -> bool:
        """Whether the record lay in none of the device's grids during the whole of its last sync."""
        rows = self.servers.rows(
            "SELECT r.place, c.received_ms FROM records r JOIN changes c ON c.n = r.placed WHERE r.record_id = ?",
            (record,),
        )
        if not rows or self.restored or self.witness.clock_was_set:
            return False
        [(place, moved_ms)] = rows
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
            self.restores += 1
            self.witness.restored = True
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
