"""The open store: files, transactions, and which copy of the store this is."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Self

from client_sdk.store import keyfile, meta, queue
from client_sdk.store.database import Database, Tx
from client_sdk.store.epoch import EpochFile
from client_sdk.store.lock import sync_lock
from client_sdk.store.schema import migrate
from sync_protocol.errors import QueueNotEmpty, StoreDamaged, StoreFull
from sync_protocol.kinds import Kind

_SUFFIXES = ("-wal", "-shm", "-journal")


class Store:
    """One device's store. Safe to use from any thread; a second process may have it open as well."""

    def __init__(self, path: Path, key: bytes, database: Database, epoch_file: EpochFile) -> None:
        """Use `open_store`."""
        self.path = path
        self.key = key
        self._database = database
        self._epoch_file = epoch_file
        self._kinds: tuple[str, dict[str, Kind]] = ("", {})

    def write(self) -> AbstractContextManager[Tx]:
        """A transaction that is durable when the block ends, and never was when it raises."""
        return self._database.write()

    def read(self) -> AbstractContextManager[Tx]:
        """A transaction whose queries all see the same state."""
        return self._database.read()

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

    def wipe(self) -> None:
        """Removes the store from the disk. Raises QueueNotEmpty while anything would be lost (failures, row 20)."""
        with self.sync_lock(), self.write() as tx:
            refuse_with_queue(tx)
            # Whoever else has the file open is refused, and saves nothing into the void.
            tx.run("DROP TABLE changes")
        self.close()
        for suffix in _SUFFIXES:
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)
        self._epoch_file.remove()
        for kind in ("key", "lock"):
            _beside(self.path, kind).unlink(missing_ok=True)

    def close(self) -> None:
        """Closes the file."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_store(
    path: Path, passphrase: str, new_epoch: Callable[[], str], random: Callable[[int], bytes]
) -> Store:
    """Opens the store at `path`, or creates it.

    Raises WrongPassphrase, StoreDamaged, StoreFull, StoreLocked, or Incompatible for a newer store.
    """
    key_path, epoch_file = _beside(path, "key"), EpochFile(_beside(path, "epoch"))
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
        store = Store(path, key, database, epoch_file)
        with _disk_in_words(), store.write() as tx:
            if not epoch_file.fits(meta.text(tx, meta.EPOCH), meta.integer(tx, meta.COUNTER)):
                store.fork(tx, new_epoch())
        if is_new:
            database.settle()
    except BaseException:
        database.close()
        raise
    return store


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
