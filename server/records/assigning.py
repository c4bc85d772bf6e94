"""Which units a matter is assigned to: their handlers see it, and no others. Not part of the record itself."""

from typing import Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.declined import Declined, invalid
from server.reach import Caller, unit_name
from server.records.reading import find
from server.records.writing import record_of
from server.services import Services
from server.storage import assignments, townships
from server.storage.engine import snapshot

UNITS_MAX: Final = 20
NAME_CHARS_MAX: Final = 50


class Units(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Units by name, the lead and the co-handling ones alike."""

    units: list[str]


async def units(services: Services, caller: Caller, record: str) -> Units:
    """To which units a record is assigned."""
    township, _ = await find(services, caller, record)
    return Units(await snapshot(services.engine, lambda c: assignments.units_of(c, township, record)))


async def assign(services: Services, caller: Caller, record: str, given: Units) -> Units:
    """Assigns a record to these units and to no others."""
    names = list(dict.fromkeys(unit_name(unit) for unit in given.units))
    if len(names) > UNITS_MAX or not all(0 < len(name) <= NAME_CHARS_MAX for name in names):
        raise invalid(
            "units", f"at most {UNITS_MAX} units, each with a name of 1 to {NAME_CHARS_MAX} characters"
        )
    township, _ = await find(services, caller, record)

    async def work(connection: AsyncConnection) -> Units:
        await townships.lock(connection, township)
        if (await record_of(connection, township, record, caller.reach)).erased:
            raise Declined("erased")
        await assignments.put(connection, township, record, names, services.clock())
        return Units(sorted(names))

    return await services.write(township, work)
