"""The words for what rows of the ledger hold as codes and ids."""

from collections.abc import Iterable
from typing import Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.services import Services
from server.storage import directory, office_authors
from server.storage.engine import snapshot
from server.storage.ledger import Row
from sync_protocol.kinds import Kind, Title

_GRID_DIGITS: Final = 15


class Names(msgspec.Struct, frozen=True):
    """Names by code or id; what nobody knows any more is not there."""

    places: dict[str, str] = {}
    people: dict[str, str] = {}


async def names_of(services: Services, rows: Iterable[tuple[str, Row]]) -> Names:
    """The names that rows need, each given with its township."""
    by_township: dict[str, list[Row]] = {}
    for township, row in rows:
        by_township.setdefault(township, []).append(row)
    found = Names()
    for township, mine in by_township.items():

        async def read(
            connection: AsyncConnection, township: str = township, mine: list[Row] = mine
        ) -> Names:
            return await _names(connection, township, mine)

        more = await snapshot(services.engine, read)
        found = Names(found.places | more.places, found.people | more.people)
    return found


async def _names(connection: AsyncConnection, township: str, rows: list[Row]) -> Names:
    villages = {row.village for row in rows if row.village is not None}
    grids = {row.place for row in rows if len(row.place) == _GRID_DIGITS}
    places = await directory.place_names(connection, township, villages | grids | {township})
    leaders = sorted({row.leader for row in rows if row.leader is not None})
    return Names(places, await office_authors.names(connection, township, leaders))


def code_title(kind: Kind, field: str, code: str | None) -> Title | None:
    """The words of a code; the code itself where the kind does not declare it any more."""
    if code is None:
        return None
    declared = kind.field(field)
    for choice in declared.choices if declared is not None else ():
        if choice.code == code:
            return Title(choice.zh, choice.en)
    return Title(code, code)


def state_title(kind: Kind, name: str) -> Title:
    """The words of a state."""
    state = kind.workflow.state(name) if kind.workflow is not None else None
    return state.title if state is not None else Title(name, name)
