"""What each field may say at the end: a model of who saw what, written without the merge.

Everybody writes values that nobody else ever writes. So the value on a screen tells which writing was seen,
and a writing replaces just what its author saw. Of the writings that the server took in, those that nobody
replaced must be found at the end: one of them stands, and each other one is kept where the office can take it
from. A decision replaces everything that lay before whoever decided, and its own value counts anew.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any, Final

PERHAPS: Final = "perhaps"
"""Stands for a change of which its author was not told that it was saved."""


@dataclass(frozen=True)
class Writing:
    """One value that a stored change wanted a path to have. `of` are the values decided among, if it decides."""

    path: str
    value: Any
    of: frozenset[Any] = frozenset()
    author: str = ""


@dataclass(frozen=True)
class Choice:
    """What a value was chosen among, and the values that had been written by then: theirs is no sight of the choice."""

    among: frozenset[Any]
    written: frozenset[Any]


@dataclass
class Witness:
    """What people had before them when they wrote. Told before the writing, which may never become one."""

    restored: bool = False
    """A restore took back what people had seen: then differing values may be shown once more to the office."""
    saw: dict[Any, Any] = field(default_factory=dict)
    """To each value ever written, the one that stood in its place on its author's screen."""
    beside: dict[Any, Choice] = field(default_factory=dict)
    """To each value that was ever decided for, among which: who sees it after that may have seen them."""
    sentences: dict[str, set[str]] = field(default_factory=dict)
    """The sentences that were added to the story of each record."""
    taken_out: dict[str, set[str]] = field(default_factory=dict)
    """To each sentence that somebody took out of a story, the changes that did."""
    told_ms: dict[str, float] = field(default_factory=dict)
    """To each change the server's time until which its author's device can have heard of others."""
    screen: dict[str, int] = field(default_factory=dict)
    """To each change of a set the version of the record that its author had before them."""
    saved_ms: dict[str, int] = field(default_factory=dict)
    """To each change the true time of its saving, where at most one thing can have misled the server about it."""
    disturbances: Counter[str] = field(default_factory=Counter)
    """To each change, how many things could: long ways, a clock that drifts, a clock set or another one.

    Two of them may cancel out, and then nobody can know (docs/protocol.md, section 16).
    """
    erased: set[str] = field(default_factory=set)
    """Changes of records that somebody had erased: devices let go of them, so a restore may have lost them."""
    clock_was_set: bool = False
    """Somebody set the servers' clock: their times tell no order any more."""

    def unseen(self, received_ms: int, by: str) -> bool:
        """Whether the author of the change `by` cannot have seen what the server took in at that time."""
        return not (self.restored or self.clock_was_set) and received_ms > self.told_ms.get(by, inf)

    def not_on_screen(self, n: int, by: str) -> bool:
        """Whether what has the number `n` was not on the screen of the author of `by`, whatever they synced before."""
        return not self.restored and n > self.screen.get(by, n)

    def chose(self, value: Any, among: frozenset[Any]) -> None:
        """Somebody is about to decide for a value that was written before."""
        self.beside[value] = Choice(among - {value}, frozenset(self.saw))

    def disturb(self, changes: Iterable[str], count: int = 1) -> None:
        """So many more things may have misled the server about when these were saved."""
        for change in changes:
            self.disturbances[change] += count
            if self.disturbances[change] > 1:
                self.saved_ms.pop(change, None)

    def objection(
        self,
        path: str,
        writings: list[Writing],
        stands: Any,
        kept: Iterable[Any],
        dropped: Iterable[Any] = (),
    ) -> str:
        """What is wrong with a path: what was written there in the order of the server, what stands, what is kept.

        `dropped` are values that went with their entry, by somebody who may have seen them: they may stand, or not.
        """
        match path.rpartition("/")[2] if path.startswith("steps/") else path.partition("/")[0]:
            case "groups":
                total = sum(writing.value for writing in writings)
                return "" if (stands or 0) == total else f"is {stands}, not {total}"
            case "peak":
                highest = max(writing.value for writing in writings)
                return "" if stands == highest else f"is {stands}, not {highest}"
            case "tags":
                return self._member({writing.value for writing in writings}, there=bool(stands))
            case "story":
                return ""  # see `lost_sentences`
        return self._single(writings, stands, {*kept, *dropped})

    def _single(self, writings: list[Writing], stands: Any, kept: set[Any]) -> str:
        written, replaced, decided = set[Any](), set[Any](), set[Any]()
        for writing in writings:
            written.add(writing.value)
            if writing.of:
                replaced = (replaced | writing.of) - {writing.value}
                decided.add(writing.value)
            else:
                replaced |= set(self._seen_before(writing.value))
        last_words = written - replaced
        asked_again = self.restored and last_words <= kept
        if stands not in last_words | decided and not asked_again:
            # Of those decided for too: whoever saw a value need not have seen that it was decided for.
            return f"is {stands!r}, which is nobody's last word: {sorted(last_words, key=str)}"
        ruling = self._ruling(writings)
        if ruling is not None and stands != ruling and not self.restored:
            return f"is {stands!r}, written by somebody who had not seen the decision for {ruling!r}"
        lost = last_words - {stands} - kept
        if self.restored:
            lost -= _written_on(writings)
        return (
            f"is {stands!r}; {sorted(lost, key=str)} was seen by nobody and is kept nowhere" if lost else ""
        )

    def _ruling(self, writings: list[Writing]) -> Any:
        """The value that was decided for, unless somebody wrote later who had seen that."""
        ruling = None
        for writing in writings:
            if writing.of:
                ruling = writing.value
            elif ruling in self._seen_before(writing.value):
                ruling = None
        return ruling

    def _seen_before(self, value: Any) -> Iterator[Any]:
        """What its author had seen, one after the other: a value that was itself made on another had seen that too."""
        while value in self.saw:
            own, value = value, self.saw[value]
            yield value
            choice = self.beside.get(value)
            if choice is not None and own not in choice.written:
                yield from choice.among

    @staticmethod
    def _member(said: set[bool], *, there: bool) -> str:
        """Added and never removed: there. Never added: not there. Else it depends on who saw what (fields.py)."""
        if said == {True} and not there:
            return "was added, never removed, and is gone"
        return "is there, though nobody added it" if said == {False} and there else ""

    def lost_sentences(
        self, record: str, accepted: Mapping[str, str], texts: Iterable[str], built_on: Iterable[str]
    ) -> Iterator[str]:
        """Sentences in texts that the server took in, by change, which stand in no text that is there or kept.

        `built_on` are changes that were not taken in, on whose text one was made that was.
        """
        left, replacing = list(texts), {PERHAPS, *accepted, *built_on}
        for sentence in sorted(self.sentences.get(record, ())):
            added = any(sentence in text for text in accepted.values())
            gone = not any(sentence in text for text in left)
            if added and gone and not self.taken_out.get(sentence, set()) & replacing:
                yield sentence

    def returned_sentences(self, record: str, accepted: Iterable[str], story: str) -> Iterator[str]:
        """Sentences that an accepted change took out, and that stand; nobody ever adds one twice."""
        ids = set(accepted)
        for sentence in sorted(self.sentences.get(record, ())):
            if sentence in story and self.taken_out.get(sentence, set()) & ids:
                yield sentence


def _written_on(writings: list[Writing]) -> set[Any]:
    """Values whose own author wrote the path again: they had seen what became of theirs, if only in a lost time."""
    last = {writing.author: at for at, writing in enumerate(writings)}
    return {writing.value for at, writing in enumerate(writings) if last[writing.author] > at}
