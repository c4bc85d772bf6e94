"""What a device's process tells of itself, line by line, so that a kill -9 takes back nothing of it.

A line is written in one piece and before what it speaks of may become true: what stood on the screen before the
value that replaces it is saved, that a change is saved only once its saving has come back.
"""

import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.simulation.witness import Witness


class Journal:
    """Lines of what happened."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def tell(self, what: str, *said: Any) -> None:
        os.write(self._file, json.dumps([what, *said]).encode() + b"\n")

    def witness(self) -> Witness:
        """A witness whose every word is written down."""
        return Witness(saw=_Saw(self), sentences=_Sentences(self))

    def came_back(self, change: str) -> None:
        """A change was saved, and its author was told so."""
        self.tell("saved", change)


class _Saw(dict[Any, Any]):
    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def __setitem__(self, value: Any, seen: Any) -> None:
        self._journal.tell("saw", value, seen)
        super().__setitem__(value, seen)


class _Sentences(dict[str, set[str]]):
    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def setdefault(self, record: str, default: set[str] | None = None) -> set[str]:
        return super().setdefault(record, _Told(self._journal, record, default or ()))


class _Told(set[str]):
    def __init__(self, journal: Journal, record: str, known: Any) -> None:
        super().__init__(known)
        self._journal, self._record = journal, record

    def add(self, sentence: str) -> None:
        self._journal.tell("sentence", self._record, sentence)
        super().add(sentence)


@dataclass
class Told:
    """What one device has told so far."""

    saved: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    ends: Counter[str] = field(default_factory=Counter)
    """How its syncs ended: complete, or by which error."""
    longest_s: float = 0.0
    """The longest sync."""


def read(path: Path, witness: Witness) -> Told:
    """What a device has told; `witness` learns what its worker saw."""
    told, seen = Told(), set[str]()
    for what, *said in _lines(path):
        match what:
            case "saw":
                witness.saw[said[0]] = said[1]
            case "sentence":
                witness.sentences.setdefault(said[0], set()).add(said[1])
            case "saved":
                # An edit that changes nothing tells of the change before it once more.
                if said[0] not in seen:
                    told.saved.append(said[0])
                    seen.add(said[0])
            case "wrong":
                told.wrong.append(said[0])
            case "sync":
                told.ends[said[0]] += 1
                told.longest_s = max(told.longest_s, said[1])
            case _:
                message = f"a line that nobody writes: {what}"
                raise ValueError(message)
    return told


def _lines(path: Path) -> Iterator[list[Any]]:
    if path.exists():
        yield from map(json.loads, path.read_text().splitlines())
