"""What a database is asked, and how it would answer."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from server.storage.engine import snapshot

Asked = tuple[str, Any]
"""A statement as its driver gets it, and its parameters; a list of them for `executemany`."""


@contextmanager
def asked(engine: AsyncEngine, *mentions: str) -> Iterator[list[Asked]]:
    """Every statement that goes over the engine meanwhile; of `mentions`, when given, it has to contain one."""
    found: list[Asked] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if not mentions or any(mention in statement for mention in mentions):
            found.append((statement, parameters))

    event.listen(engine.sync_engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(engine.sync_engine, "before_cursor_execute", note)


async def explained(engine: AsyncEngine, statement: str, parameters: Any) -> str:
    """How the database would answer a statement, for people; PostgreSQL from an index wherever it can."""

    async def read(connection: AsyncConnection) -> str:
        if connection.dialect.name == "sqlite":
            rows = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            return "\n".join(str(row.detail) for row in rows)
        # So few rows as a test has are read whole for less than an index costs.
        await connection.execute(text("SET LOCAL enable_seqscan = off"))
        rows = await connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
        return "\n".join(str(row[0]) for row in rows)

    return await snapshot(engine, read)


async def tables_of(connection: AsyncConnection, statement: str, parameters: Any) -> set[str]:
    """The tables, or parts of tables, that PostgreSQL would look into. The transaction is open, for `FOR UPDATE`."""
    rows = await connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters)
    told = rows.scalar_one()
    plan = json.loads(told) if isinstance(told, str) else told
    return set(_relations(plan))


def _relations(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for one in node:
            yield from _relations(one)
    elif isinstance(node, dict):
        for name, value in node.items():
            if name == "Relation Name":
                yield value
            else:
                yield from _relations(value)
