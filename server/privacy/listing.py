"""The list of erasures outside the database: what a restore of an older backup must not bring back.

A file of lines, each one erasure: ids, kind and registration number, never a value, and what vouches for it
under the township's key, so that a line which somebody made up erases nothing. It is only ever appended to.
Several processes may write it: each takes the file's lock, ends a line that a crash has torn, writes its own in
one piece and returns when the disk has them.
"""

import fcntl
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from server.storage.erasures import Erasure
from server.vault.township import TownshipKeys

_MODE: Final = 0o600
_LINE_BYTES_MAX: Final = 4_096
_encode: Final = msgspec.json.Encoder().encode


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """One erasure as the list has it. `at` is the server's time, milliseconds since 1970 UTC."""

    township: str
    record: str
    kind: str
    cause: str
    at: int
    number: str | None = None
    hmac: str = ""

    def genuine(self, keys: TownshipKeys) -> bool:
        """Whether the township whose keys these are has written the line."""
        return self.hmac == _vouched(keys, msgspec.structs.replace(self, hmac=""))


def line_of(erasure: Erasure, keys: TownshipKeys) -> Line:
    """The line of an erasure, vouched for with its township's keys."""
    plain = Line(
        erasure.township,
        erasure.record_id,
        erasure.kind,
        erasure.cause,
        erasure.erased_ms,
        erasure.number,
    )
    return msgspec.structs.replace(plain, hmac=_vouched(keys, plain))


def _vouched(keys: TownshipKeys, line: Line) -> str:
    return keys.hash("erasures", _encode(line).decode())


def append(file: Path, lines: Sequence[Line]) -> None:
    """Adds lines; durable on return. Raises OSError."""
    new = not file.exists()
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, _MODE)
    with os.fdopen(descriptor, "r+b", buffering=0) as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        torn = b"\n" if _is_torn(opened) else b""
        _write_whole(opened, torn + b"".join(_encode(line) + b"\n" for line in lines))
        os.fsync(opened)
    if new:
        _settle(file.parent)


def lines_in(file: Path) -> Iterator[Line | int]:
    """Every line in order; for one that cannot be read, its number from 1. None where there is no file."""
    if not file.exists():
        return
    with file.open("rb") as opened:
        for number, raw in enumerate(iter(lambda: opened.readline(_LINE_BYTES_MAX), b""), 1):
            if not raw.strip():
                continue
            try:
                yield msgspec.json.decode(raw, type=Line)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                yield number


def _is_torn(opened: BinaryIO) -> bool:
    if not opened.seek(0, os.SEEK_END):
        return False
    opened.seek(-1, os.SEEK_END)
    return opened.read(1) != b"\n"


def _write_whole(opened: BinaryIO, data: bytes) -> None:
    while data:
        data = data[opened.write(data) :]


def _settle(folder: Path) -> None:
    """The name of a new file is as durable as its content."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
