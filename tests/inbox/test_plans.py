"""What waits is found in an index, whatever else a township has: no statement of the inbox reads a whole table."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.reach import Reach
from server.storage import inbox, rounds
from server.storage.engine import snapshot
from tests.server.office_server import TOWN, OfficeServer, office_server

REACH = Reach((TOWN,))
ASKED: dict[str, tuple[str, Any]] = {
    "ix_conflicts_status": ("conflicts", partial(inbox.differences, reach=REACH, most=100)),
    "ix_deadline_entries_undecided": (
        "deadline_entries",
        partial(inbox.extensions, reach=REACH, rules=["statutory_resolve"], most=100),
    ),
    "ix_deadlines_running": (
        "deadlines",
        partial(inbox.late, reach=REACH, rule="feedback", now_ms=1, most=100),
    ),
    "ix_records_reports": ("records", partial(rounds.reports, since_ms=1, until_ms=2, most=100)),
}
"""To each index the table that it spares, and who asks."""


@pytest.fixture
async def server(database_url: str) -> AsyncIterator[OfficeServer]:
    async with office_server(database_url) as running:
        yield running


@pytest.mark.parametrize("index", ASKED)
async def test_what_waits_is_found_in_an_index(server: OfficeServer, index: str) -> None:
    table, ask = ASKED[index]
    engine, said = server.services.engine, list[tuple[str, Any]]()

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if f"FROM {table}" in statement:
            said.append((statement, parameters))

    event.listen(engine.sync_engine, "before_cursor_execute", note)
    await snapshot(engine, partial(ask, township=TOWN))
    event.remove(engine.sync_engine, "before_cursor_execute", note)
    ((statement, parameters),) = said
    assert "LIMIT" in statement, "bounded"
    plan = await snapshot(engine, partial(explained, statement=statement, parameters=parameters))
    assert index in plan, plan


async def explained(connection: AsyncConnection, statement: str, parameters: Any) -> str:
    if connection.dialect.name == "sqlite":
        rows = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        return "\n".join(str(row.detail) for row in rows)
    # So few rows as a test has are read whole for less than an index costs.
    await connection.execute(text("SET LOCAL enable_seqscan = off"))
    rows = await connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
    return "\n".join(str(row[0]) for row in rows)
