"""The open store: files, transactions, and which copy of the store this is."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Final, Self

from client_sdk.store import keyfile, locks, meta, queue
from client_sdk.store.database import Database, Tx
from client_sdk.store.epoch import EpochFile
from client_sdk.store.lock import sync_lock
from client_sdk.store.schema import migrate
from sync_protocol.errors import QueueNotEmpty, Revoked, RoundbookError, StoreDamaged, StoreFull, StoreLocked
from sync_protocol.kinds import Kind
from sync_protocol.lease import Running

_SUFFIXES = ("-wal", "-shm", "-journal")


class Store:
    """One device's store. Safe to use from any thread; a second process may have it open as well."""

    def __init__(
        self,
        path: Path,
        key: bytes,
        database: Database,
        epoch_file: EpochFile,
        running: Callable[[], Running | None],
    ) -> None:
        """Use `open_store`."""
        self.path = path
        self.running: Final = running
        """How long this machine has been running; None where that is not known."""
        self.key = key
        self.inner: Final = database
        """The database, for an exchange with the server: that goes on while the store is closed to its worker."""
        self._epoch_file = epoch_file
        self._kinds: tuple[str, dict[str, Kind]] = ("", {})

    @contextmanager
    def write(self) -> Iterator[Tx]:
        """A transaction that is durable when the block ends, and never was when it raises.

        Raises StoreLocked or Revoked while the store is closed to its worker (locks.py).
        """
        with self.inner.write() as tx:
            locks.require_open(tx)
            yield tx

    @contextmanager
    def read(self) -> Iterator[Tx]:
        """A transaction whose queries all see the same state; raises as `write` does."""
        with self.inner.read() as tx:
            locks.require_open(tx)
            yield tx

    @contextmanager
    def take(self) -> Iterator[Tx]:
        """As `write`, for what is new here: an ended lease does not keep it out. Raises Revoked."""
        with self.inner.write() as tx:
            locks.require_taking(tx)
            yield tx

    @contextmanager
    def forms(self) -> Iterator[Tx]:
        """As `read`, for what new records are made with, kinds and grids: an ended lease does not hide them."""
        with self.inner.read() as tx:
            locks.require_taking(tx)
            yield tx

    def sync_lock(self) -> AbstractContextManager[None]:
        """Held while a sync runs; raises Busy when another holds it."""
        return sync_lock(_beside(self.path, "lock"))

    @property
    def key_path(self) -> Path:
        """The file with the wrapped key."""
        return _beside(self.path, "key")

    def kinds(self, tx: Tx) -> dict[str, Kind]:
        """The newest version of each kind, decoded once for each profile."""
        profile = meta.profile(tx)
        tag = profile.tag if profile is not None else ""
        if self._kinds[0] != tag:
            self._kinds = (tag, meta.kinds(tx))
        return self._kinds[1]

    def fork(self, tx: Tx, epoch: str) -> None:
        """Takes a new installation epoch and counts the queue from 1; the ids of the changes stay.

        The file is written first: if the transaction then fails, the next opening finds that they differ
        and forks once more.
        """
        self._epoch_file.begin(epoch)
        meta.put(tx, meta.EPOCH, epoch)
        queue.renumber(tx)

    def using(self, tx: Tx, counter: int) -> None:
        """Counters up to `counter` are about to travel; durable on return."""
        with _disk_in_words():
            self._epoch_file.reach(meta.text(tx, meta.EPOCH) or "", counter)

    def require_open(self) -> None:
        """Raises StoreLocked or Revoked, and closes the files, while the store is closed to its worker."""
        try:
            with self.read():
                pass
        except (StoreLocked, Revoked):
            self.close()
            raise

    def keep_recoverable(self) -> None:
        """Seals the store's key to the recovery key of the township, where that is known and was not done yet.

        A disk that does not take it is no reason to stop working: each opening tries again.
        """
        with suppress(StoreFull), _disk_in_words(), self.inner.write() as tx:
            of, profile = meta.identity(tx), meta.profile(tx)
            if of is not None and profile is not None and profile.recovery_key is not None:
                keyfile.seal(self.key_path, self.key, profile.recovery_key, of.township, of.device)

    def put_passphrase(self, passphrase: str, random: Callable[[int], bytes]) -> None:
        """From now on this passphrase opens the store, and no other."""
        with _disk_in_words(), self.write():
            keyfile.put_passphrase(self.key_path, self.key, passphrase, random)

    def wipe(self) -> None:
        """Removes the store from the disk. Raises QueueNotEmpty while anything would be lost (failures, row 20)."""
        with self.sync_lock():
            self.wipe_in_sync(
                StoreDamaged("本机数据已清除 / the store was wiped: open it again to begin anew")
            )

    def wipe_in_sync(self, because: RoundbookError) -> None:
        """The same for whoever holds the sync's lock already; `because` is raised at whoever still uses this store.

        The key goes first, in one step that says why; should the rest be interrupted, the next opening does it.
        """
        with self.inner.write() as tx:
            refuse_with_queue(tx)
            # Whoever else has the file open is refused, and saves nothing into the void.
            tx.run("DROP TABLE changes")
        with _disk_in_words():
            keyfile.destroy(self.key_path)
        self.inner.close(because)
        _remove(self.path)

    def close(self) -> None:
        """Closes the file."""
        self.inner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_store(
    path: Path,
    passphrase: str,
    new_epoch: Callable[[], str],
    random: Callable[[int], bytes],
    clock: Callable[[], int],
    running: Callable[[], Running | None],
) -> Store:
    """Opens the store at `path`, or creates it. It may be closed to its worker then: `Store.read` says so.

    Raises WrongPassphrase, StoreDamaged, StoreFull, StoreLocked where no passphrase opens it any more, Revoked
    where all was handed in and nothing is left, or Incompatible for a newer store.
    """
    key_path = _beside(path, "key")
    if keyfile.is_destroyed(key_path):
        _remove(path)
    epoch_file = EpochFile(_beside(path, "epoch"))
    is_new = not path.exists() or path.stat().st_size == 0
    if is_new and epoch_file.exists:
        message = (
            f"数据文件 {path.name} 不见了：请放回该文件；若要重新开始，请一并删除旁边的 .key 和 .epoch 文件 / "
            f"the store {path.name} is missing or empty: put it back; to begin anew, remove the .key and "
            ".epoch files beside it as well"
        )
        raise StoreDamaged(message)
    with _disk_in_words():
        key = keyfile.unwrap(key_path, passphrase)
        if key is None and not is_new:
            message = (
                f"缺少密钥文件 {key_path.name}，请放回 / the key file {key_path.name} is missing: put it back "
                "beside the store"
            )
            raise StoreDamaged(message)
        if key is None:
            path.parent.mkdir(parents=True, exist_ok=True)
            key = keyfile.create(key_path, passphrase, random)
    database = Database(path, key)
    try:
        migrate(database)
        store = Store(path, key, database, epoch_file, running)
        _settle(store, epoch_file, new_epoch, clock())
        if is_new:
            database.settle()
    except BaseException:
        database.close()
        raise
    return store


