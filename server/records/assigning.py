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
    return Units(await _give(services, caller, record, UNITS, checked_units(given.units)))


async def take_on(services: Services, caller: Caller, record: str, given: Leaders) -> Leaders:
    """Gives a record to these leaders and to no others."""
    return Leaders(await _give(services, caller, record, LEADERS, checked_leaders(given.leaders)))


def checked_units(units: Sequence[str]) -> list[str]:
    """Units by the names that they are kept under; declines what is none, and too many."""
    names = list(dict.fromkeys(unit_name(unit) for unit in units))
    if len(names) > MOST or not all(0 < len(name) <= NAME_CHARS_MAX for name in names):
        raise invalid(
            "units",
            f"at most {MOST} units, each with a name of 1 to {NAME_CHARS_MAX} characters",
            detail_zh=f"最多 {MOST} 个单位，每个名称 1 至 {NAME_CHARS_MAX} 字",
        )
    return names


def checked_leaders(leaders: Sequence[str]) -> list[str]:
    """Leaders by id; declines what is no id, and too many. Whether they are leaders, `give` looks up."""
    ids = list(dict.fromkeys(leaders))
    if len(ids) > MOST or not all(is_id(one) for one in ids):
        raise invalid("leaders", f"at most {MOST} leaders, each by id")
    return ids


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
        return await give(connection, caller, Given(township, record, sort, whom), now_ms)

    return await services.write(township, work)


class Given(msgspec.Struct, frozen=True):
    """A record that is given to some, in one of the two ways."""

    township: str
    record: str
    sort: Sort
    whom: Sequence[str]


async def give(connection: AsyncConnection, caller: Caller, given: Given, now_ms: int) -> list[str]:
    """Gives a record in a transaction that holds its township's lock; to whom it is given now, in order."""
    if given.sort is LEADERS:
        await _check_leaders(connection, given.township, given.whom)
    before = await assignments.give(connection, given.sort, given.township, given.record, given.whom, now_ms)
    now = sorted(given.whom)
    if now != before:
        told = {"record": given.record, "to": now, "before": before}
        name = _ACTS[given.sort.table.name]
        await append(connection, Act(given.township, name, actor_of(caller), now_ms, told))
    return now


async def _check_leaders(connection: AsyncConnection, township: str, whom: Sequence[str]) -> None:
    """Declines whoever is no leader at work in the township; what is elsewhere is answered like what is nowhere."""
    rows = await staff.listed(connection, township)
    fit = {row.staff_id for row in rows if row.role == "leader" and row.disabled_ms is None}
    if not set(whom) <= fit:
        raise invalid("leaders", "people of the township with the role leader, by id")
