"""The round, day by day."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, Self

from demo import craft, day, tickets
from demo.clocks import SECOND, ServerClock, at
from demo.device import Device
from demo.link import Link
from demo.office import Office
from demo.place import Administrator
from demo.plan import Evening, Plan, TicketPlan
from demo.progress import Progress
from demo.texts import open_texts
from demo.turns import InTurn, Turns
from demo.work import Worker

THREADS: Final = 6
_EVENING: Final[dict[Evening, int]] = {
    "sunday": at(0, 17, 30),
    "monday": at(1, 19),
    "tuesday": at(2, 19),
    "wednesday": at(3, 7, 30),
}


class Round:
    """Everything that takes part."""

    def __init__(self, office: Office, plan: Plan, folder: Path, clock: ServerClock, url: str) -> None:
        self.office, self.plan, self.clock, self.url = office, plan, clock, url
        self.progress = Progress()
        self.texts = open_texts()
        self.turns = Turns(lambda: clock.wait(SECOND))
        stores = folder / "devices"
        stores.mkdir()
        self.devices = [
            Device(
                one,
                plan.seed,
                stores / f"worker-{one.name}.rbk",
                at(0, 16),
                None if one.slow else InTurn(url, self.turns, one.name),
            )
            for one in plan.devices
        ]
        self.workers = {device.name: Worker(device, self.texts) for device in self.devices}
        self.links: dict[str, Link] = {}
        self.moved = ""
        """The record that the office moved to another grid."""

    def play(self, administrator: Administrator) -> None:
        """From the first code to the last sync."""
        with self._linked():
            self._enrol(administrator)
            self.clock.reach(at(0, 17))
            self.office.hand_over(self.texts)
            self._evening("sunday")
            self._work(1, self._first_day)
            self.clock.reach(at(1, 11))
            self.office.work_by_day()
            self._evening("monday")
            self.clock.reach(at(1, 20, 30))
            self._move(administrator)
            self._work(2, self._second_day)
            self._evening("tuesday")
            self.clock.reach(at(2, 20, 30))
            self.office.handle()
            self.office.decide(self.moved)
            day.call_again(self.office)
            day.work(self.office.people["clerk"], self.clock)
            self._evening("wednesday")

    def set_server(self, url: str) -> None:
        """Tells the devices where the service is found after the round."""
        for device in self.devices:
            device.client.set_server(url)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for device in self.devices:
            device.close()

    def open_stores(self) -> None:
        """Makes every device's encrypted store."""
        self._each(("新建加密存储", "encrypted stores made"), lambda device: device.client)

    @contextmanager
    def _linked(self) -> Iterator[None]:
        """The slow links."""
        host, _, port = self.url.removeprefix("http://").partition(":")
        with ExitStack() as stack:
            for device in self.devices:
                if device.plan.slow:
                    link = Link(device.name, (host, int(port)), self.turns)
                    self.links[device.name] = stack.enter_context(link)
            yield

    def _each(self, title: tuple[str, str], work: Callable[[Device], object], threads: int = THREADS) -> None:
        """Every device does something, several at a time."""
        with self.progress.step(title, len(self.devices)) as step, ThreadPoolExecutor(threads) as pool:
            under_way = [pool.submit(work, device) for device in self.devices]
            try:
                for done in as_completed(under_way):
                    done.result()
                    step()
            except BaseException:
                self.turns.begin(())  # nobody waits for somebody who does not come any more
                raise

    def _enrol(self, administrator: Administrator) -> None:
        codes = dict(zip((d.name for d in self.devices), administrator.codes(self.plan.devices), strict=True))
        self.turns.begin([device.name for device in self.devices])

        def enrol(device: Device) -> None:
            link = self.links.get(device.name)
            try:
                device.client.enrol(link.url if link is not None else self.url, code=codes[device.name])
            finally:
                self.turns.leave(device.name)

        self._each(("登记设备", "devices enrolled"), enrol, len(self.devices))

    def _evening(self, evening: Evening) -> None:
        """Everybody syncs, in threads of their own: at once, or where something is sent in turns."""
        self.clock.reach(_EVENING[evening])
        self.turns.begin(self.plan.orders.get(evening, ()))

        def sync(device: Device) -> None:
            device.clock.reach(_EVENING[evening])
            link = self.links.get(device.name)
            try:
                if evening == "tuesday" and device.plan.role == "dies" and link is not None:
                    device.die_in_upload(link)
                elif link is not None:
                    link.arm(device.plan.cuts.get(evening, ()))
                device.sync()
            finally:
                self.turns.leave(device.name)

        self._each(_TITLES[evening], sync, len(self.devices))

    def _work(self, day: int, work: Callable[[Worker], None]) -> None:
        """Everybody works, without a network."""
        before = sum(device.saves for device in self.devices)

        def one(device: Device) -> None:
            device.clock.reach(at(day, 8))
            work(self.workers[device.name])
            device.note_queue()

        self._each((f"第 {day} 天离线工作", f"day {day}, offline"), one)
        saved = sum(device.saves for device in self.devices) - before
        self.progress.say(f"{saved} 条待上传", "changes saved, all waiting")

    def _first_day(self, worker: Worker) -> None:
        worker.first_day()
        for ticket, record in self._shared(worker.device):
            seen = worker.device.client.get(record)
            tickets.edit_first_day(worker, seen, ticket.pattern, self._side(worker.device, ticket))

    def _second_day(self, worker: Worker) -> None:
        """Like the first, with what only some do; at noon one clock jumps."""
        device = worker.device
        for ticket, record in self._shared(device):
            tickets.edit_second_day(worker, device.client.get(record), self._side(device, ticket))
        device.clock.error_ms += device.plan.clock.jump_ms
        match device.plan.role:
            case "loses_record":
                seen = device.client.get(self.moved)
                seen = worker.did(device.client.update(seen, people_involved=9))
                worker.did(device.client.append(seen, "measures", text="再次上门，双方愿意调解。"))
            case "crafts_field":
                craft.invalid_field(device, worker.matters[0])
            case "crafts_kind":
                craft.unknown_kind(device, device.plan.grids[0])
                craft.unknown_version(device, worker.matters[0])
        worker.second_day()

    def _move(self, administrator: Administrator) -> None:
        """At night a record goes to another grid, and a worker too: neither is known where they were."""
        loser, mover = self.plan.whose("loses_record"), self.plan.whose("moves")
        shared = {ticket.grid for ticket in self.plan.tickets}
        client = self.workers[loser.name].device.client
        own = [client.get(record) for record in self.workers[loser.name].matters]
        self.moved = next(record.id for record in own if record.grid not in shared)
        self.office.move_by_night(self.moved)
        administrator.move_worker(self.workers[mover.name].device.client.me().device, self.plan.moves)

    def _shared(self, device: Device) -> Sequence[tuple[TicketPlan, str]]:
        return [one for one in self.office.tickets if one[0].grid in device.plan.grids]

    def _side(self, device: Device, ticket: TicketPlan) -> int:
        """Which of its two workers a device has."""
        both = [one.name for one in self.plan.devices if ticket.grid in one.grids]
        return both.index(device.name)


_TITLES: Final[dict[Evening, tuple[str, str]]] = {
    "sunday": ("周日傍晚同步", "Sunday evening: sync"),
    "monday": ("周一傍晚同步", "Monday evening: sync"),
    "tuesday": ("周二傍晚同步", "Tuesday evening: sync"),
    "wednesday": ("周三早晨同步", "Wednesday morning: sync"),
}
