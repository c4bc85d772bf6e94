"""Rules S1 to S6 of docs/architecture.md, "Storage": what a distributed database would refuse."""

from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from sqlalchemy import (
    JSON,
    Column,
    Computed,
    DateTime,
    ForeignKeyConstraint,
    Identity,
    Index,
    Sequence,
    Table,
)
from sqlalchemy import UniqueConstraint as Unique
from sqlalchemy.dialects import postgresql

from server.storage.tables import metadata

REFERENCE = {"divisions", "kinds", "enrolment_routes"}
"""Small, rarely written, copied to every node. A table that is added here is a decision."""
POSTGRESQL = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy's
TABLES = list(metadata.tables.values())
TOWNSHIP = [table for table in TABLES if table.name not in REFERENCE]


def _names(columns: Iterable[Column[Any]]) -> list[str]:
    return [column.name for column in columns]


def _unique_keys(table: Table) -> Iterator[tuple[str, list[str]]]:
    for constraint in table.constraints:
        if isinstance(constraint, Unique):
            yield str(constraint.name), _names(constraint.columns)
    for index in table.indexes:
        yield str(index.name), _names(index.columns)


def test_the_reference_tables_exist() -> None:
    assert set(metadata.tables) >= REFERENCE


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_s1_a_primary_key_begins_with_the_township_or_the_table_is_a_reference(table: Table) -> None:
    key = _names(table.primary_key.columns)
    assert (key[0] == "township_id") == (table.name not in REFERENCE)


@pytest.mark.parametrize("table", TOWNSHIP, ids=lambda table: table.name)
def test_s1_every_unique_constraint_and_index_begins_with_the_township(table: Table) -> None:
    assert [name for name, columns in _unique_keys(table) if columns[0] != "township_id"] == []


@pytest.mark.parametrize("table", TOWNSHIP, ids=lambda table: table.name)
def test_s1_the_township_has_one_type_and_is_never_absent(table: Table) -> None:
    column = table.c.township_id
    assert not column.nullable
    assert column.type.length == 9  # type: ignore[attr-defined]  # of a text


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_s2_foreign_keys_name_the_township_on_both_sides(table: Table) -> None:
    for key in table.foreign_key_constraints:
        target = key.referred_table
        assert not (table.name in REFERENCE and target.name not in REFERENCE), key.name
        if target.name not in REFERENCE:
            pairs = [(element.parent.name, element.column.name) for element in key.elements]
            assert pairs[0] == ("township_id", "township_id"), key.name
            assert _names(element.column for element in key.elements) == _names(target.primary_key.columns)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_s3_no_number_comes_from_the_database(table: Table) -> None:
    for column in table.columns:
        assert not isinstance(column.default, Sequence), column.name
        assert not isinstance(column.server_default, Identity | Computed | Sequence), column.name
    # A single integer key would count by itself on SQLite, and become SERIAL on PostgreSQL.
    assert table.autoincrement_column is None


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_s4_the_database_computes_nothing_in_the_write_path(table: Table) -> None:
    for column in table.columns:
        assert column.server_default is None, column.name
        assert column.server_onupdate is None, column.name
        assert column.onupdate is None, column.name
    for key in table.foreign_key_constraints:
        assert (key.ondelete, key.onupdate) == (None, None), key.name


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_s5_there_is_a_primary_key_and_every_name_is_explicit_and_short(table: Table) -> None:
    assert table.primary_key.columns
    named: list[Index | object] = [*table.constraints, *table.indexes]
    names = [getattr(item, "name", None) for item in named]
    assert all(isinstance(name, str) and 0 < len(name) <= 63 for name in names), names


def test_s5_names_are_unique_in_the_database() -> None:
    names = [str(index.name) for table in TABLES for index in table.indexes]
    names += [str(table.primary_key.name) for table in TABLES]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_s6_times_are_bound_by_the_application_and_json_is_jsonb(table: Table) -> None:
    for column in table.columns:
        assert not isinstance(column.type, DateTime), column.name
        if isinstance(column.type, JSON):
            assert column.type.compile(dialect=POSTGRESQL) == "JSONB", column.name


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_row_28_q9_sqlite_keeps_rowid_tables(table: Table) -> None:
    assert table.dialect_options["sqlite"]["with_rowid"] is True


def test_a_foreign_key_constraint_is_always_composite_or_to_the_township() -> None:
    keys: list[ForeignKeyConstraint] = [key for table in TOWNSHIP for key in table.foreign_key_constraints]
    assert keys
    assert all("township_id" in key.column_keys for key in keys)
