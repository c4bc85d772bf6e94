"""Pages and counts of the ledger: each filter has an index in which the newest come first.

A page is found in an index alone, and only its rows are read whole: so words are looked for in titles without
reading the table. Where a list goes on is the value by which it is sorted, and the id of its last row.
"""

from collections.abc import Sequence
from typing import Any, Final, Literal

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.reach import Reach
from server.storage.dialect import ID, among, many
from server.storage.engine import is_sqlite
from server.storage.ledger import FIELDS, Row
from server.storage.within import within

Sort = Literal["newest", "oldest", "due", "number"]
REFERENCES_MAX: Final = 200
"""So many matters at most are found by numbers of other systems that begin alike."""
_PAST_ASCII: Final = "\x7f"


class Filter(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which matters; what is None (or empty) does not matter."""

    village: str | None = None
    place: str | None = None
    nature: str | None = None
    category: str | None = None
    service_category: str | None = None
    state: str | None = None
    urgency: str | None = None
    level: str | None = None
    source: str | None = None
    leader: str | None = None
    unit: str | None = None
    open: bool | None = None
    placed: bool | None = None
    """False: only those without even a village."""
    due_from_ms: int | None = None
    due_before_ms: int | None = None
    reported_from_ms: int | None = None
    reported_before_ms: int | None = None
    number: str | None = None
    """How the registration number begins, or that of another system."""
    words: tuple[str, ...] = ()
    """Each of them stands in the title."""


class After(msgspec.Struct, frozen=True, array_like=True):
    """The last row of the page before: what it is sorted by, and its id."""

    value: int | str
    record: str


_SAME: Final = (
    "village",
    "place",
    "nature",
    "category",
    "service_category",
    "state",
    "urgency",
    "level",
    "source",
    "leader",
    "unit",
)
_EITHER: Final = {
    "open": {True: "l.closed_ms IS NULL", False: "l.closed_ms IS NOT NULL"},
    "placed": {True: "l.village IS NOT NULL", False: "l.village IS NULL"},
}
_BOUNDS: Final = {
    "due_from_ms": "due_ms >=",
    "due_before_ms": "due_ms <",
    "reported_from_ms": "reported_ms >=",
    "reported_before_ms": "reported_ms <",
}
_SORTED: Final[dict[Sort, tuple[str, str, str]]] = {
    "newest": ("reported_ms", "DESC", "<"),
    "oldest": ("reported_ms", "ASC", ">"),
    "due": ("due_ms", "ASC", ">"),
    "number": ("number", "ASC", ">"),
}
_COLUMNS: Final = ", ".join(
    f"CAST(l.{name} AS text) AS {name}" if name in {"record_id", "leader"} else f"l.{name}" for name in FIELDS
)
_REFERENCES: Final = text(
    "SELECT CAST(record_id AS text) AS id FROM ledger_references WHERE township_id = :t AND number >= :first "
    f"AND number < :past ORDER BY number LIMIT {REFERENCES_MAX}"
)


async def page(
    connection: AsyncConnection,
    township: str,
    wanted: Filter,
    reach: Reach,
    sort: Sort,
    after: After | None,
    most: int,
) -> list[Row]:
    """At most so many rows within a reach, sorted. Sorted by date, only those that have one are listed."""
    column, direction, further = _SORTED[sort]
    conditions, bound = await _conditions(connection, township, wanted, reach)
    if sort == "due":
        conditions.append("l.due_ms IS NOT NULL")
    if after is not None:
        conditions.append(f"(l.{column}, l.record_id) {further} (:after_value, :after_record)")
        bound |= {"after_value": after.value, "after_record": after.record}
    order = f"ORDER BY l.{column} {direction}, l.record_id {direction}"
    found = f"SELECT l.record_id FROM ledger l WHERE {' AND '.join(conditions)} {order} LIMIT :most"
    whole = "JOIN ledger l ON l.township_id = :t AND l.record_id = f.record_id"
    statement = f"SELECT {_COLUMNS} FROM ({found}) f {whole} {order}"
    rows = await connection.execute(text(statement), {**bound, "most": most})
    return [_row(row) for row in rows]


async def count(
    connection: AsyncConnection, township: str, wanted: Filter, reach: Reach, sort: Sort, most: int
) -> int:
    """How many rows a list has within a reach; `most` stands for so many and more."""
    conditions, bound = await _conditions(connection, township, wanted, reach)
    if sort == "due":
        conditions.append("l.due_ms IS NOT NULL")
    # In the order of the page, so that it takes the index of the page, which is the right one.
    column, direction, _ = _SORTED[sort]
    order = f"ORDER BY l.{column} {direction}, l.record_id {direction}"
    found = f"SELECT 1 FROM ledger l WHERE {' AND '.join(conditions)} {order} LIMIT :most"
    counted = await connection.scalar(text(f"SELECT count(*) FROM ({found}) f"), {**bound, "most": most})
    return int(counted or 0)


async def _conditions(
    connection: AsyncConnection, township: str, wanted: Filter, reach: Reach
) -> tuple[list[str], dict[str, Any]]:
    inside, bound = within(reach, "l", village="village")
    conditions, bound = ["l.township_id = :t", inside], {**bound, "t": township}
    for name in _SAME:
        value = getattr(wanted, name)
        if value is not None:
            conditions.append(f"l.{name} = :{name}")
            bound[name] = value
    for name, when in _EITHER.items():
        value = getattr(wanted, name)
        if value is not None:
            conditions.append(when[value])
    for name, compared in _BOUNDS.items():
        value = getattr(wanted, name)
        if value is not None:
            conditions.append(f"l.{compared} :{name}")
            bound[name] = value
    if wanted.number is not None:
        conditions.append(await _numbered(connection, township, wanted.number, bound))
    for at, word in enumerate(wanted.words):
        conditions.append(_holds(connection, f"word{at}"))
        bound[f"word{at}"] = word
    return conditions, bound


async def _numbered(connection: AsyncConnection, township: str, prefix: str, bound: dict[str, Any]) -> str:
    """The condition that a number begins so; numbers are compared by their bytes."""
    limits = {"first": prefix, "past": prefix + _PAST_ASCII}
    rows = await connection.execute(_REFERENCES, {"t": township, **limits})
    known = [row.id for row in rows]
    bound |= limits
    own = "(l.number >= :first AND l.number < :past)"
    if not known:
        return own
    bound["known"] = many(connection, known)
    return f"({own} OR {among(connection, 'l.record_id', 'known', ID)})"


def _holds(connection: AsyncConnection, name: str) -> str:
    return f"instr(l.title, :{name}) > 0" if is_sqlite(connection) else f"strpos(l.title, :{name}) > 0"


def _row(row: Any) -> Row:
    values = {name: getattr(row, name) for name in FIELDS}
    return Row(**{**values, "restricted": bool(values["restricted"])})


async def units(connection: AsyncConnection, township: str, most: int) -> Sequence[str]:
    """Units to which something was ever assigned, in order."""
    statement = "SELECT DISTINCT unit FROM assignments WHERE township_id = :t ORDER BY unit LIMIT :most"
    return [row.unit for row in await connection.execute(text(statement), {"t": township, "most": most})]
