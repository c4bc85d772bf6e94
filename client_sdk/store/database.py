"""The encrypted database: one connection, its transactions, and its errors in words.

SQLCipher with a raw key (no derivation of its own: keyfile.py has done that), write-ahead log, and
`synchronous = FULL`, so that a commit that returned survives the loss of power. Threads take turns on the
connection; other processes are told apart by SQLite's own locks. No transaction is open during network
traffic, so nobody waits long.
"""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import sqlcipher3

from client_sdk.texts import unwritable
from sync_protocol.errors import RoundbookError, StoreDamaged, StoreFull, StoreLocked

WAIT_S: Final = 10.0
"""How long a save waits for another process to end its transaction."""
_ERROR, _BUSY, _LOCKED, _IO, _CORRUPT, _FULL, _NOT_A_DATABASE = 1, 5, 6, 10, 11, 13, 26
_SPARE_BYTES: Final = 2**20
"""With less free space than this an input/output error is taken for a full disk, which is what it is."""


class Tx:
    """An open transaction, as the functions of this package use it."""

    def __init__(self, connection: Any) -> None:
        """Wraps the connection, which has no types of its own."""
        self._connection = connection
        self.named: dict[str, bytes] | None = None
        """What the table `meta` says, once somebody has asked (meta.py)."""

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Every row of a query."""
        found: list[tuple[Any, ...]] = self._connection.execute(sql, values).fetchall()
        return found

    def row(self, sql: str, *values: Any) -> tuple[Any, ...] | None:
        """The first row of a query, or None."""
        found: tuple[Any, ...] | None = self._connection.execute(sql, values).fetchone()
        return found

    def run(self, sql: str, *values: Any) -> int:
        """Executes a statement; the number of rows that it changed."""
        changed: int = self._connection.execute(sql, values).rowcount
        return changed


class Database:
    """The connection. `write()` and `read()` give transactions; `close()` ends it."""

    def __init__(self, path: Path, key: bytes) -> None:
        """Opens or creates the file. Raises StoreDamaged when the key does not fit or a page is damaged."""
        self._path = path
        self._closed: RoundbookError | None = None
        self._turn = threading.RLock()
        with self._in_words():
            self._connection: Any = sqlcipher3.connect(
                str(path), timeout=WAIT_S, isolation_level=None, check_same_thread=False
            )
            try:
                for pragma in (
                    f"key = \"x'{key.hex()}'\"",
                    "cipher_log_level = NONE",  # it writes to standard error what is raised anyway
                    "journal_mode = WAL",
                    "synchronous = FULL",
                    "foreign_keys = ON",
                ):
                    self._connection.execute(f"PRAGMA {pragma}").fetchall()
                self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            except BaseException:
                self._connection.close()
                raise

    @contextmanager
    def write(self) -> Iterator[Tx]:
        """A transaction that is durable when the block ends, and never was when it raises."""
        with self._transaction("BEGIN IMMEDIATE") as tx:
            yield tx

    @contextmanager
    def read(self) -> Iterator[Tx]:
        """A transaction whose queries all see the same state."""
        with self._transaction("BEGIN") as tx:
            yield tx

    def settle(self) -> None:
        """Moves the log into the file, so that the file alone is the store."""
        with self._turn, self._in_words():
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self, because: RoundbookError | None = None) -> None:
        """Ends the connection; the last one moves the log into the file. `because` is raised at whoever comes later."""
        with self._turn:
            self._closed = because or self._closed
            self._connection.close()

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[Tx]:
        with self._turn, self._in_words():
            if self._closed is not None:
                raise self._closed
            self._connection.execute(begin)
            try:
                yield Tx(self._connection)
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        """Turns the driver's errors into those of Roundbook."""
        try:
            yield
        except UnicodeEncodeError as error:
            raise unwritable("text") from error
        except (sqlcipher3.IntegrityError, sqlcipher3.ProgrammingError):
            raise  # a mistake of this package, which no word to the user would mend
        except sqlcipher3.Error as error:
            raise self._worded(error) from error

    def _worded(self, error: Exception) -> RoundbookError:
        code = (getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF
        name = getattr(error, "sqlite_errorname", type(error).__name__)
        if code in {_BUSY, _LOCKED}:
            return StoreLocked(
                "另一个程序正在写入，请稍后再试 / another program is writing to the store; try again"
            )
        if code == _ERROR and "no such table" in str(error):  # SQLite has no code of its own for it
            return StoreDamaged(
                "本机数据已被清除，本次未保存 / the store was wiped meanwhile, and this was not saved: open it again"
            )
        full = code == _IO and shutil.disk_usage(self._path.parent).free < _SPARE_BYTES
        if code == _FULL or full:
            return StoreFull(
                "存储空间已满，本次未保存，之前的都在；请清理空间后重试 / the disk is full: "
                "this was not saved, everything before it was; free some space and save again"
            )
        if code in {_CORRUPT, _NOT_A_DATABASE}:
            return StoreDamaged(
                f"数据文件 {self._path.name} 已损坏：请保留原文件及旁边的文件，用最近的备份恢复 / "
                f"the store {self._path.name} is damaged: keep it with the files beside it and put back "
                "the newest copy; what the township has received is not affected"
            )
        return StoreDamaged(
            f"无法读写数据文件（{name}）：请检查存储空间和权限 / "
            f"the store cannot be read or written ({name}): check the disk and the rights of the file"
        )
