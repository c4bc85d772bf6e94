"""Three-way merge of a text by sentence.

A sentence ends after 。！？； or a line break. Two edits of different, not adjacent sentences are combined;
everything else is for a person to decide, because words put together by a machine would be read as if
somebody had written them. The method is that of diff3 (Khanna, Kunal, Pierce: "A formal investigation of
Diff3", 2007) over sentences instead of lines, with adjacent changes counted as overlapping.
"""

import re
from difflib import SequenceMatcher
from itertools import pairwise
from typing import Final, NamedTuple

_SENTENCE: Final = re.compile(r"[^。！？；\n]*[。！？；\n]+|[^。！？；\n]+")
SENTENCES_MAX: Final = 150
"""How many sentences of a side may lie between the first and the last difference: comparing them takes time
that grows with the cube, and it is taken while the township waits."""


class Edit(NamedTuple):
    """Sentences `start` to `end` of the base were replaced by `new`."""

    start: int
    end: int
    new: tuple[str, ...]


def sentences(text: str) -> list[str]:
    """The sentences of a text with their closing marks; joined they are the text again."""
    return _SENTENCE.findall(text)


def merge3(base: str, standing: str, other: str) -> str | None:
    """Both edits of `base` in one text, or None when they touch the same or adjacent sentences.

    Symmetric in `standing` and `other`: neither is preferred. What both did alike counts once.
    """
    parts = sentences(base)
    ours, theirs = sentences(standing), sentences(other)
    mine, other_edits = _edits(parts, ours), _edits(parts, theirs)
    if mine is None or other_edits is None:
        return None
    edits = sorted({*mine, *other_edits})
    if any(left.end >= right.start for left, right in pairwise(edits)):
        return None
    merged: list[str] = []
    at = 0
    for edit in edits:
        merged += [*parts[at : edit.start], *edit.new]
        at = edit.end
    return "".join(merged + parts[at:])


def _edits(base: list[str], other: list[str]) -> list[Edit] | None:
    """How `base` became `other`; None when too much lies between the first and the last difference."""
    start = _common(base, other)
    end = _common(base[start:][::-1], other[start:][::-1])
    old, new = base[start : len(base) - end], other[start : len(other) - end]
    if max(len(old), len(new)) > SENTENCES_MAX:
        return None
    changed = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    return [
        Edit(start + i1, start + i2, tuple(new[j1:j2])) for tag, i1, i2, j1, j2 in changed if tag != "equal"
    ]


def _common(one: list[str], other: list[str]) -> int:
    """How many sentences both begin with."""
    return next(
        (at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )
