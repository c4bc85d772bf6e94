"""What people do on a round: much on few records, a little on many, each on what their screen shows."""

import re
from collections.abc import Callable, Sequence
from random import Random
from typing import TYPE_CHECKING, Any, Final

from client_sdk import FieldClient, Record
from sync_protocol.errors import InvalidRecord, NotFound
from tests.protocol.kinds_for_tests import STORY_MAX, TAGS
from tests.simulation.witness import PERHAPS, Witness

if TYPE_CHECKING:
    from collections.abc import Mapping

_SENTENCE: Final = re.compile("句[0-9]+。")


TURNS: Final = (4, 3, 3, 3, 2, 2, 2, 3, 2, 4, 0.3, 2, 1.5)
"""How often a worker does each thing, in the order of `Worker.turn`."""


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
        habits: Sequence[float],
        came_back: Callable[[str], None],
    ) -> None:
        """`habits` as TURNS; `came_back` hears the id of each change whose saving came back."""
        self.client, self.random, self.values, self.witness = client, random, values, witness
        self.habits, self.came_back = habits, came_back

    def turn(self) -> None:
        """Saves one thing: a new record now and then, else an edit, mostly of the records that everybody edits."""
        shown = self.client.list()
        if not shown or (len(shown) < 8 and self.random.random() < 0.15):
            self._create()
            return
        record = shown[min(int(self.random.expovariate(0.7)), len(shown) - 1)]
        if record.kind != "sheet":
            return
        edit: Callable[[Record], None] = self.random.choices(
            [self._subject, self._level, self._heads, self._story, self._groups, self._peak, self._tag, self._step,
             self._entry, self._entry_words, self._delete, self._remark, self._entry_removed],
            self.habits,
        )[0]  # fmt: skip
        try:
            edit(record)
        except (InvalidRecord, NotFound):
            return  # the screen did not offer it, such as a step that is not open

    def _create(self) -> None:
        grids = [grid.code for grid in self.client.grids()]
        if not grids:
            return
        subject = self._text(None)
        record = self.client.create("sheet", grid=self.random.choice(grids), subject=subject)
        self._came_back(record.id)

    def _subject(self, record: Record) -> None:
        self._update(record, subject=self._text(record.fields.get("subject")))

    def _level(self, record: Record) -> None:
        self._update(record, level=self._number(record.fields.get("level")))

    def _heads(self, record: Record) -> None:
        self._update(record, heads=self._number(record.fields.get("heads")))

    def _story(self, record: Record) -> None:
        told = record.fields.get("story") or ""
        there = _SENTENCE.findall(told)
        if there and self.random.random() < 0.25:
            taken_out = self.random.choice(there)
            changes = self.witness.taken_out.setdefault(taken_out, set())
            changes.add(PERHAPS)  # the device may die over it, durable or not
            changes.add(self._update(record, story=told.replace(taken_out, "")))
            changes.remove(PERHAPS)
            return
        sentence = f"句{self.values.fresh()}。"
        if len(told) + len(sentence) > STORY_MAX - 10:
            return
        self.witness.sentences.setdefault(record.id, set()).add(sentence)
        self._update(record, story=told + sentence if self.random.random() < 0.7 else sentence + told)

    def _groups(self, record: Record) -> None:
        self.client.increment(record, "groups", self.random.choice([-2, -1, 1, 2, 3]))
        self._came_back(record.id)

    def _peak(self, record: Record) -> None:
        self._update(record, peak=self.values.fresh() * 7919 % 100_003)

    def _tag(self, record: Record) -> None:
        tag = self.random.choice(TAGS)
        if tag not in (record.fields.get("tags") or []):
            self.client.add(record, "tags", tag)
        elif self.random.random() < 0.5:
            self.client.discard(record, "tags", tag)
        else:
            return
        self._came_back(record.id)

    def _step(self, record: Record) -> None:
        open_ = sorted(self.client.actions(record))
        if open_:
            self.client.act(record, self.random.choice(open_))
            self._came_back(record.id)

    def _entry(self, record: Record) -> None:
        self.client.append(record, "steps", words=self._text(None))
        self._came_back(record.id)

    def _entry_words(self, record: Record) -> None:
        steps: Mapping[str, Any] = record.fields.get("steps") or {}
        if not steps:
            return
        entry = self.random.choice(sorted(steps))
        seen = steps[entry]
        if self.random.random() < 0.5:
            self.client.edit_entry(record, "steps", entry, words=self._text(seen.get("words")))
        else:
            self.client.edit_entry(record, "steps", entry, cost=self._number(seen.get("cost")))
        self._came_back(record.id)

    def _entry_removed(self, record: Record) -> None:
        steps: Mapping[str, Any] = record.fields.get("steps") or {}
        if steps:
            self.client.remove_entry(record, "steps", self.random.choice(sorted(steps)))
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
        value = f"v{self.values.fresh()}"
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
