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
from server.storage.audit import Head

Progress = Callable[[int, int], None]
"""Hears how many pages are copied, of how many."""
_PAGES: Final = 2_000
"""Pages a step: about 8 MB."""
_BUSY_S: Final = 5.0
_TABLES: Final = frozenset({"townships", "devices", "records", "changes"})
"""What every database of Roundbook has, whatever its revision."""


class Content(msgspec.Struct, frozen=True):
    """What a whole database of Roundbook holds, so that people see whether it is the one they mean."""

    revision: str
    townships: int
    records: int
    changes: int
    identities: frozenset[str]
    """Which servers its townships are, as devices know them."""
    audit: tuple[Head, ...]
    """Where the chains of the audit end."""


class Copied(msgspec.Struct, frozen=True):
    """A finished copy; `kept` is where the database went that stood in its place."""

    file: str
    size_bytes: int
    revision: str
    townships: int
    records: int
    changes: int
    audit: tuple[Head, ...]
    """Where the chains of the audit end, to be kept elsewhere."""
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
        content = check(part, source)
        _settle(part)
        part.replace(target)
    return _copied(target, content)


def restore(backup: Path, target: Path, *, replace: bool = False, stamp: str) -> Copied:
    """Puts a copy in the place of the database, which is kept under a name with `stamp`.

    Raises RefusedError for a file that is no whole database of Roundbook or one of another server, when there
    is a database already and `replace` is not given, and while anybody has that database open. Whatever is
    refused or fails leaves the database as it was.
    """
    _check_source(backup, target)
    if target.exists() and not replace:
        message = (
            f"There is a database at {target} already: add --replace to put it aside and restore over it."
        )
        raise RefusedError(message)
    part = target.with_name(f"{target.name}.part")
    with _sentences(target), _part(part):
        target.parent.mkdir(parents=True, exist_ok=True)
        _require_unused(target)
        _bring(backup, part)
        content = check(part, backup)
        _require_same_server(content, backup, target)
        _settle(part)
        kept = _put_aside(target, stamp)
        part.replace(target)
        _settle_folder(target.parent)
    return _copied(target, content, kept)


def check(file: Path, shown: Path | None = None) -> Content:
    """What a whole database of Roundbook holds; raises RefusedError, naming `shown`, for anything else.

    Every page and every index is read. A journal beside the file is not looked at: see `_bring`.
    """
    shown = shown or file
    try:
        with contextlib.closing(read_only(file)) as connection:
            found = connection.execute("PRAGMA integrity_check(1)").fetchone()
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
            content = _content(connection) if tables >= _TABLES else None
    except sqlite3.Error as error:
        message = f"{shown} is not a database of Roundbook, or it is damaged: name a file that `backup` made."
        raise RefusedError(message) from error
    if found != ("ok",):
        message = f"{shown} is damaged: use an older backup."
        raise RefusedError(message)
    if content is None:
        message = (
            f"{shown} is not a database of Roundbook, but of another program: name a file that `backup` made."
        )
        raise RefusedError(message)
    return content


def _content(connection: sqlite3.Connection) -> Content | None:
    """What the database holds; None when it has no schema revision."""
    revision = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    (records,) = connection.execute("SELECT count(*) FROM records").fetchone()
    (changes,) = connection.execute("SELECT count(*) FROM changes").fetchone()
    identities = [identity for (identity,) in connection.execute("SELECT identity FROM townships")]
    if revision is None:
        return None
    heads = tuple(heads_in(connection))
    return Content(str(revision[0]), len(identities), records, changes, frozenset(identities), heads)


def heads_in(connection: sqlite3.Connection) -> list[Head]:
    """Where the chains of the audit end in a database file; none in one from before there was an audit."""
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'audit_heads'").fetchone() is None:
        return []
    rows = connection.execute("SELECT township_id, n, hash FROM audit_heads ORDER BY township_id")
    return [Head(*row) for row in rows]


def master_ids_in(file: Path) -> list[str]:
    """The master keys without which a database file cannot be read whole; none where it cannot say."""
    try:
        with contextlib.closing(read_only(file)) as connection:
            rows = connection.execute("SELECT DISTINCT master_id FROM township_keys ORDER BY master_id")
            return [master_id for (master_id,) in rows]
    except sqlite3.Error:  # from before there were keys, or damaged: whoever restores it is told
        return []


def _copied(file: Path, content: Content, kept: str | None = None) -> Copied:
    counts = (content.townships, content.records, content.changes)
    return Copied(str(file), file.stat().st_size, content.revision, *counts, content.audit, kept)


def _check_source(backup: Path, target: Path) -> None:
    if not backup.is_file():
        message = f"There is no file {backup}: name one that `roundbook backup` made."
        raise RefusedError(message)
    if target.exists() and target.samefile(backup):
        message = f"{backup} is the database itself: name a file that `roundbook backup` made."
        raise RefusedError(message)


def _bring(backup: Path, part: Path) -> None:
    """Copies the file, with what a journal beside it holds: somebody may have copied the data folder by hand."""
    shutil.copyfile(backup, part)
    journal = _beside(backup, "-wal")
    if not journal.exists() or not journal.stat().st_size:
        return
    shutil.copyfile(journal, _beside(part, "-wal"))
    try:
        with contextlib.closing(_connect(part)) as connection:
            connection.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.DatabaseError as error:
        message = (
            f"{backup} does not fit the journal {journal.name} beside it: use a file that `backup` made."
        )
        raise RefusedError(message) from error


def _require_same_server(content: Content, backup: Path, target: Path) -> None:
    """Another server's backup would turn every device of this one away."""
    if not target.exists():
        return
    try:
        with contextlib.closing(read_only(target)) as connection:
            present = {identity for (identity,) in connection.execute("SELECT identity FROM townships")}
    except sqlite3.Error:  # too damaged to say whose it is: that is when people restore
        return
    if present and not present & content.identities:
        message = (
            f"{backup} is a backup of another server: it has no township of {target}. To serve it beside this "
            "one, name another data folder with --data."
        )
        raise RefusedError(message)


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
    """Keeps the present database, with its journals, under another name; None when there is none.

    The file keeps its own name as well until the copy takes it, so that nobody ever finds none: a server that
    is started in between would begin an empty one.
    """
    if not target.exists():
        return None
    kept, more = target.with_name(f"{target.name}.{stamp}"), 1
    while kept.exists():
        more += 1
        kept = target.with_name(f"{target.name}.{stamp}-{more}")
    try:
        os.link(target, kept)
    except OSError:  # a file system without links
        shutil.copyfile(target, kept)
    for tail in ("-wal", "-shm"):
        if _beside(target, tail).exists():
            _beside(target, tail).replace(_beside(kept, tail))
    return str(kept)


def _require_unused(target: Path) -> None:
    """Leaving WAL mode needs the file for oneself, so it fails while any process has the database open."""
    if not target.exists():
        return
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


def read_only(file: Path) -> sqlite3.Connection:
    """The file by itself: nothing is made beside it, and nothing beside it is read."""
    return sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro&immutable=1", uri=True)


def _beside(file: Path, tail: str) -> Path:
    return file.with_name(file.name + tail)


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
            _beside(part, tail).unlink(missing_ok=True)


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


def _settle_folder(folder: Path) -> None:
    """Waits until the folder's names are on the disk, where a folder can be opened."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
