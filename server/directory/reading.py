"""Reads a list of divisions from CSV. Pure: text in, rows and refusals out.

The columns are those of the shipped list, in any order, with others beside them ignored. A row that cannot
be used is refused by itself with its line and the reason; only a file that cannot be read at all, or lacks a
column, is refused whole.
"""

import csv
import io
import unicodedata
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

import msgspec

from server.refused import RefusedError

COLUMNS: Final = (
    "village_code",
    "village_name",
    "town_code",
    "town_name",
    "county_code",
    "county_name",
    "city_name",
    "province_name",
)
LEVELS: Final = (("province", 2), ("city", 4), ("county", 6), ("town", 9), ("village", 12))
"""Each level with the digits of its codes, from above."""
NAME_CHARS_MAX: Final = 60
ROWS_MAX: Final = 1_000_000
"""The whole country has about 620,000 villages and communities."""
_SHOWN_CHARS: Final = 30


class Division(msgspec.Struct, frozen=True):
    """One place of the list; `parent` is the code of the level above, None for a province."""

    code: str
    level: str
    parent: str | None
    name: str


class Row(msgspec.Struct, frozen=True):
    """One village with everything above it, from the province down, and the line where it stands."""

    line: int
    divisions: tuple[Division, ...]


class RowRefusal(msgspec.Struct, frozen=True):
    """A row that was left out, and why. Lines count from 1, the header being line 1."""

    line: int
    reason: str


class Listed(msgspec.Struct, frozen=True):
    """A whole file: what can be used of it, and what cannot."""

    rows: list[Row]
    refused: list[RowRefusal]


def read(text: str) -> Listed:
    """The rows of a list; raises RefusedError when the header or the quoting is not what it must be."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[Row] = []
    refused: list[RowRefusal] = []
    names: dict[str, tuple[str, int]] = {}
    try:
        header = _header(next(reader, []))
        for cells in reader:
            if not cells:
                continue
            if len(rows) + len(refused) >= ROWS_MAX:
                message = f"A list has at most {ROWS_MAX:,} rows: divide the file."
                raise RefusedError(message)
            found = _row(reader.line_num, cells, header, names)
            (rows if isinstance(found, Row) else refused).append(found)  # type: ignore[arg-type]  # the branch says which, mypy does not follow
    except csv.Error as error:
        message = (
            f"Line {reader.line_num} cannot be read as CSV, perhaps a quotation mark is open: mend it there."
        )
        raise RefusedError(message) from error
    return Listed(rows, refused)


def _header(cells: list[str]) -> dict[str, int]:
    """Where each column stands."""
    where = {name.strip(): index for index, name in reversed(list(enumerate(cells)))}
    missing = [name for name in COLUMNS if name not in where]
    if missing:
        came = ", ".join(cells[:10])[:80] or "nothing"
        message = (
            f"The first line names the columns, parted by commas: {', '.join(missing)} missing, got {came}."
        )
        raise RefusedError(message)
    return {name: where[name] for name in COLUMNS}


def _row(
    line: int, cells: list[str], header: dict[str, int], names: dict[str, tuple[str, int]]
) -> Row | RowRefusal:
    """One row, or why it is left out. `names` remembers what the rows before called each code."""
    if len(cells) <= max(header.values()):
        return RowRefusal(line, f"{max(header.values()) + 1} cells expected, got {len(cells)}")
    values = {name: cells[index].strip() for name, index in header.items()}
    reason = next(_faults(values), None)
    if reason is None:
        row = Row(line, _divisions(values))
        reason = next(_contradictions(row, names), None)
        if reason is None:
            names.update((d.code, (d.name, line)) for d in row.divisions if d.code not in names)
            return row
    return RowRefusal(line, reason)


def _faults(values: dict[str, str]) -> Iterator[str]:
    """What is wrong with the row by itself."""
    codes = [values["county_code"], values["town_code"], values["village_code"]]
    for code, name, digits in zip(
        codes, ("county_code", "town_code", "village_code"), (6, 9, 12), strict=True
    ):
        if not (code.isascii() and code.isdigit() and len(code) == digits):
            yield f"{name} takes {digits} digits, got {_shown(code)}"
    for above, below in pairwise(codes):
        if not below.startswith(above):
            yield f"{_shown(below)} does not lie in {_shown(above)}: its first digits differ"
    for level, _ in LEVELS:
        name = values[f"{level}_name"]
        if not name:
            yield f"{level}_name is empty"
        if len(name) > NAME_CHARS_MAX:
            yield f"{level}_name takes {NAME_CHARS_MAX} characters, got {len(name)}"
        if any(unicodedata.category(character) in {"Cc", "Cs", "Cn", "Co"} for character in name):
            yield f"{level}_name holds a control character"


def _contradictions(row: Row, names: dict[str, tuple[str, int]]) -> Iterator[str]:
    """What is wrong with the row beside the rows before it."""
    village = row.divisions[-1].code
    if village in names:
        yield f"{village} stands in line {names[village][1]} already"
    for division in row.divisions[:-1]:
        name, line = names.get(division.code, (division.name, 0))
        if name != division.name:
            yield f"{division.code} is {_shown(division.name)} here and {_shown(name)} in line {line}"


def _divisions(values: dict[str, str]) -> tuple[Division, ...]:
    code = values["village_code"]
    parents = [None, *(code[:digits] for _, digits in LEVELS)]
    return tuple(
        Division(code[:digits], level, parent, values[f"{level}_name"])
        for (level, digits), parent in zip(LEVELS, parents, strict=False)
    )


def _shown(value: str) -> str:
    return repr(value if len(value) <= _SHOWN_CHARS else value[:_SHOWN_CHARS] + "…")
