"""The folder of a demo: made anew for each, never somebody else's, never while it is in use."""

import fcntl
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from server.refused import RefusedError

LOCK_FILE: Final = "demo.lock"
DATABASE_FILE: Final = "roundbook.db"
PRIVATE: Final = 0o700


@contextmanager
def fresh(folder: Path) -> Iterator[Path]:
    """An empty folder, held as long as the block runs.

    Raises RefusedError when another demo or a server works in it, and for a folder that no demo has made.
    """
    lock = folder / LOCK_FILE
    if folder.exists() and not lock.exists() and (not folder.is_dir() or any(folder.iterdir())):
        message = f"{folder} was not made by a demo and is left alone: name another with --data."
        raise RefusedError(message)
    folder.mkdir(parents=True, exist_ok=True, mode=PRIVATE)
    with lock.open("a") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise _in_use(folder) from error
        _refuse_served(folder)
        for path in folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path != lock:
                path.unlink()
        yield folder


def _refuse_served(folder: Path) -> None:
    """A server that was started on the folder by hand holds no lock, but has the database open."""
    database = folder / DATABASE_FILE
    if not database.exists():
        return
    try:
        with closing(sqlite3.connect(database, timeout=0)) as connection:
            # Leaving the write-ahead log needs the file for oneself.
            connection.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.OperationalError as error:
        raise _in_use(folder) from error
    except sqlite3.DatabaseError:
        return  # what a killed demo left: it goes anyway


def _in_use(folder: Path) -> RefusedError:
    return RefusedError(
        f"{folder} is in use by another demo or a server: end it, or name another with --data."
    )
