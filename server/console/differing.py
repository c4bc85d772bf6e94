"""Where two texts differ, letter by letter, for Chinese as for English. Pure.

Long texts are compared sentence by sentence, because comparing letters takes the square of their length.
"""

from difflib import SequenceMatcher
from typing import Final, Literal

import msgspec

from sync_protocol.text import sentences

LETTERS_MAX: Final = 1_500
How = Literal["same", "added", "removed"]


class Piece(msgspec.Struct, frozen=True):
    """A run of letters that both texts have, or only the later one, or only the earlier one."""

    how: How
    text: str


def pieces(before: str, after: str) -> list[Piece]:
    """How `after` came from `before`; together, the pieces that are not `removed` are `after`."""
    one, other = (
        (before, after) if len(before) + len(after) <= LETTERS_MAX else (sentences(before), sentences(after))
    )
    found: list[Piece] = []
    for tag, start, end, other_start, other_end in SequenceMatcher(
        None, one, other, autojunk=False
    ).get_opcodes():
        gone, new = "".join(one[start:end]), "".join(other[other_start:other_end])
        if tag == "equal":
            found.append(Piece("same", new))
            continue
        found += [Piece(how, text) for how, text in _both(gone, new) if text]
    return found


def _both(gone: str, new: str) -> tuple[tuple[How, str], tuple[How, str]]:
    return ("removed", gone), ("added", new)
