"""Copies of an embedded database, made beside a running server, and put back when none runs.

PostgreSQL has its own tools for this. A copy holds everything that the database holds, citizens' records
included, so it is made readable for its owner only.
"""

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from server.refused import RefusedError

Progress = Callable[[int, int], None]
"""Hears how many pages are copied, of how many."""
_PAGES: Final = 2_000
"""Pages a step: about 8 MB."""
_BUSY_S: Final = 5.0


class Copied(msgspec.Struct, frozen=True):
    """A finished copy; `kept` is where the database went that stood in its place."""

    file: str
    size_bytes: int
    revision: str
    kept: str | None = None


def back_up(
    source: Path, target: Path, *, force: bool = False, progress: Progress = lambda _, __: None
) -> Copied:
    """Copies the database to `target` as it is at this moment, while others may write to it.

    The copy is checked before it takes its name, so a file of that name is always whole. Raises RefusedError.
    """
    if not source.exists():
        message = f"There is no database at {source} yet: name another data folder with --data."
        raise RefusedError(message)
    if target.exists() and target.samefile(source):
        message = f"{target} is the database itself: name another file."
        raise RefusedError(message)
    _check_target(target, force=force)
    part = target.with_name(f"{target.name}.part")
    with _sentences(target), _part(part):
        with contextlib.closing(_connect(source)) as live, contextlib.closing(_connect(part)) as copy:
            # A read transaction held open keeps to one state; else each write would start the copy again.
            live.execute("BEGIN")
            live.execute("SELECT count(*) FROM sqlite_master").fetchone()
            live.backup(copy, pages=_PAGES, progress=lambda _, left, total: progress(total - left, total))
            # One file by itself: whoever opens the copy leaves no journal beside it.
            copy.execute("PRAGMA journal_mode=DELETE")
        revision = check(part)
        _settle(part)
        part.replace(target)
    return Copied(str(target), target.stat().st_size, revision)


def restore(backup: Path, target: Path, *, force: bool = False, stamp: str) -> Copied:
    """Puts a copy in the place of the database, which is kept under a name with `stamp`.

    Raises RefusedError for a file that is no whole database of Roundbook, when there is a database already
    and `force` is not given, and while anybody has that database open.
    """
    if not backup.exists():
        message = f"There is no file {backup}."
        raise RefusedError(message)
    revision = check(backup)
    if target.exists() and not force:
        message = f"There is a database at {target} already: add --force to put it aside and restore over it."
        raise RefusedError(message)
    part = target.with_name(f"{target.name}.part")
    with _sentences(target), _part(part):
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(backup, part)
        _settle(part)
        kept = _put_aside(target, stamp)
        part.replace(target)
    return Copied(str(target), target.stat().st_size, revision, kept)


def check(file: Path) -> str:
    """The schema revision of a whole database of Roundbook; raises RefusedError for anything else."""
    uri = f"{file.absolute().as_uri()}?mode=ro&immutable=1"
    try:
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as connection:
            found = connection.execute("PRAGMA quick_check").fetchone()
            revision = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error as error:
        message = f"{file} is not a database of Roundbook, or it is damaged: name a file that `backup` made."
        raise RefusedError(message) from error
    if found != ("ok",) or revision is None:
        message = f"{file} is damaged: use an older backup."
        raise RefusedError(message)
    return str(revision[0])


def _check_target(target: Path, *, force: bool) -> None:
    if target.is_dir():
        message = f"{target} is a folder: name a file in it."
        raise RefusedError(message)
    if target.exists() and not force:
        message = f"{target} exists already: name another file, or add --force."
        raise RefusedError(message)
    if not target.absolute().parent.is_dir():
        message = f"There is no folder {target.absolute().parent}: make it first."
        raise RefusedError(message)


def _put_aside(target: Path, stamp: str) -> str | None:
    """Renames the present database with its journals; None when there is none."""
    if not target.exists():
        return None
    _require_unused(target)
    kept = target.with_name(f"{target.name}.{stamp}")
    for tail in ("", "-wal", "-shm"):
        old = target.with_name(target.name + tail)
        if old.exists():
            old.replace(kept.with_name(kept.name + tail))
    return str(kept)


def _require_unused(target: Path) -> None:
    """Leaving WAL mode needs the file for oneself, so it fails while any process has the database open."""
    try:
        with contextlib.closing(_connect(target)) as connection:
            connection.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorname.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            message = f"A server, or another program, has {target} open: stop it first."
            raise RefusedError(message) from error
        raise
    except sqlite3.DatabaseError:
        # Too damaged to be opened: that is when people restore.
        return


def _connect(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(file, timeout=_BUSY_S, isolation_level=None)


@contextlib.contextmanager
def _part(part: Path) -> Iterator[None]:
    """Makes the unfinished copy for its owner only, and removes it when something goes wrong."""
    part.parent.mkdir(parents=True, exist_ok=True)
    part.unlink(missing_ok=True)
    part.touch(mode=0o600)
    try:
        yield
    finally:
        for tail in ("", "-journal", "-wal", "-shm"):
            part.with_name(part.name + tail).unlink(missing_ok=True)


@contextlib.contextmanager
def _sentences(target: Path) -> Iterator[None]:
    """Says in a sentence what the system or SQLite refused."""
    try:
        yield
    except sqlite3.Error as error:
        message = f"{target} could not be written ({error.sqlite_errorname}): see `roundbook doctor`."
        raise RefusedError(message) from error
    except OSError as error:
        message = f"{target} could not be written: {(error.strerror or 'the system refuses').lower()}."
        raise RefusedError(message) from error


def _settle(file: Path) -> None:
    """Waits until the file is on the disk."""
    with file.open("rb") as opened:
        os.fsync(opened.fileno())
