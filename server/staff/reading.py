"""Reads a list of people from CSV: columns name, role and, when no township is given, township. Pure."""

import csv
import io
from typing import Final

from server.refused import RefusedError
from server.staff.service import Candidate, Refused

ROWS_MAX: Final = 20_000


def read(text: str, township: str | None) -> tuple[list[Candidate], list[Refused]]:
    """The people of a list and the lines left out; `township` stands for a column that is missing or empty.

    Raises RefusedError when the header or the quoting is not what it must be.
    """
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    people: list[Candidate] = []
    refused: list[Refused] = []
    try:
        header = [cell.strip() for cell in next(reader, [])]
        _check(header, township)
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(people) + len(refused) >= ROWS_MAX:
                message = f"A list of people has at most {ROWS_MAX:,} rows: divide the file."
                raise RefusedError(message)
            values = dict(zip(header, (cell.strip() for cell in cells), strict=False))
            where = values.get("township") or township or ""
            if {"name", "role"} <= set(values) and where:
                people.append(Candidate(values["name"], values["role"], where, reader.line_num))
            else:
                refused.append(Refused(reader.line_num, f"{len(header)} cells expected, got {len(cells)}"))
    except csv.Error as error:
        message = (
            f"Line {reader.line_num} cannot be read as CSV, perhaps a quotation mark is open: mend it there."
        )
        raise RefusedError(message) from error
    return people, refused


def _check(header: list[str], township: str | None) -> None:
    wanted = ["name", "role"] if township else ["name", "role", "township"]
    missing = [name for name in wanted if name not in header]
    if missing:
        came = ", ".join(header[:10])[:80] or "nothing"
        message = (
            f"The first line names the columns, parted by commas: {', '.join(missing)} missing, got {came}."
        )
        raise RefusedError(message)
