"""Pairs, members and joined matters are found by an index: nothing grows with the number of matters."""

from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.affairs import service as affairs
from server.duplicates import service as duplicates
from server.joins import service as joins
from server.storage.engine import snapshot
from tests.e2e.village import GRID, VILLAGES, Village, settled
from tests.joins.desk import Desk, matter

WHOLE = ("SCAN records", "SCAN duplicate_pairs", "Seq Scan on records", "Seq Scan on duplicate_pairs")


@pytest.fixture
def one(village: Village, desk: Desk) -> str:
    """A matter that another one, alike, is joined into."""
    worker = village.device("李四", GRID)
    made = [matter(worker, "村东头路灯不亮", narrative="坏了半个月") for _ in range(3)]
    settled(village, worker)
    desk.join(made[1].id, made[0].id)
    return made[0].id


def test_every_list_of_review_is_answered_from_an_index(village: Village, desk: Desk, one: str) -> None:
    services, who = village.services, desk.who
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("SELECT") and ("FROM records" in statement or "duplicate_pairs" in statement):
            asked.append((statement, parameters))

    event.listen(services.engine.sync_engine, "before_cursor_execute", note)
    village.run(duplicates.listed(services, who, "open", None, 20))
    village.run(duplicates.listed(services, who, "different", None, 20))
    village.run(duplicates.similar(services, who, "路灯不亮", "", VILLAGES[0], None))
    village.run(joins.absorbed(services, who, one))
    village.run(affairs.get(services, who, one))
    event.remove(services.engine.sync_engine, "before_cursor_execute", note)
    assert len(asked) > 5
    for statement, parameters in asked:
        plan = village.run(explained(village, statement, parameters))
        assert not any(scan in plan for scan in WHOLE), (statement, plan)


async def explained(village: Village, statement: str, parameters: Any) -> str:
    async def read(connection: AsyncConnection) -> str:
        if connection.dialect.name == "sqlite":
            rows = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            return "\n".join(str(row.detail) for row in rows)
        # So few rows as a test has are read whole for less than an index costs.
        await connection.execute(text("SET LOCAL enable_seqscan = off"))
        rows = await connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
        return "\n".join(str(row[0]) for row in rows)

    return await snapshot(village.services.engine, read)
