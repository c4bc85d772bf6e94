"""Reading the ledger: a page, how many there are, and what can be chosen in its filters."""

import heapq
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.declined import Declined
from server.following import CATCH_UP, follow
from server.ledger.asking import Question, filter_of, sort_of
from server.ledger.making import KIND, LEDGER
from server.ledger.naming import Names, names_of
from server.ledger.positions import after_of, token, value_of
from server.reach import Caller
from server.records import paging
from server.services import Services
from server.storage import directory, ledger_lists, staff
from server.storage.directory import GridRow
from server.storage.engine import snapshot
from server.storage.ledger import Row
from server.storage.ledger_lists import After, Filter, Sort
from server.storage.townships import codes
from sync_protocol.kinds import Kind

COUNT_MAX: Final = 10_000
UNITS_MAX: Final = 200


class Line(msgspec.Struct, frozen=True):
    """A row of the ledger, with the township in which it lies."""

    township: str
    row: Row


class Listed(msgspec.Struct, frozen=True):
    """A page of the ledger, in the order that was asked for."""

    lines: list[Line]
    next: str | None
    """Where the list goes on; None at its end."""
    count: int | None
    """How many there are in all, COUNT_MAX + 1 for more; only the first page says it."""
    kind: Kind
    """Which has the words of the codes in these lines."""
    names: Names
    """Of the places and people in them."""
    now_ms: int
    """By which something is overdue or not."""


class Choices(msgspec.Struct, frozen=True):
    """What can be chosen in filters besides the codes of the kind."""

    villages: list[tuple[str, str]]
    grids: list[tuple[str, str]]
    leaders: list[tuple[str, str]]
    units: list[str]


async def kind_of(services: Services) -> Kind:
    """The newest declaration of matters."""
    await services.registry.ensure()
    kind = services.registry.latest(KIND)
    if kind is None:
        raise Declined("unavailable", f"the kind {KIND} is not installed here")
    return kind


async def listed(
    services: Services, caller: Caller, question: Question, after: str | None, limit: int | None
) -> Listed:
    """A page of what a question finds within the caller's reach, what was just saved included."""
    kind, now_ms = await kind_of(services), services.clock()
    wanted, sort, most = filter_of(question, kind, now_ms), sort_of(question), paging.bounded(limit)
    start = after_of(after, sort)
    await catch_up(services, caller)
    lines = await lines_of(services, caller, wanted, sort, start, most + 1)
    shown = lines[:most]
    names = await names_of(services, ((line.township, line.row) for line in shown))
    onward = token(shown[-1].row, sort) if len(lines) > most else None
    counted = None
    if start is None:
        counted = await count(services, caller, wanted, sort, COUNT_MAX) if onward else len(lines)
    return Listed(shown, onward, counted, kind, names, now_ms)


async def count(services: Services, caller: Caller, wanted: Filter, sort: Sort, most: int) -> int:
    """How many matters a filter finds within the caller's reach; `most` + 1 for more than `most`."""
    counted = 0
    for township in await _townships(services, caller):
        left = most + 1 - counted
        work = partial(
            ledger_lists.count, township=township, wanted=wanted, reach=caller.reach, sort=sort, most=left
        )
        counted += await snapshot(services.engine, work) if left else 0
    return counted


async def catch_up(services: Services, caller: Caller) -> None:
    """Brings the ledger up to date, within a bound."""
    for township in await _townships(services, caller):
        await follow(services, township, LEDGER, CATCH_UP)


async def lines_of(
    services: Services, caller: Caller, wanted: Filter, sort: Sort, after: After | None, most: int
) -> list[Line]:
    """At most so many lines, sorted: of each township its first ones, merged."""
    pages: list[list[Line]] = []
    for township in await _townships(services, caller):
        work = partial(
            ledger_lists.page,
            township=township,
            wanted=wanted,
            reach=caller.reach,
            sort=sort,
            after=after,
            most=most,
        )
        pages.append([Line(township, row) for row in await snapshot(services.engine, work)])
    merged: Iterable[Line] = heapq.merge(*pages, key=_key(sort), reverse=sort == "newest")
    return [line for line, _ in zip(merged, range(most), strict=False)]


async def choices(services: Services, caller: Caller) -> Choices:
    """What the filters of the caller's townships offer; a village officer chooses among the own grids."""
    villages: dict[str, str] = {}
    grids: list[tuple[str, str]] = []
    leaders: list[tuple[str, str]] = []
    units: set[str] = set()
    for township in await _townships(services, caller):

        async def read(connection: AsyncConnection, township: str = township) -> tuple[Any, Any, Any]:
            return (
                await directory.grids_of(connection, township),
                await staff.listed(connection, township),
                await ledger_lists.units(connection, township, UNITS_MAX),
            )

        rows, people, known = await snapshot(services.engine, read)
        here = [row for row in rows if caller.reach.covers(row.grid)]
        villages |= {row.village: row.village_name for row in here}
        grids += [(row.grid, _grid_name(row)) for row in here]
        leaders += [(one.staff_id, one.name) for one in people if one.role == "leader"]
        units.update(known)
    return Choices(sorted(villages.items()), grids, leaders, sorted(units))


def _grid_name(row: GridRow) -> str:
    """A grid as people call it; most names begin with the village anyway."""
    return row.name if row.name.startswith(row.village_name) else f"{row.village_name} {row.name}"


async def _townships(services: Services, caller: Caller) -> Sequence[str]:
    """The caller's townships where work is open."""
    if len(caller.townships) == 1:
        return caller.townships
    there = set(await snapshot(services.engine, codes))
    return [one for one in sorted(caller.townships) if one in there]


def _key(sort: Sort) -> Callable[[Line], tuple[Any, str]]:
    return lambda line: (value_of(line.row, sort), line.row.record_id)
