"""Slips: numbered papers of a matter, and the words that a township has put in the place of the shipped ones.

What a slip says is sealed as a whole, bound to its record: it names the person it is addressed to.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import TextClause, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage.dialect import ID, among, many
from server.storage.tables import slip_templates, slips
from server.vault.keeping import keys_of, opening
from server.vault.township import TownshipKeys


class Slip(msgspec.Struct, frozen=True):
    """One slip; `body` is None once its matter was erased. Time in milliseconds since 1970 UTC."""

    slip_id: str
    record_id: str
    sort: str
    year: int
    serial: int
    body: bytes | None
    made_by: str
    made_ms: int


class Words(msgspec.Struct, frozen=True):
    """A revision of a township's own template; an empty text means the shipped one."""

    sort: str
    revision: int
    text: str
    actor: str
    set_ms: int


_COLUMNS: Final = (
    "CAST(slip_id AS text) AS slip_id, CAST(record_id AS text) AS record_id, sort, year, serial, body, "
    "CAST(made_by AS text) AS made_by, made_ms"
)
_OF_RECORD: Final = text(
    f"SELECT {_COLUMNS} FROM slips WHERE township_id = :t AND record_id = :record ORDER BY made_ms, slip_id"
)
_BY_ID: Final = text(f"SELECT {_COLUMNS} FROM slips WHERE township_id = :t AND slip_id = :slip")
_SEALED: Final = text(f"SELECT {_COLUMNS} FROM slips WHERE township_id = :t AND body IS NOT NULL")


async def of_record(connection: AsyncConnection, township: str, record: str) -> list[Slip]:
    """The slips of a record, the oldest first."""
    return await _read(connection, township, _OF_RECORD, {"record": record})


async def by_id(connection: AsyncConnection, township: str, slip: str) -> Slip | None:
    """One slip."""
    found = await _read(connection, township, _BY_ID, {"slip": slip})
    return found[0] if found else None


async def next_serial(
    connection: AsyncConnection, township: str, sort: str, year: int, above: int = 0
) -> int:
    """The number that comes next, at least one `above`; the caller holds the township's lock, so it is given once."""
    mine = (slips.c.township_id == township) & (slips.c.sort == sort) & (slips.c.year == year)
    last = await connection.scalar(select(func.max(slips.c.serial)).where(mine))
    return max(int(last or 0), above) + 1


async def add(connection: AsyncConnection, township: str, slip: Slip) -> None:
    """Writes a new slip down."""
    keys = await keys_of(connection, township)
    await connection.execute(
        insert(slips).values(
            township_id=township, **{**msgspec.structs.asdict(slip), "body": _sealed(keys, slip)}
        )
    )


async def blank(connection: AsyncConnection, township: str, records: Sequence[str]) -> None:
    """Takes out what the slips of these records say: part of erasing them. The numbers stay."""
    mine = f"WHERE township_id = :t AND {among(connection, 'record_id', 'ids', ID)}"
    await connection.execute(
        text(f"UPDATE slips SET body = NULL {mine}"), {"t": township, "ids": many(connection, records)}
    )


async def reseal(connection: AsyncConnection, township: str) -> None:
    """Seals every slip of a township under its newest key."""
    keys = await keys_of(connection, township)
    for slip in await _read(connection, township, _SEALED, {}):
        mine = (slips.c.township_id == township) & (slips.c.slip_id == slip.slip_id)
        await connection.execute(update(slips).where(mine).values(body=_sealed(keys, slip)))


async def words(connection: AsyncConnection, township: str) -> dict[str, Words]:
    """The newest revision of each template that a township has set."""
    at = slip_templates.c
    found = select(at.sort, at.revision, at.text, at.actor, at.set_ms).where(at.township_id == township)
    rows = await connection.execute(found.order_by(at.sort, at.revision))
    return {row.sort: Words(*row) for row in rows}


async def set_words(connection: AsyncConnection, township: str, given: Words) -> None:
    """Adds a revision; the caller holds the township's lock."""
    await connection.execute(
        insert(slip_templates).values(township_id=township, **msgspec.structs.asdict(given))
    )


async def _read(
    connection: AsyncConnection, township: str, statement: TextClause, parameters: dict[str, str]
) -> list[Slip]:
    rows = (await connection.execute(statement, {"t": township, **parameters})).all()
    return await opening(connection, township, lambda keys: [_opened(keys, Slip(*row)) for row in rows])


def _sealed(keys: TownshipKeys, slip: Slip) -> bytes | None:
    return keys.seal(slip.body, slip.record_id) if slip.body is not None else None


def _opened(keys: TownshipKeys, slip: Slip) -> Slip:
    if slip.body is None:
        return slip
    return msgspec.structs.replace(slip, body=keys.open(bytes(slip.body), slip.record_id))
