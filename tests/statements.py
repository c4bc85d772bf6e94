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
    return {str(name) for name in _said(await _plan(connection, statement, parameters), "Relation Name")}


async def tasks_of(connection: AsyncConnection, statement: str, parameters: Any) -> set[int]:
    """To how many shards Citus would send a statement; empty where it needs none of them."""
    return {int(count) for count in _said(await _plan(connection, statement, parameters), "Task Count")}


async def _plan(connection: AsyncConnection, statement: str, parameters: Any) -> Any:
    told = (await connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters)).scalar_one()
    return json.loads(told) if isinstance(told, str) else told


def _said(node: Any, name: str) -> Iterator[Any]:
    """Whatever a plan says under `name`, at any depth."""
    if isinstance(node, list):
        for one in node:
            yield from _said(one, name)
    elif isinstance(node, dict):
        if name in node:
            yield node[name]
        for value in node.values():
            yield from _said(value, name)
