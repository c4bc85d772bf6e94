"""The erasures that a database which was replaced had carried out.

A restore has that database at hand, so nothing depends on a list that could not be written in time.
"""

import contextlib
import sqlite3
from pathlib import Path

from server.backup import read_only
from server.storage.erasures import Erasure

_ERASURES = "SELECT township_id, record_id, kind, number, cause, reason, actor, erased_ms FROM erasures"


def erased_in(file: Path | None) -> list[Erasure]:
    """All of them; none from a database of before there were erasures, or one too damaged to say."""
    if file is None:
        return []
    try:
        with contextlib.closing(read_only(file)) as connection:
            return [Erasure(*row) for row in connection.execute(_ERASURES)]
    except sqlite3.Error:
        return []
