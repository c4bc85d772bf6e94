"""What each field may say at the end: a model of who saw what, written without the merge.

Everybody writes values that nobody else ever writes. So the value on a screen tells which writing was seen,
and a writing replaces just what its author saw. Of the writings that the server took in, those that nobody
replaced must be found at the end: one of them stands, and each other one is kept where the office can take it
from. A decision replaces everything that lay before whoever decided, and its own value counts anew.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Writing:
    """One value that a stored change wanted a path to have. `of` are the values decided among, if it decides."""

    path: str
    value: Any
    of: frozenset[Any] = frozenset()
    author: str = ""


@dataclass
class Witness:
    """What people had before them when they wrote. Told before the writing, which may never become one."""

    restored: bool = False
    """A restore took back what people had seen: then differing values may be shown once more to the office."""
    saw: dict[Any, Any] = field(default_factory=dict)
    """To each value ever written, the one that stood in its place on its author's screen."""
    beside: dict[Any, frozenset[Any]] = field(default_factory=dict)
    """To each value that was ever decided for, those that it was chosen among: who sees it may have seen them."""
    sentences: dict[str, set[str]] = field(default_factory=dict)
    """The sentences that were added to the story of each record."""

    def objection(self, path: str, writings: list[Writing], stands: Any, kept: Iterable[Any]) -> str:
        """What is wrong with a path: what was written there in the order of the server, what stands, what is kept."""
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
        return self._single(writings, stands, set(kept))

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
        lost = last_words - {stands} - kept
        if self.restored:
            lost -= _written_on(writings)
        return (
            f"is {stands!r}; {sorted(lost, key=str)} was seen by nobody and is kept nowhere" if lost else ""
        )

    def _seen_before(self, value: Any) -> Iterator[Any]:
        """What its author had seen, one after the other: a value that was itself made on another had seen that too."""
        while value in self.saw:
            value = self.saw[value]
            yield value
            yield from self.beside.get(value, frozenset())

    @staticmethod
    def _member(said: set[bool], *, there: bool) -> str:
        """Added and never removed: there. Never added: not there. Else it depends on who saw what."""
        if said == {True} and not there:
            return "was added, never removed, and is gone"
        return "is there, though nobody added it" if said == {False} and there else ""

    def lost_sentences(self, record: str, accepted: Iterable[str], texts: Iterable[str]) -> Iterator[str]:
        """Sentences in texts that the server took in, which stand in no text that is there or kept."""
        taken, left = list(accepted), list(texts)
        for sentence in sorted(self.sentences.get(record, ())):
            if any(sentence in text for text in taken) and not any(sentence in text for text in left):
                yield sentence


def _written_on(writings: list[Writing]) -> set[Any]:
    """Values whose own author wrote the path again: they had seen what became of theirs, if only in a lost time."""
    last = {writing.author: at for at, writing in enumerate(writings)}
    return {writing.value for at, writing in enumerate(writings) if last[writing.author] > at}
