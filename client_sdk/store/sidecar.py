"""Small files beside the store: JSON with a check sum, replaced as a whole or not at all."""

import os
from pathlib import Path
from typing import Any

from sync_protocol import keyfile


class SidecarDamaged(ValueError):  # noqa: N818 (it is the file that is damaged)
    """The file is not what was written."""


def read(path: Path) -> dict[str, Any] | None:
    """What `write` wrote; None when there is no file; SidecarDamaged when it was altered."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        return keyfile.read(raw)
    except keyfile.NotWritten as error:
        raise SidecarDamaged(path.name) from error


def write(path: Path, content: dict[str, Any]) -> None:
    """Replaces the file; returns when it is durable. OSError when the disk does not take it."""
    raw = keyfile.written(content)
    fresh = path.with_name(f"{path.name}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Makes a rename durable, where a folder can be opened (not on Windows, which needs it not)."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
