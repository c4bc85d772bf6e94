"""What waits is found in an index, whatever else a township has: no statement of the inbox reads a whole table."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest

from server.reach import Reach
from server.storage import inbox, rounds
from server.storage.engine import snapshot
from tests.server.office_server import TOWN, OfficeServer, office_server
from tests.statements import asked, explained

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
    engine = server.services.engine
    with asked(engine, f"FROM {table}") as said:
        await snapshot(engine, partial(ask, township=TOWN))
    ((statement, parameters),) = said
    assert "LIMIT" in statement, "bounded"
    plan = await explained(engine, statement, parameters)
    assert index in plan, plan
