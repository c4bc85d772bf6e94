"""Which copy of a store this is: `worker.rbk.epoch`, beside the database and not in it (failures, row 12).

The file holds the installation epoch and the highest counter that ever went into a request. It is written
before a request uses a higher one. A database that was restored from an older copy knows fewer counters
than the file says, or another epoch: then its copy takes a new epoch. A folder that was copied as a whole
looks the same on both machines; that case the server notices, and says `fork`.
"""

from pathlib import Path

from client_sdk.store import sidecar


class EpochFile:
    """The file, and what it said when it was last read or written."""

    def __init__(self, path: Path) -> None:
        """Reads the file; a damaged one counts as missing, which costs a fork and loses nothing."""
        self._path = path
        self.epoch: str | None = None
        self.counter = 0
        self._read()

    @property
    def exists(self) -> bool:
        """Whether this store has ever been opened before."""
        return self._path.exists()

    def fits(self, epoch: str | None, assigned: int) -> bool:
        """Whether a database that remembers `epoch`, with counters up to `assigned`, is this copy."""
        return self.epoch is not None and self.epoch == epoch and assigned >= self.counter

    def begin(self, epoch: str) -> None:
        """A new epoch; durable on return."""
        self._write(epoch, 0)

    def reach(self, epoch: str, counter: int) -> None:
        """Counters up to `counter` are about to be used; durable on return."""
        self._read()  # another process may have synced since
        if counter > self.counter or epoch != self.epoch:
            self._write(epoch, counter)

    def _read(self) -> None:
        try:
            content = sidecar.read(self._path) or {}
        except sidecar.SidecarDamaged:
            content = {}
        self.epoch, self.counter = content.get("epoch"), content.get("counter", 0)

    def _write(self, epoch: str, counter: int) -> None:
        sidecar.write(self._path, {"epoch": epoch, "counter": counter})
        self.epoch, self.counter = epoch, counter
