"""The list of divisions that ships: 863 real villages of three counties (see data/README.md)."""

from importlib import resources
from typing import Final

FILE: Final = "villages_3_counties.csv"
LIST_YEAR: Final = 2023


def shipped_list() -> bytes:
    """The file's content: UTF-8, a header row, the columns that `reading.COLUMNS` names."""
    return (resources.files("server.directory") / "data" / FILE).read_bytes()
