"""A device whose saves, syncs and reads are written down as operations on lists.

Each record holds two lists. `chain` is one text under the rule `review`: whoever adds to it writes the whole text
again, so it takes effect only where its author had seen what stood (read, modify, write). `lines` are entries, which
commute; their order is that of the numbers that the server told.
"""

import time
from collections.abc import Sequence
from random import Random
from typing import Final

import msgspec

from client_sdk import Busy, FieldClient, Offline, Policy, Record
from tests.judge.fleet import Road
from tests.judge.history import Append, Op, Outcome, Read, Recorder, Step

KIND: Final = """
[kind]
name = "ledger"
version = 1
title = { zh = "台账", en = "Ledger" }

[fields.chain]
type = "text"
merge = "review"
privacy = "plain"
title = { zh = "流水", en = "Chain" }
max_length = 4000

[fields.lines]
type = "entries"
merge = "entries"
privacy = "plain"
title = { zh = "条目", en = "Lines" }

[fields.lines.of.value]
type = "integer"
privacy = "plain"
title = { zh = "值", en = "Value" }

[fields.lines.of.note]
type = "text"
privacy = "plain"
title = { zh = "说明", en = "Note" }
"""
POLICY: Final = Policy(page_bytes_max=1_024, attempts_max=2, retry_delay_s=0.02, retry_delay_max_s=0.1)
"""Small pages: a complete read takes several, each of a later snapshot than the one before."""
NOTE: Final = "长" * 300
"""Stands in every entry, so that one changed record fills a page."""
PATIENCE_S: Final = 60.0


class Saved(msgspec.Struct, frozen=True):
    """One change of a push, and what it does to the lists."""

    id: str
    steps: tuple[Step, ...]


class Walker:
    """One device; used by one thread."""

    def __init__(
        self, process: int, client: FieldClient, road: Road, recorder: Recorder, random: Random
    ) -> None:
        self.process, self.client, self.road = process, client, road
        self._recorder, self._random = recorder, random
        self.records = sorted(record.id for record in client.list("ledger"))
        self.changes: dict[int, str] = {}
        """The change that appends a value."""
        self.rereads = 0
        self.lost = False

    def walk(self, rounds: int, loss: float) -> None:
        """Some pushes, reads and looks, and a last read. `loss`: how likely a cut answer is the last one."""
        for _ in range(rounds):
            self.push(loss)
            if self.lost:
                return
            if self._random.random() < 0.7:
                self.read()
            if self._random.random() < 0.5:
                self.look()

    def push(self, loss: float) -> None:
        """Saves one to three changes, and syncs until each has its verdict."""
        begun = self._recorder.event()
        saved = [self._save() for _ in range(self._random.randint(1, 3))]
        until = time.monotonic() + PATIENCE_S
        while not all(one.id in self.road.verdicts for one in saved):
            if not self._sync() and self._random.random() < loss:
                self.lost = True
                self._record(saved, begun, "info")
                return
            if time.monotonic() > until:
                message = f"device {self.process} got no verdict in {PATIENCE_S} s"
                raise TimeoutError(message)
        self._told(saved, begun)

    def _told(self, saved: Sequence[Saved], begun: int) -> None:
        """What was refused stands nowhere in the lists: it is kept beside them, as an operation that failed."""
        verdicts = self.road.verdicts
        taken = [one for one in saved if verdicts[one.id].result in {"applied", "merged"}]
        for one in saved:
            if one not in taken:
                self._recorder.refused(one.steps)
        self._record(taken, begun, "ok")

    def _record(self, saved: Sequence[Saved], begun: int, outcome: Outcome) -> None:
        """What always went up in the same requests was taken in by one transaction, so it is one operation.

        After a broken exchange a device sends less at once; what went up by itself then is an operation of its own.
        """
        together: dict[tuple[int, ...], list[Step]] = {}
        for one in saved:
            together.setdefault(self.road.requests.get(one.id, ()), []).extend(one.steps)
        for at, steps in enumerate(together.values()):
            process = self.process if at == 0 else self._recorder.another()
            self._recorder.ended(process, steps, begun, outcome)

    def _save(self) -> Saved:
        record, value = self.client.get(self._random.choice(self.records)), self._recorder.value()
        steps: tuple[Step, ...]
        if self._random.random() < 0.6:
            seen = chain(record)
            text = " ".join(map(str, (*seen, value)))
            self.client.update(record, chain=text)
            steps = (Read(f"{record.id}/chain", seen), Append(f"{record.id}/chain", value))
        else:
            self.client.append(record, "lines", value=value, note=NOTE)
            steps = (Append(f"{record.id}/lines", value),)
        self.changes[value] = self.client.queue()[-1].id
        return Saved(self.changes[value], steps)

    def read(self) -> None:
        """A sync without a queue. Once it is complete, the device holds the records as they stood at one number."""
        begun = self._recorder.event()
        if self._sync():
            self._recorder.ended(self.process, self._screen(), begun)

    def look(self) -> None:
        """What the screen shows, without asking anybody."""
        if self._complete:
            begun = self._recorder.event()
            self._recorder.ended(self.process, self._screen(), begun, live=False)

    def _screen(self) -> list[Read]:
        shown = [self.client.get(record) for record in self.records]
        chains = [Read(f"{record.id}/chain", chain(record)) for record in shown]
        return chains + [Read(f"{record.id}/lines", lines(record)) for record in shown]

    def _sync(self) -> bool:
        """Whether the device has everything now."""
        self._complete = False
        try:
            report = self.client.sync(policy=POLICY)
        except (Offline, Busy):
            return False
        self.rereads += len(report.reread)
        self._complete = report.complete
        return report.complete

    _complete = False


def chain(record: Record) -> tuple[int, ...]:
    return tuple(map(int, str(record.fields.get("chain") or "").split()))


def lines(record: Record) -> tuple[int, ...]:
    entries = record.fields.get("lines") or {}
    return tuple(entry["value"] for entry in entries.values())


def arranged(history: Sequence[Op], numbers: dict[int, int]) -> list[Op]:
    """With the entries that were read, and the steps of each push, in the order of their numbers.

    `numbers` by value. A value without one stays behind the others: nobody wrote it.
    """

    def place(value: int) -> tuple[int, int]:
        return (value not in numbers, numbers.get(value, value))

    def arranged_step(step: Step) -> Step:
        if isinstance(step, Read) and step.key.endswith("/lines"):
            return Read(step.key, tuple(sorted(step.values, key=place)))
        return step

    return [
        msgspec.structs.replace(op, steps=tuple(arranged_step(step) for step in op.steps)) for op in history
    ]
