"""Cells as they are shown: in the order of their codes, and outside the township none that is small. Pure.

A village's two disputes of a month are two families whom everybody there knows. So outside the township a
count below LEAST is left out, and where one alone is missing, the smallest of the others as well, because
the sum would give it away.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

LEAST: Final = 5


class Cell(msgspec.Struct, frozen=True):
    """How many matters one value of the dimension has; None: too few to be shown here."""

    code: str | None
    """A place, a month, a state, a choice; None where the matter says nothing."""
    matters: int | None
    name: str | None = None
    """Of a place."""


class Table(msgspec.Struct, frozen=True):
    """The cells that are not empty, and their sum."""

    cells: tuple[Cell, ...]
    matters: int | None


def table(counts: Mapping[str | None, int], names: Mapping[str, str], *, whole: bool) -> Table:
    """Cells in the order of their codes, never of their counts; `whole` shows small ones, too."""
    hidden = frozenset[str | None]() if whole else _hidden(counts)
    ordered = sorted(counts, key=lambda code: (code is None, code or ""))
    cells = [Cell(code, None if code in hidden else counts[code], names.get(code or "")) for code in ordered]
    total = sum(counts.values())
    alone = len(hidden) == 1
    return Table(tuple(cells), None if not whole and (alone or 0 < total < LEAST) else total)


def _hidden(counts: Mapping[str | None, int]) -> frozenset[str | None]:
    small = {code for code, count in counts.items() if count < LEAST}
    others = sorted(counts.keys() - small, key=lambda code: (counts[code], code is None, code or ""))
    return frozenset(small | set(others[:1]) if len(small) == 1 else small)
