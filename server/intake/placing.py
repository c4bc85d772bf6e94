"""Gives a place to matters that came without one."""

from collections.abc import Sequence
from typing import Final

from server.declined import invalid
from server.reach import Caller
from server.records import service
from server.records.editing import Edit
from server.records.writing import Target
from server.services import Services
from sync_protocol.ids import place_level

AT_ONCE: Final = 100
_LEVELS: Final = frozenset({"village", "grid"})


async def place_all(services: Services, caller: Caller, records: Sequence[str], place: str) -> None:
    """Puts each of these into a village or a grid, by an ordinary edit; one that lies there already stays as it is.

    Declines a place that is none, and stops at the first matter that is not within reach.
    """
    if place_level(place) not in _LEVELS:
        raise invalid("place", "a village or a grid")
    if not 0 < len(records) <= AT_ONCE:
        raise invalid("record", f"1 to {AT_ONCE} matters")
    for record in records:
        await service.update(services, caller, Target(record), Edit(place=place))
