"""What deadlines are reckoned from, and dates of the ledger: what happened to records.

Nothing of a person is needed here, so what is sealed in a stored text, between two fences, is read as null.
"""

import re
from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage.dialect import ID, among, many


class Past(msgspec.Struct, frozen=True):
    """One change that became part of its record."""

    record: str
    n: int
    received_ms: int
    payload: bytes
    effects: bytes


_SEALED: Final = re.compile(rb"\x1e[^\x1e]*\x1e")
"""A record separator (RS) is in no JSON text, so it fences what is sealed."""


async def pasts(connection: AsyncConnection, township: str, records: Sequence[str]) -> list[Past]:
    """What happened to these records, in the order of numbers. What waits in quarantine is no part of it."""
    if not records:
        return []
    statement = (
        "SELECT CAST(record_id AS text) AS record, n, received_ms, payload, effects FROM changes "
        f"WHERE township_id = :t AND {among(connection, 'record_id', 'ids', ID)} "
        "AND result NOT IN ('quarantined', 'replayed', 'discarded') ORDER BY n"
    )
    rows = await connection.execute(text(statement), {"t": township, "ids": many(connection, records)})
    return [
        Past(row.record, row.n, row.received_ms, _plain(row.payload), _plain(row.effects)) for row in rows
    ]


def _plain(stored: bytes) -> bytes:
    return _SEALED.sub(b"null", bytes(stored))
