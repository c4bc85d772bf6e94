"""Rule M1: a revision only adds, in ways that a server of the release before does not notice.

So during an upgrade servers of two releases work on one database; `make chaos` shows them at it.
"""

from collections.abc import Callable
from typing import Any

import pytest
from anyio.to_thread import run_sync
from sqlalchemy import Connection, String, create_engine, inspect, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from migrations.run import revisions, upgrade
from tests.server.schema import VERSION_TABLE

Schema = dict[str, dict[str, Any]]


def schema(connection: Connection) -> Schema:
    """To each table its columns, and what its rows have to fulfil."""
    found = inspect(connection)
    return {
        name: {
            "columns": {column["name"]: column for column in found.get_columns(name)},
            "rules": {
                f"key {found.get_pk_constraint(name)['constrained_columns']}",
                *(f"unique {key['column_names']}" for key in found.get_unique_constraints(name)),
                *(f"unique {index['column_names']}" for index in found.get_indexes(name) if index["unique"]),
                *(f"check {check['sqltext']}" for check in found.get_check_constraints(name)),
                *(f"to {key['referred_table']} {key['constrained_columns']}" for key in found.get_foreign_keys(name)),
            },
        }
        for name in found.get_table_names()
        if name != VERSION_TABLE
    }  # fmt: skip


def narrowed(before: Schema, after: Schema) -> list[str]:
    """What a server that knows only `before` would trip over in `after`."""
    wrong = [f"{name} is gone" for name in before if name not in after]
    for name in before.keys() & after.keys():
        wrong += _columns(name, before[name]["columns"], after[name]["columns"])
        wrong += [
            f"{name} has to fulfil more: {rule}" for rule in after[name]["rules"] - before[name]["rules"]
        ]
        wrong += [
            f"{name} lost {rule}"
            for rule in before[name]["rules"] - after[name]["rules"]
            if not rule.startswith("to ")  # who keeps to a foreign key keeps to none
        ]
    return sorted(wrong)


def _columns(table: str, before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    wrong = [f"{table}.{column} is gone" for column in before if column not in after]
    for name, column in after.items():
        old = before.get(name)
        if old is None and not column["nullable"] and column["default"] is None:
            wrong.append(f"{table}.{name} is new and has to be given")
        if old is not None and str(old["type"]) != str(column["type"]) and not _longer(old, column):
            wrong.append(f"{table}.{name} was {old['type']} and is {column['type']}")
        if old is not None and old["nullable"] and not column["nullable"]:
            wrong.append(f"{table}.{name} has to be given now")
    return wrong


def _longer(before: Any, after: Any) -> bool:
    """Whether a column takes the same texts, and longer ones."""
    types = before["type"], after["type"]
    return all(isinstance(one, String) and one.length for one in types) and types[0].length < types[1].length


BASE = (
    "CREATE TABLE a (id INTEGER PRIMARY KEY, told TEXT, n INTEGER NOT NULL); "
    "CREATE TABLE b (id INTEGER, word VARCHAR(9))"
)


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("ALTER TABLE a ADD COLUMN more TEXT", ""),
        ("ALTER TABLE a ADD COLUMN more TEXT NOT NULL DEFAULT ''", ""),
        ("CREATE INDEX i ON a (told)", ""),
        ("CREATE TABLE c (id INTEGER NOT NULL)", ""),
        ("DROP TABLE b; CREATE TABLE b (id INTEGER, word VARCHAR(10))", ""),
        (
            "DROP TABLE b; CREATE TABLE b (id INTEGER, word VARCHAR(8))",
            "b.word was VARCHAR(9) and is VARCHAR(8)",
        ),
        ("DROP TABLE b", "b is gone"),
        ("ALTER TABLE b RENAME TO c", "b is gone"),
        ("ALTER TABLE a DROP COLUMN told", "a.told is gone"),
        ("ALTER TABLE a RENAME COLUMN told TO said", "a.told is gone"),
        ("CREATE UNIQUE INDEX i ON a (told)", "a has to fulfil more: unique ['told']"),
        (
            "DROP TABLE a; CREATE TABLE a (id INTEGER PRIMARY KEY, told TEXT NOT NULL, n INTEGER NOT NULL)",
            "a.told has to be given now",
        ),
        (
            "DROP TABLE a; CREATE TABLE a (id INTEGER PRIMARY KEY, told TEXT, n TEXT NOT NULL)",
            "a.n was INTEGER and is TEXT",
        ),
        (
            "DROP TABLE a; CREATE TABLE a (id INTEGER PRIMARY KEY, told TEXT, n INTEGER NOT NULL, m TEXT NOT NULL)",
            "a.m is new and has to be given",
        ),
    ],
)
def test_what_counts_as_narrowing(statement: str, says: str) -> None:
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        for part in BASE.split(";"):
            connection.execute(text(part))
        before = schema(connection)
        for part in statement.split(";"):
            connection.execute(text(part))
        assert narrowed(before, schema(connection)) == ([says] if says else [])
    engine.dispose()


async def test_every_revision_only_adds(fresh_database_url: str) -> None:
    first, *later = revisions()
    await run_sync(upgrade, fresh_database_url, first)
    before = await _read(fresh_database_url, schema)
    assert before
    for revision in later:
        await run_sync(upgrade, fresh_database_url, revision)
        after = await _read(fresh_database_url, schema)
        assert narrowed(before, after) == [], revision
        before = after


async def _read(url: str, work: Callable[[Connection], Schema]) -> Schema:
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.connect() as connection:
        found = await connection.run_sync(work)
    await engine.dispose()
    return found
