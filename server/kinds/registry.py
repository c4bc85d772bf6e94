"""The kinds as one server process knows them, in memory, kept up with the database.

Installing happens in another process (`roundbook kinds install`), and nothing tells this one. So it looks
again when a change names a kind that it does not know, but not more often than every RETRY_MS, and otherwise
every STALE_MS. Kinds are only ever added, so what is known stays true.
"""

import asyncio
import hashlib
from collections.abc import Callable, Iterable
from typing import Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from server.storage import kinds
from server.storage.engine import snapshot
from server.storage.kinds import Installed, Key
from sync_protocol.kinds import Kind, Shape, from_json, shape, to_json

RETRY_MS: Final = 2_000
STALE_MS: Final = 30_000
_GENERATION_CHARS: Final = 16


class Registry:
    """All versions of all kinds. `clock` gives milliseconds; only differences of it count."""

    def __init__(self, engine: AsyncEngine, clock: Callable[[], int]) -> None:
        self._engine = engine
        self._clock = clock
        self._kinds: dict[Key, Kind] = {}
        self._latest: dict[str, Kind] = {}
        self._digests: dict[Key, bytes] = {}
        self._declarations: tuple[msgspec.Raw, ...] = ()
        self._generation = ""
        self._read_ms: int | None = None
        self._reading = asyncio.Lock()

    @property
    def generation(self) -> str:
        """A short text that is another one whenever a kind was added."""
        return self._generation

    def get(self, name: str, version: int) -> Kind | None:
        """One version of a kind; None when it is not installed."""
        return self._kinds.get((name, version))

    def latest(self, name: str) -> Kind | None:
        """The newest version of a kind; None when there is none."""
        return self._latest.get(name)

    def current(self) -> tuple[Kind, ...]:
        """The newest version of every kind, by name."""
        return tuple(self._latest[name] for name in sorted(self._latest))

    def declarations(self) -> tuple[msgspec.Raw, ...]:
        """The same as they travel to devices; one copy for all profiles, of which a process remembers thousands."""
        return self._declarations

    def known(self, name: str) -> bool:
        """Whether any version of a kind is installed."""
        return name in self._latest

    def shape(self, name: str, version: int) -> Shape | None:
        """The checks of one version of a kind; None when it is not installed."""
        kind = self.get(name, version)
        return None if kind is None else shape(kind)

    async def ensure(self, wanted: Iterable[Key] = ()) -> None:
        """Looks into the database again where one of `wanted` is not known, or the last look is long ago.

        Call it before a transaction, not inside. Raises Unavailable when the database cannot be read.
        """
        allowed = RETRY_MS if any(key not in self._kinds for key in wanted) else STALE_MS
        if self._age() < allowed:
            return
        async with self._reading:
            # Whoever waited here need not look again: it has just been done.
            if self._age() >= allowed:
                await self.refresh()

    async def refresh(self) -> None:
        """Reads the kinds that are not known yet."""

        async def read(connection: AsyncConnection) -> list[Installed]:
            return await kinds.read(connection, await kinds.keys(connection) - set(self._kinds))

        fresh = await snapshot(self._engine, read)
        if fresh:
            self._take(fresh)
        self._read_ms = self._clock()

    def _age(self) -> int:
        """Milliseconds since the last look. A clock that was set back counts as a long time."""
        if self._read_ms is None:
            return STALE_MS
        age = self._clock() - self._read_ms
        return age if age >= 0 else STALE_MS

    def _take(self, rows: list[Installed]) -> None:
        for row in rows:
            kind = from_json(row.declaration)
            self._kinds[kind.key] = kind
            self._digests[kind.key] = hashlib.sha256(row.declaration).digest()
            newest = self._latest.get(kind.name)
            if newest is None or newest.version < kind.version:
                self._latest[kind.name] = kind
        self._declarations = tuple(msgspec.Raw(to_json(kind)) for kind in self.current())
        digest = hashlib.sha256()
        for key in sorted(self._digests):
            digest.update(f"{key[0]} {key[1]}\n".encode() + self._digests[key])
        self._generation = digest.hexdigest()[:_GENERATION_CHARS]
