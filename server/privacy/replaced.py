"""The erasures that a database which was replaced had carried out, as lines of the list.

A restore has that database at hand, so nothing depends on a list that could not be written in time.
"""

import contextlib
import sqlite3
from pathlib import Path

from server.backup import read_only
from server.privacy.listing import Line, line_of
from server.storage.erasures import Erasure

_ERASURES = (
    "SELECT e.township_id, e.record_id, e.kind, e.number, e.cause, '', e.actor, e.erased_ms, t.cursor_key "
    "FROM erasures e JOIN townships t ON t.township_id = e.township_id"
)


def erased_in(file: Path | None) -> list[Line]:
    """The lines; none from a database of before there were erasures, or one too damaged to say."""
    if file is None:
        return []
    try:
        with contextlib.closing(read_only(file)) as connection:
            rows = connection.execute(_ERASURES).fetchall()
    except sqlite3.Error:
        return []
    return [line_of(Erasure(*row[:-1]), bytes(row[-1])) for row in rows]
