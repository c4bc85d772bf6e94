"""A history of concurrent operations on lists: who began what when, and what came back.

The words are those of Elle (Kingsbury & Alvaro, VLDB 2020). A key is a list. An operation is a transaction of one
process: its reads and appends take effect together or not at all. `ok` is one that took effect, `fail` one that
certainly did not, `info` one of which nobody knows. A value is appended once in a whole history, so a list that
was read tells which appends came before it, and in which order.
"""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Literal

import msgspec

Outcome = Literal["ok", "fail", "info"]
NEVER: Final = 2**62
"""When an operation ended whose end nobody saw."""
ANOTHER: Final = 1_000_000
"""Processes from here on made one operation each."""


class Read(msgspec.Struct, frozen=True):
    """The list `key` as it was read."""

    key: str
    values: tuple[int, ...]


class Append(msgspec.Struct, frozen=True):
    """`value` was put at the end of the list `key`."""

    key: str
    value: int


Step = Read | Append


class Op(msgspec.Struct, frozen=True):
    """One operation. `begun` and `ended` are places in the order in which an observer saw events."""

    process: int
    steps: tuple[Step, ...]
    begun: int
    ended: int = NEVER
    outcome: Outcome = "ok"
    live: bool = True
    """False for a look at a screen, which promises the order of its own process only."""

    @property
    def appends(self) -> list[Append]:
        return [step for step in self.steps if isinstance(step, Append)]

    @property
    def reads(self) -> list[Read]:
        return [step for step in self.steps if isinstance(step, Read)]


class Recorder:
    """Events in the order in which they were seen, from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._events = 0
        self._values = 0
        self.ops: list[Op] = []

    def event(self) -> int:
        with self._lock:
            self._events += 1
            return self._events

    def value(self) -> int:
        """A value that nobody else appends."""
        with self._lock:
            self._values += 1
            return self._values

    def ended(
        self, process: int, steps: Sequence[Step], begun: int, outcome: Outcome = "ok", *, live: bool = True
    ) -> None:
        ended = NEVER if outcome == "info" else self.event()
        op = Op(process, tuple(steps), begun, ended, outcome, live)
        with self._lock:
            self.ops.append(op)

    def another(self) -> int:
        """A process that makes one operation: one beside another of its device, or one that was refused."""
        return ANOTHER + self.event()

    def refused(self, steps: Sequence[Step]) -> None:
        """What certainly took no effect."""
        process = self.another()
        self.ended(process, steps, self.event(), "fail")


def live(history: Sequence[Op]) -> list[Op]:
    """Without the looks at screens: what is judged with the order of time."""
    return [op for op in history if op.live]


# --- the form in which Elle reads it ------------------------------------------------------------------


def edn(history: Sequence[Op]) -> Iterator[str]:
    """A line for each event, in EDN, as Elle's list-append takes them.

    A process whose operation ended in `info` never comes again, as Elle demands.
    """
    events = [(op.begun, "invoke", op) for op in history]
    events += [(op.ended, op.outcome, op) for op in history if op.ended != NEVER]
    after = max((at for at, _, _ in events), default=0) + 1
    lost = [op for op in history if op.ended == NEVER]
    events += [(after + at, "info", op) for at, op in enumerate(lost)]
    for index, (at, sort, op) in enumerate(sorted(events, key=lambda event: event[0])):
        steps = " ".join(_edn_step(step, told=sort == "ok") for step in op.steps)
        yield (
            f"{{:index {index}, :time {at}, :type :{sort}, :process {op.process}, :f :txn, :value [{steps}]}}"
        )


def _edn_step(step: Step, *, told: bool) -> str:
    if isinstance(step, Append):
        return f'[:append "{step.key}" {step.value}]'
    values = " ".join(map(str, step.values))
    return f'[:r "{step.key}" [{values}]]' if told else f'[:r "{step.key}" nil]'


def export(history: Sequence[Op], file: Path) -> list[Path]:
    """Writes the history twice: `file` for strict serialisability, and with the screens for session order."""
    screens = file.with_suffix(f".session{file.suffix}")
    for path, ops in ((file, live(history)), (screens, history)):
        path.write_text("".join(f"{line}\n" for line in edn(ops)), encoding="utf-8")
    return [file, screens]
