"""What people do on a round: much on few records, a little on many, each on what their screen shows."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any, Final, TypeVar

from client_sdk import FieldClient, Record
from sync_protocol.errors import InvalidRecord, NotFound
from tests.protocol.kinds_for_tests import STORY_MAX, TAGS
from tests.simulation.witness import PERHAPS, Witness

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")
_SENTENCE: Final = re.compile("句[0-9]+。")


TURNS: Final = (4, 3, 3, 6, 4, 2, 3, 3, 2, 4, 2, 2, 1.5)
"""How often a worker does each thing, in the order of `Worker.turn`."""
VALUES = (0, 1, 2)
"""Places in that order: what replaces one value by another."""
GROUPS, TAG, STEP, ENTRY, ENTRY_WORDS, ENTRY_REMOVED = 4, 6, 7, 8, 9, 12
OFFICE_TURNS: Final = (2, 2, 0.5, 2, 1)
"""How often the office does each thing, in the order of `Office.turn`."""


@dataclass(frozen=True)
class Habits:
    """How often each thing is done, by workers and by the office, and how much of it falls on few records."""

    workers: tuple[float, ...] = TURNS
    office: tuple[float, ...] = OFFICE_TURNS
    focus: float = 0.7
    """At 0.7 half of the work falls on the oldest record, at 3 nearly all."""
    tags: int = len(TAGS)
    """How many of the tags are in use."""
    second_thoughts: float = 0.3
    """How often somebody thinks at once again of what they have saved."""
    length: int = 0
    """How many characters more a text has: pages hold few records of people who write much."""
    hands_on: float = 0.0
    """How often the office gives the matter to another grid, once it has decided on it."""

    def pick(self, random: Random, shown: Sequence[T]) -> T:
        """The record that somebody works on next; of one, the entry or the tag."""
        return shown[min(int(random.expovariate(self.focus)), len(shown) - 1)]

    def sort(self, random: Random) -> int:
        """What somebody does next: a place in the order of `Worker.turn`."""
        return random.choices(range(len(self.workers)), self.workers)[0]


USUAL: Final = Habits()
Edit = Callable[["Record"], Any]
"""Saves one thing on a record as it is shown; returns the edit that its author may think of next, if there is one."""


def sentences_of(story: str) -> set[str]:
    """The sentences of a story, each of which is told once in a simulation."""
    return set(_SENTENCE.findall(story))


class Values:
    """Values of which each is written once in a simulation."""

    def __init__(self) -> None:
        """The first is 1."""
        self.given = 0

    def fresh(self) -> int:
        """A number that was never given before."""
        self.given += 1
        return self.given


class Worker:
    """A grid worker with a device: each turn saves one thing."""

    def __init__(
        self,
        client: FieldClient,
        random: Random,
        values: Values,
        witness: Witness,
        habits: Habits,
        came_back: Callable[[str], None],
    ) -> None:
        """`came_back` hears the id of each change whose saving came back."""
        self.client, self.random, self.values, self.witness = client, random, values, witness
        self.habits, self.came_back = habits, came_back
        self._second_thought: tuple[str, Edit] | None = None

    def turn(self) -> None:
        """Saves one thing: a new record now and then, else an edit, mostly of the records that everybody edits."""
        shown = self.client.list()
        if not shown or (len(shown) < 8 and self.random.random() < 0.15):
            self._create()
            return
        record = self.habits.pick(self.random, shown)
        self._edit(shown, record, self.habits.sort(self.random))

    def shows(self) -> list[str]:
        """The ids of the records on the screen, the oldest first."""
        return [record.id for record in self.client.list()]

    def edit_first(self, sort: int) -> None:
        """Saves an edit of one sort on the oldest record, which everybody knows."""
        shown = self.client.list()
        if shown:
            self._edit(shown, shown[0], sort)

    def begin(self, grid: str | None = None) -> str | None:
        """Saves a new record, in any grid unless one is named; its id."""
        before = set(self.shows())
        self._create(grid)
        return next((record for record in self.shows() if record not in before), None)

    def go_on(self, record: str, sort: int) -> None:
        """Saves an edit of one sort on a record, if the screen still shows it."""
        shown = [one for one in self.client.list() if one.id == record]
        if shown:
            self._edit(shown, shown[0], sort)

    def think_again(self, record: str) -> None:
        """Takes back, or tells anew, what was saved last, if it was of this record and can be."""
        (of, edit), self._second_thought = self._second_thought or ("", None), None
        shown = [one for one in self.client.list() if one.id == of == record]
        if edit is not None and shown:
            edit(shown[0])

    def _edit(self, shown: Sequence[Record], record: Record, sort: int) -> None:
        if record.kind != "sheet":
            return
        edit: Edit = (
            self._subject, self._level, self._heads, self._story, self._groups, self._peak, self._tag, self._step,
            self._entry, self._entry_words, self._delete, self._remark, self._entry_removed,
        )[sort]  # fmt: skip
        second, self._second_thought = self._second_thought, None
        if second is not None and self.random.random() < self.habits.second_thoughts:
            of, edit = second
            record = next((one for one in shown if one.id == of), record)
        try:
            then: Edit | None = edit(record)
        except (InvalidRecord, NotFound):
            return  # the screen did not offer it, such as a step that is not open
        self._second_thought = None if then is None else (record.id, then)

    def _create(self, grid: str | None = None) -> None:
        grids = [one.code for one in self.client.grids() if grid in {None, one.code}]
        if not grids:
            return
        subject = self._text(None)
        record = self.client.create("sheet", grid=self.random.choice(grids), subject=subject)
        self._came_back(record.id)

    def _subject(self, record: Record) -> Edit:
        self._update(record, subject=self._text(record.fields.get("subject")))
        return self._subject

    def _level(self, record: Record) -> Edit:
        self._update(record, level=self._number(record.fields.get("level")))
        return self._level

    def _heads(self, record: Record) -> Edit:
        self._update(record, heads=self._number(record.fields.get("heads")))
        return self._heads

    def _story(self, record: Record) -> Edit | None:
        told = record.fields.get("story") or ""
        there = _SENTENCE.findall(told)
        if there and self.random.random() < 0.25:
            return self._take_out(self.random.choice(there), record)
        sentence = f"句{self.values.fresh()}。"
        if len(told) + len(sentence) > STORY_MAX - 10:
            return None
        self.witness.sentences.setdefault(record.id, set()).add(sentence)
        draw = self.random.random()
        at = len(there) if draw < 0.4 else 0 if draw < 0.7 else len(there) // 2
        self._update(record, story="".join([*there[:at], sentence, *there[at:]]))
        return partial(self._take_out, sentence)

    def _take_out(self, sentence: str, record: Record) -> Edit:
        told = record.fields.get("story") or ""
        changes = self.witness.taken_out.setdefault(sentence, set())
        changes.add(PERHAPS)  # the device may die over it, durable or not
        changes.add(self._update(record, story=told.replace(sentence, "")))
        changes.remove(PERHAPS)
        return self._story

    def _groups(self, record: Record) -> Edit:
        self.client.increment(record, "groups", self.random.choice([-2, -1, 1, 2, 3]))
        self._came_back(record.id)
        return self._groups

    def _peak(self, record: Record) -> None:
        self._update(record, peak=self.values.fresh() * 7919 % 100_003)

    def _tag(self, record: Record) -> Edit | None:
        tag = self.habits.pick(self.random, TAGS[: self.habits.tags])
        if tag in (record.fields.get("tags") or []) and self.random.random() >= 0.5:
            return None
        return self._tagged(tag, record)

    def _tagged(self, tag: str, record: Record) -> Edit:
        """Adds a tag that is not there, takes away one that is."""
        if tag in (record.fields.get("tags") or []):
            self.client.discard(record, "tags", tag)
        else:
            self.client.add(record, "tags", tag)
        self.witness.screen[self._came_back(record.id)] = record.version
        return partial(self._tagged, tag)

    def _step(self, record: Record) -> None:
        open_ = sorted(self.client.actions(record))
        if open_:
            self.client.act(record, self.random.choice(open_))
            self._came_back(record.id)

    def _entry(self, record: Record) -> Edit:
        self.client.append(record, "steps", words=self._text(None))
        self._came_back(record.id)
        return self.random.choice([self._entry_words, self._entry_removed])

    def _entry_words(self, record: Record) -> None:
        steps: Mapping[str, Any] = record.fields.get("steps") or {}
        if not steps:
            return
        entry = self.habits.pick(self.random, sorted(steps))
        seen = steps[entry]
        if self.random.random() < 0.5:
            self.client.edit_entry(record, "steps", entry, words=self._text(seen.get("words")))
        else:
            self.client.edit_entry(record, "steps", entry, cost=self._number(seen.get("cost")))
        self._came_back(record.id)

    def _entry_removed(self, record: Record) -> None:
        steps: Mapping[str, Any] = record.fields.get("steps") or {}
        if steps:
            self.client.remove_entry(record, "steps", self.habits.pick(self.random, sorted(steps)))
            self._came_back(record.id)

    def _delete(self, record: Record) -> None:
        self.client.delete(record)
        self._came_back(record.id)

    def _remark(self, record: Record) -> None:
        if any(kind.name == record.kind and "remark" in kind.fields for kind in self.client.kinds()):
            self._update(record, remark=self._text(record.fields.get("remark")))

    def _update(self, record: Record, **fields: Any) -> str:
        self.client.update(record, **fields)
        return self._came_back(record.id)

    def _text(self, saw: Any) -> str:
        value = f"v{self.values.fresh()}{'长' * self.habits.length}"
        self.witness.saw[value] = saw
        return value

    def _number(self, saw: Any) -> int:
        value = self.values.fresh()
        self.witness.saw[value] = saw
        return value

    def _came_back(self, record: str) -> str:
        """From here on the change must not be lost; its id. An edit that changed nothing on the screen made none."""
        waiting = [entry.id for entry in self.client.queue() if entry.record == record]
        if waiting:
            self.came_back(waiting[-1])
        return waiting[-1] if waiting else ""
