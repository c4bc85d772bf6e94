"""What waits for a person, as short rows: each sort one bounded statement over an index, the oldest first.

Words of a matter come from the ledger. What lies outside a reach is not read.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.reach import Reach
from server.storage.dialect import ID, TEXT, among, many
from server.storage.within import of_record, within


class Waiting(msgspec.Struct, frozen=True):
    """Something that waits, with what lists say of its matter."""

    id: str
    """Of the difference, the change or the request itself; of a matter its record."""
    record: str
    n: int
    """The township's number at which it came to be as it is; 0 where no number tells."""
    at_ms: int
    """Since when it waits, or when it was due. Milliseconds since 1970 UTC."""
    what: str = ""
    """A path, a rule or a code."""
    number: str | None = None
    title: str | None = None


_BESIDE: Final = "LEFT JOIN ledger l ON l.township_id = :t AND l.record_id = {0}.record_id"
_WORDS: Final = "l.number AS number, l.title AS title"


async def differences(connection: AsyncConnection, township: str, reach: Reach, most: int) -> list[Waiting]:
    """Differences that nobody has decided."""
    inside, reaching = of_record(reach, "c.record_id")
    statement = (
        "SELECT CAST(c.conflict_id AS text) AS id, CAST(c.record_id AS text) AS record, c.n AS n, "
        f"c.opened_ms AS at_ms, c.path AS what, {_WORDS} FROM conflicts c {_BESIDE.format('c')} "
        f"WHERE c.township_id = :t AND c.status = 'open' AND {inside} ORDER BY c.n LIMIT :most"
    )
    return await _rows(connection, statement, {**reaching, "t": township, "most": most})


async def extensions(
    connection: AsyncConnection, township: str, reach: Reach, rules: Sequence[str], most: int
) -> list[Waiting]:
    """Extensions of running deadlines of these rules that nobody has decided about."""
    inside, reaching = of_record(reach, "e.record_id")
    statement = (
        "SELECT CAST(e.entry_id AS text) AS id, CAST(e.record_id AS text) AS record, 0 AS n, "
        f"e.written_ms AS at_ms, e.rule AS what, {_WORDS} FROM deadline_entries e {_BESIDE.format('e')} "
        "WHERE e.township_id = :t AND e.sort = 'extension' AND e.approved IS NULL "
        f"AND {among(connection, 'e.rule', 'rules', TEXT)} AND {inside} "
        "AND EXISTS (SELECT 1 FROM deadlines d WHERE d.township_id = :t AND d.record_id = e.record_id "
        "AND d.rule = e.rule AND d.started_n = e.started_n AND d.status = 'running') "
        "ORDER BY e.written_ms LIMIT :most"
    )
    bound = {**reaching, "t": township, "most": most, "rules": many(connection, rules)}
    return await _rows(connection, statement, bound)


async def late(
    connection: AsyncConnection, township: str, reach: Reach, rule: str, now_ms: int, most: int
) -> list[Waiting]:
    """Matters whose deadline of this rule has passed while it ran."""
    inside, reaching = within(reach, "r")
    statement = (
        "SELECT CAST(d.record_id AS text) AS id, CAST(d.record_id AS text) AS record, r.version AS n, "
        f"d.due_ms AS at_ms, d.rule AS what, {_WORDS} FROM deadlines d "
        f"JOIN records r ON r.township_id = :t AND r.record_id = d.record_id {_BESIDE.format('d')} "
        "WHERE d.township_id = :t AND d.status = 'running' AND d.due_ms < :now AND d.rule = :rule "
        f"AND {inside} ORDER BY d.due_ms LIMIT :most"
    )
    bound = {**reaching, "t": township, "most": most, "rule": rule, "now": now_ms}
    return await _rows(connection, statement, bound)


async def titled(
    connection: AsyncConnection, township: str, records: Sequence[str]
) -> dict[str, tuple[str, str]]:
    """Number and title of those of these records that stand in the ledger."""
    statement = (
        "SELECT CAST(record_id AS text) AS id, number, title FROM ledger "
        f"WHERE township_id = :t AND {among(connection, 'record_id', 'ids', ID)}"
    )
    rows = await connection.execute(text(statement), {"t": township, "ids": many(connection, records)})
    return {row.id: (row.number, row.title) for row in rows}


_NUMBER: Final = text("SELECT counter FROM townships WHERE township_id = :t")


async def number(connection: AsyncConnection, township: str) -> int:
    """The last number that the township has given; 0 where no work is open."""
    return int(await connection.scalar(_NUMBER, {"t": township}) or 0)


async def _rows(connection: AsyncConnection, statement: str, bound: dict[str, Any]) -> list[Waiting]:
    rows = await connection.execute(text(statement), bound)
    return [Waiting(row.id, row.record, row.n, row.at_ms, row.what, row.number, row.title) for row in rows]
