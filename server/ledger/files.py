"""Rows of the ledger as files: XLSX, CSV, GeoJSON. Each is written as rows come, so none is held whole in memory.

What people typed is text in every one of them: a cell that begins like a formula is none.
"""

import csv
import io
import re
from collections.abc import Mapping
from typing import IO, Final, Protocol

import msgspec
from openpyxl import Workbook
from openpyxl.cell import Cell, WriteOnlyCell

from server.storage.ledger import Row

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
"""What XML, and so XLSX, cannot hold."""
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet would reckon with."""
_WIDTHS: Final = {"number": 22, "title": 44, "village": 18, "reported": 17, "due": 17, "closed": 17}
_WIDTH: Final = 12


class Sheet(Protocol):
    """A file that is being written."""

    def write(self, row: Row, cells: Mapping[str, str]) -> None:
        """Adds a row, with what it says in each column."""

    def close(self) -> None:
        """Writes what is left; the file itself stays open."""


class Csv:
    """Comma-separated, with the mark by which Excel sees that it is UTF-8."""

    def __init__(self, file: IO[bytes], headings: Mapping[str, str]) -> None:
        self._text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
        self._rows = csv.writer(self._text)
        self._rows.writerow(headings.values())

    def write(self, row: Row, cells: Mapping[str, str]) -> None:
        """A row; a cell that begins like a formula is led by an apostrophe."""
        del row
        self._rows.writerow([f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in cells.values()])

    def close(self) -> None:
        """Leaves the file open."""
        self._text.flush()
        self._text.detach()


class Xlsx:
    """A workbook of one sheet, its heading in sight when it is scrolled."""

    def __init__(self, file: IO[bytes], headings: Mapping[str, str]) -> None:
        self._file = file
        self._book = Workbook(write_only=True)
        self._sheet = self._book.create_sheet()
        self._sheet.freeze_panes = "A2"
        for at, name in enumerate(headings):
            letter = chr(ord("A") + at)
            self._sheet.column_dimensions[letter].width = _WIDTHS.get(name, _WIDTH)
        self._append(headings)

    def write(self, row: Row, cells: Mapping[str, str]) -> None:
        """A row of texts."""
        del row
        self._append(cells)

    def close(self) -> None:
        """Writes the workbook into the file."""
        self._book.save(self._file)

    def _append(self, cells: Mapping[str, str]) -> None:
        self._sheet.append([self._text(_CONTROL.sub("", cell)) for cell in cells.values()])

    def _text(self, words: str) -> Cell | None:
        if not words:
            return None
        cell = WriteOnlyCell(self._sheet, value=words)
        cell.data_type = "s"  # else one that begins with = is a formula
        return cell


class GeoJson:
    """A feature a matter (RFC 7946, WGS-84); one without a position has no geometry."""

    def __init__(self, file: IO[bytes], headings: Mapping[str, str]) -> None:
        del headings
        self._file = file
        self._between = b'{"type":"FeatureCollection","features":[\n'

    def write(self, row: Row, cells: Mapping[str, str]) -> None:
        """A feature."""
        point = (
            {"type": "Point", "coordinates": [row.longitude, row.latitude]}
            if row.longitude is not None and row.latitude is not None
            else None
        )
        feature = {"type": "Feature", "id": row.number, "geometry": point, "properties": dict(cells)}
        self._file.write(self._between + msgspec.json.encode(feature))
        self._between = b",\n"

    def close(self) -> None:
        """Ends the list."""
        self._file.write((self._between if self._between != b",\n" else b"") + b"\n]}\n")


class Form(msgspec.Struct, frozen=True):
    """A form in which the ledger is exported."""

    sheet: type[Csv] | type[Xlsx] | type[GeoJson]
    media_type: str
    rows_max: int


FORMS: Final = {
    "xlsx": Form(Xlsx, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", 100_000),
    "csv": Form(Csv, "text/csv", 1_000_000),
    "geojson": Form(GeoJson, "application/geo+json", 1_000_000),
}
"""By the ending of the file's name. A workbook takes half a millisecond a row to be written."""
