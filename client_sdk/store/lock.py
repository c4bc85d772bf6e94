"""One sync at a time on a store, among threads and processes (failures, row 21).

An advisory lock of the operating system on `worker.rbk.lock`: it dies with the process that holds it, so
that a crash never leaves a store locked. Written here because it is two calls: flock, or msvcrt's.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sync_protocol.errors import Busy


@contextmanager
def sync_lock(path: Path) -> Iterator[None]:
    """Holds the lock; raises Busy when somebody else does."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not _take(descriptor):
            message = "正在同步，请稍候 / a sync is running on this store already; wait until it has ended"
            raise Busy(message)
        yield
    finally:
        os.close(descriptor)  # which lets go of the lock


if sys.platform == "win32":
    import msvcrt

    def _take(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _take(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
