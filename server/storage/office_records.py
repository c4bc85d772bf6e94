"""Records as an office lists them: filtered, in the order of their ids, which never change.

So a list that is read page by page names every record once that was there all the time, however much is
written meanwhile; a list in the order of versions would not.
"""

from typing import Any, Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.reach import Reach
from server.storage import records
from server.storage.within import within
from sync_protocol.state import RecordState

_VILLAGE_DIGITS: Final = 12
_GRID_DIGITS: Final = 15


class Filter(msgspec.Struct, frozen=True):
    """Which records; what is None (or empty) does not matter."""

    kind: str | None = None
    place: str | None = None
    """A grid, or a village with its grids, or the township."""
    state: str | None = None
    number: str | None = None
    above: int = 0
    """Only records with a version above it."""
    closed: bool | None = None
    deleted: bool = False
    """Whether tombstones are listed too."""
    aliases: bool = False
    """Whether the number of a joined record finds the one that it was joined into, too."""


async def listed(
    connection: AsyncConnection, township: str, wanted: Filter, after: str, most: int, reach: Reach
) -> list[RecordState]:
    """At most `most` records within a reach with ids above `after` ("" for the first), in the order of their ids."""
    conditions, parameters = _conditions(wanted)
    inside, reaching = within(reach)
    conditions.append(inside)
    parameters |= reaching
    if after:
        conditions.append("record_id > :after")
        parameters["after"] = after
    rest = f"WHERE {' AND '.join(['township_id = :t', *conditions])} ORDER BY record_id LIMIT :most"
    return await records.selected(connection, rest, {**parameters, "t": township, "most": most})


def _conditions(wanted: Filter) -> tuple[list[str], dict[str, Any]]:
    conditions: list[str] = []
    parameters: dict[str, Any] = {}
    if wanted.number is not None:
        joined = "SELECT a.joined_into FROM records a WHERE a.township_id = :t AND a.number = :number"
        conditions.append(
            f"(number = :number OR record_id IN ({joined}))" if wanted.aliases else "number = :number"
        )
        parameters["number"] = wanted.number
    for name in ("kind", "state", "closed"):
        value = getattr(wanted, name)
        if value is not None:
            conditions.append(f"{name} = :{name}")
            parameters[name] = value
    if wanted.place is not None and len(wanted.place) in {_VILLAGE_DIGITS, _GRID_DIGITS}:
        whole = len(wanted.place) == _GRID_DIGITS
        conditions.append("place = :place" if whole else f"substr(place, 1, {_VILLAGE_DIGITS}) = :place")
        parameters["place"] = wanted.place
    if wanted.above:
        conditions.append("version > :above")
        parameters["above"] = wanted.above
    if not wanted.deleted:
        conditions.append("NOT deleted")
    return conditions, parameters
