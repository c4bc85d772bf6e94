"""A device of tests: a dict of records, a queue, and the rules of sync_protocol/messages.py, nothing else.

It shares no code with the client but the overlay's answer to what an edit was made on. What it holds after
a complete page is compared with the database, record by record and by digest.
"""

from dataclasses import dataclass, field
from typing import Any

import msgspec

from server.sync.service import Caller, sync
from sync_protocol.canonical import Digest, canonical, halves, total
from sync_protocol.changes import Act, Change, Op, encode
from sync_protocol.codec import encode as encode_message
from sync_protocol.codec import read_answer, read_request
from sync_protocol.messages import Page, PageRecord, Receipt, SyncAnswer, SyncRequest, Verdict
from sync_protocol.overlay import Base, apply_page_record
from sync_protocol.registration import Claim
from sync_protocol.versions import CURRENT
from tests.sync.town import Town, id_of


@dataclass
class Held:
    """A record as the pages left it; `old` while its grid comes again from the beginning."""

    kind: str
    place: str
    version: int
    state: str | None
    number: str | None
    values: dict[str, Any]
    old: bool = False

    def content(self) -> tuple[Any, ...]:
        return (self.kind, self.place, self.version, self.state, self.number, self.values)


@dataclass
class Device:
    """One device; `ahead_ms` is how far its clock is ahead of the server's."""

    town: Town
    number: int
    grids: tuple[str, ...]
    ahead_ms: int = 0
    id: str = ""
    epoch: str = ""
    serial: int = 0
    counter: int = 0
    mark: int = 0
    contact_ms: int | None = None
    """Its own clock at the contact of the mark."""
    queue: list[Change | bytes] = field(default_factory=list)
    sent: dict[str, Change] = field(default_factory=dict)
    """Changes with a verdict, kept for a server that was restored."""
    verdicts: dict[str, list[Verdict]] = field(default_factory=dict)
    held: dict[str, Held] = field(default_factory=dict)
    receipts: list[Receipt] = field(default_factory=list)
    claims: dict[str, Claim] = field(default_factory=dict)
    """Record to the number that the server gave it, with the proof."""
    cursor: str | None = None
    complete: bool = False

    # --- editing ----------------------------------------------------------------------------------------

    def create(
        self, place: str | None = None, *, act: Act | None = None, kind: str = "sheet", **fields: Any
    ) -> Change:
        record = self.town.fresh_id()
        grid = place or self.grids[0]
        return self.save(record, do="create", place=grid, fields=fields, act=act, kind=kind)

    def edit(self, record: str, *ops: Op, fields: dict[str, Any] | None = None, **said: Any) -> Change:
        """An edit of the record as held; `on` and `base` may be told otherwise."""
        held = self.held.get(record)
        base = held.version if held is not None else 0
        return self.save(record, *ops, fields=fields or {}, **{"base": base, **said})

    def save(self, record: str, *ops: Op, fields: dict[str, Any] | None = None, **said: Any) -> Change:
        self.counter += 1
        at = self.town.server.now + self.ahead_ms
        since = at - self.contact_ms if self.contact_ms is not None else None
        said = {"n": self.counter, "at": at, "mark": self.mark, "since": since, **said}
        change = self.town.change(record, *ops, fields=fields or {}, **said)
        self.queue.append(change)
        return change

    # --- exchanging -------------------------------------------------------------------------------------

    async def sync(self, *, lost: bool = False, **more: Any) -> SyncAnswer:
        """One exchange; with `lost` the answer does not arrive. `more` overrides the request."""
        answer = await self.ask(**more)
        if not lost:
            self.take(answer)
        return answer

    async def ask(self, *, serial: int | None = None, **more: Any) -> SyncAnswer:
        self.serial += 1
        request: dict[str, Any] = {
            "protocol": CURRENT,
            "nonce": f"{self.number}-{self.serial}",
            "epoch": self.epoch,
            "now": self.town.server.now + self.ahead_ms,
            "changes": [_raw(change) for change in self.queue],
            "queued": len(self.queue),
            "cursor": self.cursor,
            "numbers": {
                change.record: self.claims[change.record]
                for change in self.queue
                if isinstance(change, Change) and change.record in self.claims
            },
        } | more
        body = encode_message(SyncRequest(**request))
        caller = Caller(self.town.code, self.id, self.serial if serial is None else serial, b"p" * 32)
        return read_answer(encode_message(await sync(self.town.server.services, caller, read_request(body))))

    async def sync_all(self, **more: Any) -> SyncAnswer:
        """Until the queue is sent and the page complete."""
        for _ in range(200):
            answer = await self.sync(**more)
            if self.complete and not self.queue:
                return answer
        raise AssertionError("a device that never comes to an end")

    def take(self, answer: SyncAnswer) -> None:
        self.mark, self.contact_ms = answer.now, self.town.server.now + self.ahead_ms
        for verdict in answer.verdicts:
            self.verdicts.setdefault(verdict.id, []).append(verdict)
        named = {verdict.id for verdict in answer.verdicts}
        nameless = {one.index for one in answer.unanswered}
        waiting = self.queue
        self.queue = [
            change for at, change in enumerate(waiting) if at not in nameless and not _named(change, named)
        ]
        for change in waiting:
            if isinstance(change, Change) and change.id in named:
                self.sent[change.id] = change
                for verdict in answer.verdicts:
                    if verdict.id == change.id and verdict.number and verdict.proof:
                        self.claims[change.record] = Claim(verdict.number, verdict.proof)
        if answer.offer_above is not None:
            self._offer(answer.offer_above)
        if answer.fork:
            self._fork(id_of(int(self.epoch[-12:]) + 1))
        if answer.page is not None:
            self._apply(answer.page)

    def _offer(self, above: int) -> None:
        """Everything that the server acknowledged above a number goes into the queue again."""
        again = [
            change
            for change in self.sent.values()
            if self.verdicts[change.id][-1].n > above and change not in self.queue
        ]
        self._fork(id_of(int(self.epoch[-12:]) + 1), [*again, *self.queue])

    def _fork(self, epoch: str, queue: list[Change | bytes] | None = None) -> None:
        self.epoch, self.counter = epoch, 0
        renumbered: list[Change | bytes] = []
        for change in self.queue if queue is None else queue:
            self.counter += 1
            if isinstance(change, Change):
                renumbered.append(msgspec.structs.replace(change, n=self.counter))
            else:
                renumbered.append(change)
        self.queue = renumbered

    # --- pages ------------------------------------------------------------------------------------------

    def _apply(self, page: Page) -> None:
        for held in self.held.values():
            held.old = held.old or held.place in page.restart
        self.held = {record: held for record, held in self.held.items() if held.place not in page.drop}
        for left in page.exits:
            if left.id in self.held and self.held[left.id].version <= left.n:
                del self.held[left.id]
        for row in page.records:
            self._apply_record(row)
        self.held = {
            record: held for record, held in self.held.items() if not (held.old and held.place in page.fresh)
        }
        assert [receipt.n for receipt in page.receipts] == sorted({receipt.n for receipt in page.receipts})
        self.receipts += page.receipts
        self.cursor, self.complete = page.cursor, page.complete
        if page.complete:
            assert page.digests == {grid: self._digest(grid) for grid in page.digests}

    def _apply_record(self, row: PageRecord) -> None:
        held = self.held.get(row.id)
        if held is not None and held.version >= row.n and not held.old:
            return
        if row.whole:
            values = msgspec.json.decode(row.fields)
            self.held[row.id] = Held(row.kind, row.place, row.n, row.state, row.number, values)
            return
        if row.own:
            held = self._with_own(row, held)
        assert held is not None, "a part of a record that is not held"
        for name, value in msgspec.json.decode(row.fields).items():
            _assign(held.values, name, value)
        for name, entries in row.entries.items():
            merged = {**held.values.get(name, {}), **entries}
            _assign(
                held.values, name, {key: subs for key, subs in merged.items() if subs is not None} or None
            )
        held.place, held.version = row.place or held.place, row.n
        held.state, held.number = row.state or held.state, row.number or held.number

    def _with_own(self, row: PageRecord, held: Held | None) -> Held:
        """The record with the own changes that the page names, by the overlay's merge."""
        own = [self.sent[change] for change in row.own]
        base = None
        if held is not None:
            base = Base(row.id, held.kind, held.place, held.version, held.values, held.state, held.number)
        named = msgspec.structs.replace(row, fields=msgspec.Raw(b"{}"), entries={})
        found = apply_page_record(base, named, own, self.town.server.services.registry.latest(own[0].kind))
        assert found is not None
        self.held[row.id] = Held(found.kind, found.place, row.n, found.state, found.number, found.values)
        return self.held[row.id]

    def _digest(self, grid: str) -> Digest:
        forms = [
            canonical(record, held.kind, held.place, held.state, held.number, held.values)
            for record, held in self.held.items()
            if held.place == grid
        ]
        pairs = [halves(form) for form in forms]
        return total(len(forms), sum(high for high, _ in pairs), sum(low for _, low in pairs))

    async def assert_equals_the_server(self) -> None:
        found = {record: held.content() for record, held in self.held.items()}
        assert found == await self.town.held(self.grids)


async def enrolled(town: Town, number: int, *grids: str, **more: Any) -> Device:
    """A device with a row in the database. `number` makes its id and its first epoch."""
    device = Device(town, number, grids or town.grids[:1], **more)
    device.id, device.epoch = id_of(number), id_of(number * 1_000)
    await town.add_device(device.id, device.grids)
    return device


async def two_devices(town: Town) -> tuple[Device, Device]:
    """Two devices of one grid, each with a matter that it has reported."""
    one, other = await enrolled(town, 1), await enrolled(town, 2)
    for device in (one, other):
        device.create(subject=f"before {device.number}", act=Act("report", "fresh", "reported"))
        await device.sync_all()
    return one, other


def _raw(change: Change | bytes) -> msgspec.Raw:
    return msgspec.Raw(encode(change) if isinstance(change, Change) else change)


def _named(change: Change | bytes, ids: set[str]) -> bool:
    """Whether a verdict named it; a device knows the ids of its own changes, whatever became of their bytes."""
    if isinstance(change, Change):
        return change.id in ids
    return any(name.encode() in change for name in ids)


def _assign(values: dict[str, Any], key: str, value: Any) -> None:
    if value is None:
        values.pop(key, None)
    else:
        values[key] = value
