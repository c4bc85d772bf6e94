"""Files that an administrator names: a sentence when one cannot be used."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from server.refused import RefusedError

_BUSY_S: Final = 15.0
SQLITE: Final = {
    "SQLITE_FULL": "The disk is full: free some room; what was stored before is whole.",
    "SQLITE_READONLY": "The database file cannot be written: run as the user whom it belongs to.",
    "SQLITE_CANTOPEN": "The database file cannot be opened: see that the folder exists and may be written.",
    "SQLITE_NOTADB": "The file is not a database of Roundbook: name another with --data or --database.",
    "SQLITE_CORRUPT": "The database file is damaged: `roundbook restore` puts a backup in its place.",
    "SQLITE_BUSY": "Another program keeps the database for itself: try again when it has finished.",
}
"""What SQLite's error names mean to people."""


def read_file(file: Path) -> bytes:
    """The content of a file; raises RefusedError that says why it cannot be read."""
    try:
        return file.read_bytes()
    except FileNotFoundError as error:
        message = f"There is no file {file}."
        raise RefusedError(message) from error
    except OSError as error:
        message = f"{file} cannot be read: {(error.strerror or 'the system refuses').lower()}."
        raise RefusedError(message) from error


def read_text(file: Path) -> str:
    """The content of a file in UTF-8; raises RefusedError."""
    try:
        return read_file(file).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"{file} is not text in UTF-8: save it as UTF-8."
        raise RefusedError(message) from error


def require_database(file: Path) -> None:
    """Sees that SQLite can open a file, or make it; raises RefusedError that says why not.

    Looked at before an engine is opened: the asynchronous driver reports from a thread, which may come too
    late for a command that is about to end.
    """
    try:
        with closing(sqlite3.connect(file, timeout=_BUSY_S)) as connection:
            connection.execute("PRAGMA schema_version").fetchone()
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", type(error).__name__)
        raise RefusedError(
            SQLITE.get(name, f"{file} cannot be opened ({name}): see `roundbook doctor`.")
        ) from error
    if not (os.access(file, os.W_OK) and os.access(file.parent, os.W_OK)):
        raise RefusedError(SQLITE["SQLITE_READONLY"])
