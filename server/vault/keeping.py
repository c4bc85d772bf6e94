"""The keys that one process has unwrapped, read from the database when they are first needed.

One vault belongs to one engine and travels with its connections (`vault_of`), so that storage seals and opens
where values leave and reach the database, and nobody above has to think of it. Keys that another process has
made are picked up when something sealed under one is met, and otherwise after LIFETIME_S.
"""

import secrets
import time
from collections.abc import Callable
from typing import Final, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from server.memory import Memory
from server.storage import keys as stored
from server.storage.engine import VAULT
from server.storage.keys import DATA, HASH, KeyRow
from server.vault.master import KEY_BYTES, KeyMissing, Master
from server.vault.township import TownshipKeys, UnknownKey, keys_from

T = TypeVar("T")
LIFETIME_S: Final = 30
TOWNSHIPS_MAX: Final = 4_096
_FIRST: Final = 1


class Vault:
    """Unwrapped keys by township. `source` gives the master keys; it raises KeyMissing when there are none."""

    def __init__(
        self, source: Callable[[], Master], *, random: Callable[[int], bytes] = secrets.token_bytes
    ) -> None:
        self._source = source
        self._random = random
        self._master: Master | None = None
        self._townships: Memory[TownshipKeys] = Memory(TOWNSHIPS_MAX, LIFETIME_S * 1_000)

    def __repr__(self) -> str:
        return "Vault()"

    @property
    def master(self) -> Master:
        """The master keys, read once; raises KeyMissing."""
        if self._master is None:
            self._master = self._source()
        return self._master

    async def keys(self, connection: AsyncConnection, township: str, *, fresh: bool = False) -> TownshipKeys:
        """The keys of a township; raises KeyMissing where it has none, or the master key does not fit."""
        now_ms = _now_ms()
        known = None if fresh else self._townships.get(township, now_ms)
        if known is None:
            rows = await stored.of_township(connection, township)
            known = self._unwrapped(township, rows)
            self._townships.put(township, known, now_ms)
        return known

    def forget(self, township: str) -> None:
        """Reads the keys of a township anew when they are needed next: another one has just been made."""
        self._townships.forget(township)

    def remembered(self, township: str) -> TownshipKeys:
        """The keys of a township as this process knows them; none, which open nothing, where it does not."""
        return self._townships.get(township, _now_ms()) or keys_from(township, {}, b"", self._random)

    def _unwrapped(self, township: str, rows: list[KeyRow]) -> TownshipKeys:
        data = {row.number: self.unwrap(row) for row in rows if row.purpose == DATA}
        hashing = [self.unwrap(row) for row in rows if row.purpose == HASH]
        if not data or not hashing:
            message = f"The township {township} has no data key yet: `roundbook keys ensure` makes it."
            raise KeyMissing(message)
        return keys_from(township, data, hashing[-1], self._random)

    def unwrap(self, row: KeyRow) -> bytes:
        """The key of a row. The master keys are read once more where theirs may have been replaced meanwhile."""
        if row.wrapped.master_id not in self.master.ids:
            self._master = None
        return self.master.unwrap(row.wrapped, row.context)

    def wrapped(self, township: str, purpose: str, number: int, secret: bytes, now_ms: int) -> KeyRow:
        """A row that holds `secret`, wrapped by the first master key."""
        bare = f"{township}/{purpose}/{number}"
        return KeyRow(township, purpose, number, self.master.wrap(secret, bare, self._random), now_ms)

    async def begin(self, connection: AsyncConnection, township: str, now_ms: int) -> None:
        """Makes the first keys of a township, in the transaction that opens it.

        Nothing is remembered: should the transaction fail, nobody has sealed under a key that never was.
        """
        for purpose in (DATA, HASH):
            row = self.wrapped(township, purpose, _FIRST, self._random(KEY_BYTES), now_ms)
            await stored.add(connection, row)

    async def keep(
        self, connection: AsyncConnection, township: str, purpose: str, secret: bytes, now_ms: int
    ) -> None:
        """Keeps another secret of a township, wrapped by the master key, as the newest of its purpose."""
        rows = await stored.of_township(connection, township, (purpose,))
        number = rows[-1].number + 1 if rows else _FIRST
        await stored.add(connection, self.wrapped(township, purpose, number, secret, now_ms))

    async def kept(self, connection: AsyncConnection, township: str, purpose: str) -> list[bytes]:
        """The secrets of a purpose, the newest first; empty where none was kept."""
        rows = await stored.of_township(connection, township, (purpose,))
        return [self.unwrap(row) for row in reversed(rows)]


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000


def vault_of(connection: AsyncConnection) -> Vault:
    """The vault that the engine of this connection was opened with; one without a master key otherwise."""
    found = (
        connection.sync_connection.get_execution_options().get(VAULT) if connection.sync_connection else None
    )
    return found if isinstance(found, Vault) else _WITHOUT


async def keys_of(connection: AsyncConnection, township: str) -> TownshipKeys:
    """The keys that a township seals with; raises KeyMissing."""
    return await vault_of(connection).keys(connection, township)


async def opening(connection: AsyncConnection, township: str, work: Callable[[TownshipKeys], T]) -> T:
    """Runs `work`, which opens what was read, once more with fresh keys where it meets a data key that is not known.

    So what is not sealed can be read without any master key, and costs no statement.
    """
    vault = vault_of(connection)
    try:
        return work(vault.remembered(township))
    except UnknownKey:
        return work(await vault.keys(connection, township, fresh=True))


def _no_master() -> Master:
    message = (
        "There is no master key: `roundbook keys make FILE` makes one, ROUNDBOOK_MASTER_KEY_FILE names it."
    )
    raise KeyMissing(message)


_WITHOUT: Final = Vault(_no_master)
