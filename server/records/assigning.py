"""To whom a matter is given: units whose handlers see it, and leaders who have taken it on. No part of the record."""

from collections.abc import Sequence
from functools import partial
from typing import Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.audit.acts import Act, Name
from server.audit.log import append
from server.declined import Declined, invalid
from server.reach import Caller, unit_name
from server.records.reading import find
from server.records.writing import actor_of, record_of
from server.services import Services
from server.storage import assignments, staff, townships
from server.storage.assignments import LEADERS, UNITS, Sort
from server.storage.engine import snapshot
from sync_protocol.ids import is_id

MOST: Final = 20
NAME_CHARS_MAX: Final = 50
_ACTS: Final[dict[str, Name]] = {UNITS.table.name: "units_assigned", LEADERS.table.name: "leaders_assigned"}


class Units(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Units by name, the lead and the co-handling ones alike."""

    units: list[str]


class Leaders(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Leaders by id: who has taken the matter on, and whose opinion is asked for."""

    leaders: list[str]


async def units(services: Services, caller: Caller, record: str) -> Units:
    """To which units a record is assigned."""
    return Units(await _given(services, caller, record, UNITS))


async def leaders(services: Services, caller: Caller, record: str) -> Leaders:
    """Which leaders have taken a record on."""
    return Leaders(await _given(services, caller, record, LEADERS))


async def assign(services: Services, caller: Caller, record: str, given: Units) -> Units:
    """Assigns a record to these units and to no others."""
    names = list(dict.fromkeys(unit_name(unit) for unit in given.units))
    if len(names) > MOST or not all(0 < len(name) <= NAME_CHARS_MAX for name in names):
        raise invalid("units", f"at most {MOST} units, each with a name of 1 to {NAME_CHARS_MAX} characters")
    return Units(await _give(services, caller, record, UNITS, names))


async def take_on(services: Services, caller: Caller, record: str, given: Leaders) -> Leaders:
    """Gives a record to these leaders and to no others."""
    ids = list(dict.fromkeys(given.leaders))
    if len(ids) > MOST or not all(is_id(one) for one in ids):
        raise invalid("leaders", f"at most {MOST} leaders, each by id")
    return Leaders(await _give(services, caller, record, LEADERS, ids))


async def _given(services: Services, caller: Caller, record: str, sort: Sort) -> list[str]:
    township, _ = await find(services, caller, record)
    work = partial(assignments.given_to, sort=sort, township=township, record=record)
    return await snapshot(services.engine, work)


async def _give(
    services: Services, caller: Caller, record: str, sort: Sort, whom: Sequence[str]
) -> list[str]:
    township, _ = await find(services, caller, record)
    now_ms = services.clock()

    async def work(connection: AsyncConnection) -> list[str]:
        await townships.lock(connection, township)
        if (await record_of(connection, township, record, caller.reach)).erased:
            raise Declined("erased")
        if sort is LEADERS:
            await _check_leaders(connection, township, whom)
        before = await assignments.give(connection, sort, township, record, whom, now_ms)
        now = sorted(whom)
        if now != before:
            told = {"record": record, "to": now, "before": before}
            act = Act(township, _ACTS[sort.table.name], actor_of(caller), now_ms, told)
            await append(connection, act)
        return now

    return await services.write(township, work)


async def _check_leaders(connection: AsyncConnection, township: str, whom: Sequence[str]) -> None:
    """Declines whoever is no leader at work in the township; what is elsewhere is answered like what is nowhere."""
    rows = await staff.listed(connection, township)
    fit = {row.staff_id for row in rows if row.role == "leader" and row.disabled_ms is None}
    if not set(whom) <= fit:
        raise invalid("leaders", "people of the township with the role leader, by id")
