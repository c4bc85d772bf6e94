"""What a database's schema is, read back from the database itself, and rows to put into it."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Connection,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Uuid,
    insert,
    select,
    text,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine

SOME_ID = "01890a5d-ac96-774b-bcce-b302099a8057"
VERSION_TABLE = "alembic_version"


def definition(connection: Connection) -> dict[str, str]:
    """Every table, column and index with its definition in the database's own words."""
    if connection.dialect.name == "sqlite":
        rows = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))
        return {row.name: " ".join(row.sql.split()) for row in rows if row.name != VERSION_TABLE}
    columns = connection.execute(
        text(
            "SELECT c.relname || '.' || a.attname AS name, format_type(a.atttypid, a.atttypmod) || "
            "CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END || "
            "coalesce(pg_get_expr(d.adbin, d.adrelid), '') AS sql "
            "FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
            "LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum "
            "WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0"
        )
    )
    indexes = connection.execute(
        text("SELECT indexname AS name, indexdef AS sql FROM pg_indexes WHERE schemaname = 'public'")
    )
    keys = connection.execute(
        text(
            "SELECT conrelid::regclass || ':' || conname AS name, pg_get_constraintdef(oid) AS sql "
            "FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 'n'"
        )
    )
    return {
        row.name: row.sql
        for rows in (columns, indexes, keys)
        for row in rows
        if VERSION_TABLE not in row.name
    }


def fill(connection: Connection) -> dict[str, Mapping[str, Any]]:
    """Puts one row into every table that there is, whatever its columns, and returns the rows."""
    filled: dict[str, Mapping[str, Any]] = {}
    for table in _reflected(connection).sorted_tables:
        if _is_partition(table.name):
            continue
        row = {column.name: _sample(column.name, column.type) for column in table.columns}
        connection.execute(insert(table).values(row))
        filled[table.name] = row
    return filled


def rows_of(
    connection: Connection, asked: Mapping[str, Mapping[str, Any]]
) -> dict[str, list[dict[str, Any]]]:
    """The rows of each table that is asked for, with the columns that are named."""
    tables = _reflected(connection).tables  # it takes as long as all the rest, so once
    found: dict[str, list[dict[str, Any]]] = {}
    for table, columns in asked.items():
        rows = connection.execute(select(*(tables[table].c[column] for column in columns)))
        found[table] = [dict(row._mapping) for row in rows]
    return found


def _reflected(connection: Connection) -> MetaData:
    metadata = MetaData()
    metadata.reflect(connection, only=lambda name, _: name != VERSION_TABLE)
    for table in metadata.tables.values():
        _read_ids_as_text(table)
    return metadata


def _read_ids_as_text(table: Table) -> None:
    for column in table.columns:
        if isinstance(column.type, Uuid):
            column.type = postgresql.UUID(as_uuid=False)


def _is_partition(name: str) -> bool:
    return name.rpartition("_p")[2].isdigit()


def _sample(name: str, kind: TypeEngine[Any]) -> Any:
    """A value that fits the type. Columns of one name get one value, so that foreign keys hold."""
    if isinstance(kind, Uuid) or (isinstance(kind, String) and kind.length == len(SOME_ID)):
        return SOME_ID
    if isinstance(kind, JSON):
        return ["x"]
    samples: dict[type[TypeEngine[Any]], Any] = {
        Boolean: True,
        BigInteger: 1 << 40,
        Integer: 7,
        Float: 1.5,
        LargeBinary: b"{}",
        String: name[: getattr(kind, "length", None) or 1],
    }
    return next(value for sort, value in samples.items() if isinstance(kind, sort))
