"""Where the master key comes from: ROUNDBOOK_MASTER_KEY, else a file that is named, else `master.key`.

The last is for an embedded database: it lies beside it and is made at the first start. It is never part of a
backup, because a backup that holds its own key is not encrypted.
"""

import os
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from server.files import read_text
from server.refused import RefusedError
from server.settings import Settings
from server.vault.keeping import Vault
from server.vault.master import KEY_BYTES, KeyMissing, Master, id_of, read, written

NAME: Final = "master.key"
_VARIABLE: Final = "ROUNDBOOK_MASTER_KEY"
_HEAD: Final = (
    "# Master keys of a Roundbook server, the one in use first. Keep a copy of this file in another place than the\n"
    "# backups: without it nobody can read contact, and whoever has both can.\n"
)


def vault(settings: Settings) -> Vault:
    """A vault that reads the master keys when they are first needed."""
    return Vault(partial(master, settings))


def place(settings: Settings) -> Path | None:
    """The file that the master keys are read from; None when the environment holds them, or nothing names any."""
    if settings.master_key:
        return None
    if settings.master_key_file:
        return Path(settings.master_key_file)
    return settings.file.with_name(NAME) if settings.embedded else None


def master(settings: Settings) -> Master:
    """The master keys of a server; raises KeyMissing that says what to do."""
    if settings.master_key:
        return read(settings.master_key, _VARIABLE)
    file = place(settings)
    if file is None:
        message = (
            "A server on PostgreSQL needs a master key: `roundbook keys make FILE` makes one, and "
            f"{_VARIABLE}_FILE=FILE names it to every process. Keep a copy apart from the backups."
        )
        raise KeyMissing(message)
    if not file.exists():
        message = (
            f"The master key {file} is not there: put the copy of it back, or name it by {_VARIABLE}_FILE. "
            "Without it, contact that is stored cannot be read."
        )
        raise KeyMissing(message)
    try:
        return read(read_text(file), str(file))
    except KeyMissing:
        raise
    except RefusedError as error:
        raise KeyMissing(str(error)) from error


def make(file: Path, random: Callable[[int], bytes] = secrets.token_bytes) -> str:
    """Makes a file with a new master key, for its owner only; its id. Raises RefusedError when the file exists."""
    key = random(KEY_BYTES)
    _create(file, _HEAD + _line(key))
    return id_of(key)


def make_missing(settings: Settings) -> Path | None:
    """Makes the file of an embedded server that has none yet; None where there is one, or another place is named."""
    file = place(settings)
    if not settings.embedded or settings.master_key_file or file is None or file.exists():
        return None
    make(file)
    return file


def put_first(file: Path, random: Callable[[int], bytes] = secrets.token_bytes) -> str:
    """Puts a new master key before those of the file, in one step; its id."""
    before, key = read_text(file), random(KEY_BYTES)
    part = file.with_name(f"{file.name}.{id_of(key)}")
    keys = before.removeprefix(_HEAD)
    _create(part, _HEAD + _line(key) + keys)
    part.replace(file)
    return id_of(key)


def _line(key: bytes) -> str:
    return f"{written(key)} # {id_of(key)}, made {datetime.now(UTC):%Y-%m-%d}\n"


def _create(file: Path, text: str) -> None:
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            opened.write(text)
            opened.flush()
            os.fsync(opened.fileno())
    except FileExistsError as error:
        message = f"{file} exists already, and a master key is never written over: name another file."
        raise RefusedError(message) from error
    except OSError as error:
        message = f"{file} could not be written: {(error.strerror or 'the system refuses').lower()}."
        raise RefusedError(message) from error