def _settle(store: Store, epoch_file: EpochFile, new_epoch: Callable[[], str], now_ms: int) -> None:
    """What an opening finds out: another copy, a lease that has ended, a wipe that was interrupted."""
    with _disk_in_words(), store.inner.write() as tx:
        if not epoch_file.fits(meta.text(tx, meta.EPOCH), meta.integer(tx, meta.COUNTER)):
            store.fork(tx, new_epoch())
        over = locks.look_at_lease(tx, now_ms, store.running()) == "over"
        done = locks.is_revoked(tx) and not queue.unsent(tx)
    if done:
        with store.sync_lock():
            store.wipe_in_sync(locks.revoked())
        raise locks.revoked()
    store.keep_recoverable()
    if over:
        with _disk_in_words(), store.inner.write():
            gone = keyfile.forget_passphrase(store.key_path)
        if gone:
            raise StoreLocked(locks.OVER)


def _remove(path: Path) -> None:
    """Removes the files of a store, the key file last: it says that this is meant."""
    for suffix in _SUFFIXES:
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    path.unlink(missing_ok=True)
    _beside(path, "epoch").unlink(missing_ok=True)
    with suppress(PermissionError):  # somebody holds it, on a system where that keeps it there
        _beside(path, "lock").unlink(missing_ok=True)
    _beside(path, "key").unlink(missing_ok=True)


def refuse_with_queue(tx: Tx) -> None:
    """Raises QueueNotEmpty, with the count, while changes would be lost."""
    waiting = queue.unsent(tx)
    if waiting:
        message = f"还有 {waiting} 条待上传，请先同步 / {waiting} changes are not sent yet: sync first"
        raise QueueNotEmpty(message)


def _beside(path: Path, kind: str) -> Path:
    return path.with_name(f"{path.name}.{kind}")


@contextmanager
def _disk_in_words() -> Iterator[None]:
    """The small files: a disk that does not take them is full, or not ours to write."""
    try:
        yield
    except OSError as error:
        message = (
            f"无法写入存储（{error.strerror}）：请清理空间或检查权限 / the disk does not take the store's files "
            f"({error.strerror}): free some space, or check the rights of the folder"
        )
        raise StoreFull(message) from error
