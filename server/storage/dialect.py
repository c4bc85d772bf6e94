"""The two forms of a statement over many values: arrays on PostgreSQL, JSON texts on SQLite.

    among(connection, "record_id", "ids", ID)    record_id = ANY(...)   or   record_id IN (SELECT ...)
    many(connection, values)                      what is bound to :ids

Bulk inserts take their rows by column. On PostgreSQL they are one statement joined to the township's row,
so that a distributed database sees that it touches one township (docs/architecture.md, rule Q4); on
SQLite `executemany` is the faster form.
"""

import json
import re
from collections.abc import Sequence
from enum import Enum
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Float,
    Integer,
    LargeBinary,
    Table,
    TextClause,
    TextualSelect,
    column,
    text,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage.engine import is_sqlite
from server.storage.tables import Id

ID: Final = "uuid"
TEXT: Final = "text"
_NAME: Final = re.compile(r"\w+")


def among(connection: AsyncConnection, column: str, name: str, kind: str) -> str:
    """The condition that `column` is one of the values bound as `name`."""
    if is_sqlite(connection):
        return f"{column} IN (SELECT value FROM json_each(:{name}))"
    return f"{column} = ANY(CAST(:{name} AS {kind}[]))"


def many(connection: AsyncConnection, values: Sequence[str]) -> str | list[str]:
    """The values in the form that `among` takes."""
    return json.dumps(list(values)) if is_sqlite(connection) else list(values)


@lru_cache(maxsize=256)
def prepared(statement: str, columns: str) -> TextualSelect:
    """A query, made once, so that SQLAlchemy keeps with it how it is compiled and how its rows are read.

    `columns` are those of a row, as a SELECT lists them: `"n, CAST(origin AS text) AS origin, s.role"`.
    """
    names = [_NAME.findall(each)[-1] for each in columns.split(", ")]
    return text(statement).columns(*map(column, names))


async def insert_rows(
    connection: AsyncConnection,
    table: Table,
    township: str,
    columns: tuple[str, ...],
    rows: Sequence[Sequence[Any]],
    *,
    replace: tuple[str, ...] = (),
    add: tuple[str, ...] = (),
) -> None:
    """Inserts rows of one township in one statement.

    Of a row that exists already, `replace` names the columns that are written anew, `add` those to be added to.

    `columns` are those of each row, in order, without `township_id`. Encoding arrays element by element is a
    third of a push, so a column in which all rows agree travels once, and of one that counts up only its start.
    """
    if not rows:
        return
    if is_sqlite(connection):
        statement = _insert(table, columns, (), replace, add, sqlite=True)
        await connection.execute(
            statement, [{**dict(zip(columns, row, strict=True)), "township_id": township} for row in rows]
        )
        return
    by_column = list(zip(*rows, strict=True))
    forms = [_form(values) for values in by_column]
    if Form.ARRAY not in forms:
        forms[0] = Form.ARRAY  # the array gives the number of rows
    bound = [
        values if form is Form.ARRAY else values[0] for form, values in zip(forms, by_column, strict=True)
    ]
    statement = _insert(table, columns, tuple(forms), replace, add, sqlite=False)
    await connection.execute(statement, {**dict(zip(columns, bound, strict=True)), "township_id": township})


class Form(Enum):
    """How a column of many rows travels."""

    ARRAY = "array"
    SAME = "same"
    COUNTING = "counting"


def _form(values: tuple[Any, ...]) -> Form:
    first, last = values[0], values[-1]
    if len(values) == 1:
        return Form.ARRAY
    if first == last:
        return Form.SAME if values.count(first) == len(values) else Form.ARRAY
    counting = (
        type(first) is int and last == first + len(values) - 1 and values == tuple(range(first, last + 1))
    )
    return Form.COUNTING if counting else Form.ARRAY


@lru_cache(maxsize=1_024)
def _insert(
    table: Table,
    columns: tuple[str, ...],
    forms: tuple[Form, ...],
    replace: tuple[str, ...],
    add: tuple[str, ...],
    *,
    sqlite: bool,
) -> TextClause:
    names = ", ".join(columns)
    if sqlite:
        values = ", ".join(f":{column}" for column in columns)
        source = f"VALUES (:township_id, {values})"
    else:
        typed = [(column, _type_of(table, column), form) for column, form in zip(columns, forms, strict=True)]
        listed = [column for column, _, form in typed if form is Form.ARRAY]
        arrays = ", ".join(
            f"CAST(:{column} AS {type_}[])" for column, type_, form in typed if form is Form.ARRAY
        )
        chosen = ", ".join(_chosen(*one) for one in typed)
        source = (
            f"SELECT t.township_id, {chosen} FROM townships t CROSS JOIN unnest({arrays}) "
            f"WITH ORDINALITY AS x({', '.join(listed)}, nth) WHERE t.township_id = :township_id"
        )
    conflict = ""
    if replace or add:
        key = ", ".join(column.name for column in table.primary_key)
        updates = ", ".join(
            [f"{column} = excluded.{column}" for column in replace]
            + [f"{column} = {table.name}.{column} + excluded.{column}" for column in add]
        )
        conflict = f" ON CONFLICT ({key}) DO UPDATE SET {updates}"
    return text(f"INSERT INTO {table.name} (township_id, {names}) {source}{conflict}")


def _chosen(column: str, type_: str, form: Form) -> str:
    """What a column takes its values from, on PostgreSQL."""
    if form is Form.ARRAY:
        return f"x.{column}"
    start = f"CAST(:{column} AS {type_})"
    return start if form is Form.SAME else f"CAST({start} + x.nth - 1 AS {type_})"


def _type_of(table: Table, column: str) -> str:
    kind = table.c[column].type
    if kind is Id:
        return ID
    if isinstance(kind, BigInteger):
        return "bigint"
    if isinstance(kind, Integer):
        return "integer"
    if isinstance(kind, Boolean):
        return "boolean"
    if isinstance(kind, Float):
        return "double precision"
    return "bytea" if isinstance(kind, LargeBinary) else TEXT
