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
SENTENCES_MAX: Final = 2_000
"""Beyond this many sentences on a side the comparison would cost seconds; a person decides instead."""


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
    if max(len(parts), len(ours), len(theirs)) > SENTENCES_MAX:
        return None
    edits = sorted({*_edits(parts, ours), *_edits(parts, theirs)})
    if any(left.end >= right.start for left, right in pairwise(edits)):
        return None
    merged: list[str] = []
    at = 0
    for edit in edits:
        merged += [*parts[at : edit.start], *edit.new]
        at = edit.end
    return "".join(merged + parts[at:])


def _edits(base: list[str], other: list[str]) -> list[Edit]:
    matcher = SequenceMatcher(None, base, other, autojunk=False)
    return [
        Edit(i1, i2, tuple(other[j1:j2])) for tag, i1, i2, j1, j2 in matcher.get_opcodes() if tag != "equal"
    ]
