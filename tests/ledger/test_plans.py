"""Each filter of the ledger is answered from an index: no statement of a page reads the whole table."""

from collections.abc import AsyncIterator, Mapping

import pytest

from benchmarks.ledger.asking import FILTERS
from benchmarks.ledger.matters import fill
from benchmarks.ledger.servers import CLERK, Prepared, prepared
from server.ledger import service
from server.ledger.asking import question_of
from tests.statements import Asked, asked, explained

MATTERS = 2_000
INDEX = {
    "by number": "number", "by date due": "due", "village": "village", "grid": "place", "nature, rare": "nature",
    "nature, common": "nature", "category": "category", "state": "state", "state, common": "state", "open": "open",
    "urgency, rare": "urgency", "level, rare": "level", "source": "source", "overdue": "due", "due soon": "due",
    "leader": "leader", "unit": "unit", "number": "number", "without a place": "village",
    "village and words": "village", "village, open, overdue": "", "open, rare, by number": "",
    "a year, rare level": "",
}  # fmt: skip
"""By which index a filter is answered; "" for what has several to choose from."""


@pytest.fixture
async def filled(database_url: str) -> AsyncIterator[Prepared]:
    async with prepared(database_url) as server:
        await fill(server.services.engine, MATTERS)
        yield server


async def test_every_filter_is_answered_from_an_index(filled: Prepared) -> None:
    for name, given in FILTERS.items():
        for statement, parameters in await statements(filled, given):
            plan = await explained(filled.services.engine, statement, parameters)
            assert "SCAN l" not in plan, (name, plan)
            assert "Seq Scan on ledger" not in plan, (name, plan)
            # SQLite takes the same one for few rows and for many.
            if filled.services.engine.dialect.name == "sqlite":
                assert f"ledger_{INDEX.get(name, 'reported')}" in plan, (name, plan)


async def statements(filled: Prepared, given: Mapping[str, str]) -> list[Asked]:
    """What two pages and the count ask the database."""
    with asked(filled.services.engine, "FROM ledger l WHERE") as found:
        first = await service.listed(filled.services, CLERK, question_of(given), None, 20)
        if first.next is not None:
            await service.listed(filled.services, CLERK, question_of(given), first.next, 20)
    assert found
    return found
