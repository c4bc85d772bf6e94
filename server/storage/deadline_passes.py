"""How far a township's deadlines are reckoned, and the rules that it laid over those that ship.

The row of `deadline_passes` is the lock of whoever writes deadlines: the pass takes nothing else before it,
whoever holds the township's row takes it after that.
"""

from typing import Final

import msgspec
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage.engine import is_sqlite
from server.storage.tables import deadline_rules


class Pass(msgspec.Struct, frozen=True):
    """Where the pass stands in one township."""

    reached: int
    """The number of the newest change that was looked at."""
    edition: int
    revision: int
    since_ms: int
    """When the rules of this edition and revision came into force."""
    renewed: str | None
    """The last record that these rules were applied to; None when they were applied to all."""
    told: int
    """The last number given to an event."""

    @property
    def age(self) -> tuple[int, int]:
        """Of the rules: grows whenever others come into force."""
        return self.edition, self.revision


class Installed(msgspec.Struct, frozen=True):
    """One revision of a township's own rules; `body` is their JSON."""

    revision: int
    body: bytes
    actor: str
    installed_ms: int


class Ahead(msgspec.Struct, frozen=True):
    """What lies before the pass of a township."""

    standing: Pass | None
    """None where it never ran."""
    tip: int
    """The number of the township's newest change."""
    next_ms: int | None
    """When something is to be told next."""


_COLUMNS: Final = "reached, edition, revision, since_ms, renewed, told"
_READ: Final = f"SELECT {_COLUMNS} FROM deadline_passes WHERE township_id = :t"
_PLAIN, _LOCKING = text(_READ), text(f"{_READ} FOR UPDATE")
_BEGIN: Final = text(
    "INSERT INTO deadline_passes (township_id, reached, edition, revision, since_ms, renewed, told) "
    "VALUES (:t, 0, 0, 0, 0, NULL, 0) ON CONFLICT (township_id) DO NOTHING"
)
_MOVE: Final = text(
    "UPDATE deadline_passes SET reached = :reached, edition = :edition, revision = :revision, "
    "since_ms = :since_ms, renewed = :renewed, told = :told WHERE township_id = :t"
)
_AHEAD: Final = text(
    "SELECT tip, (SELECT min(next_ms) FROM deadlines WHERE township_id = :t AND next_ms IS NOT NULL) AS next_ms "
    "FROM townships WHERE township_id = :t"
)
_RULES: Final = text(
    "SELECT revision, body, actor, installed_ms FROM deadline_rules WHERE township_id = :t "
    "ORDER BY revision DESC LIMIT 1"
)


async def lock(connection: AsyncConnection, township: str) -> Pass:
    """Where the pass stands, holding its lock until the transaction ends. SQLite's writers hold the whole file."""
    reading = _PLAIN if is_sqlite(connection) else _LOCKING
    row = (await connection.execute(reading, {"t": township})).one_or_none()
    if row is None:
        await connection.execute(_BEGIN, {"t": township})
        row = (await connection.execute(reading, {"t": township})).one()
    return Pass(*row)


async def move(connection: AsyncConnection, township: str, standing: Pass) -> None:
    """Notes where the pass stands now; the caller holds its lock."""
    await connection.execute(_MOVE, {"t": township, **msgspec.structs.asdict(standing)})


async def ahead(connection: AsyncConnection, township: str) -> Ahead | None:
    """What is to be done; None for a township that was never opened."""
    row = (await connection.execute(_AHEAD, {"t": township})).one_or_none()
    if row is None:
        return None
    found = (await connection.execute(_PLAIN, {"t": township})).one_or_none()
    return Ahead(Pass(*found) if found is not None else None, row.tip or 0, row.next_ms)


async def own_rules(connection: AsyncConnection, township: str) -> Installed | None:
    """The newest revision of a township's own rules; None without any."""
    row = (await connection.execute(_RULES, {"t": township})).one_or_none()
    return None if row is None else Installed(row.revision, bytes(row.body), row.actor, row.installed_ms)


async def install_rules(connection: AsyncConnection, township: str, installed: Installed) -> None:
    """Writes a further revision; the caller holds the lock."""
    values = msgspec.structs.asdict(installed)
    await connection.execute(insert(deadline_rules).values(township_id=township, **values))
