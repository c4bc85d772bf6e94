"""Who handles a matter and how: leaders, team, lead and co-handling units, plan; and what a village starts with.

A step that assigns writes all of it in its own transaction, so a matter is never assigned to nobody.
"""

from typing import Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.audit.acts import Act, Value
from server.audit.log import append
from server.declined import Declined, invalid, not_found
from server.reach import Caller
from server.records import service as records
from server.records.assigning import Given, checked_leaders, checked_units, give
from server.records.reading import find
from server.records.service import Step
from server.records.views import RecordView
from server.records.writing import Target, Writing, actor_of, record_of
from server.services import Services
from server.storage import assignments, casework, directory, staff, townships
from server.storage.assignments import LEADERS, UNITS
from server.storage.casework import CasePlan
from server.storage.engine import snapshot

TEAM_CHARS_MAX: Final = 500
PLAN_CHARS_MAX: Final = 2_000
_VILLAGE_DIGITS: Final = 12


class Handling(msgspec.Struct, frozen=True):
    """Who handles a matter, and how."""

    leaders: list[str] = []
    """By id."""
    lead: str = ""
    """The unit that leads (主办)."""
    with_units: list[str] = []
    """Those that help (协办)."""
    team: str = ""
    plan: str = ""

    @property
    def units(self) -> list[str]:
        """All units, the lead one first."""
        return [unit for unit in (self.lead, *self.with_units) if unit]


class Person(msgspec.Struct, frozen=True):
    """Somebody of the office, for a choice."""

    id: str
    name: str


class Village(msgspec.Struct, frozen=True):
    """A village, and what its matters start with."""

    code: str
    name: str
    handling: Handling


async def handling(services: Services, caller: Caller, record: str) -> Handling:
    """Who handles a matter now."""
    township, _ = await find(services, caller, record)

    async def read(connection: AsyncConnection) -> Handling:
        units = await assignments.given_to(connection, UNITS, township, record)
        leaders = await assignments.given_to(connection, LEADERS, township, record)
        plan = await casework.plan_of(connection, township, record)
        alone = units[0] if len(units) == 1 else ""  # whoever has it alone leads, whoever gave it to them
        lead = plan.lead if plan.lead in units else alone
        return Handling(leaders, lead, [one for one in units if one != lead], plan.team, plan.plan)

    return await snapshot(services.engine, read)


async def proposed(services: Services, caller: Caller, record: str) -> Handling:
    """What a form of assigning begins with: who handles it now, or else what its village starts with."""
    now = await handling(services, caller, record)
    if now != Handling():
        return now
    township, state = await find(services, caller, record)
    village = state.place[:_VILLAGE_DIGITS]

    async def read(connection: AsyncConnection) -> Handling:
        found = await casework.defaults(connection, township)
        return _decoded(found.get(village))

    return await snapshot(services.engine, read)


async def assign(
    services: Services, caller: Caller, target: Target, step: Step, given: Handling
) -> RecordView:
    """Takes the step and gives the matter to these; declines when it would be given to nobody."""
    checked = _checked(given)
    if not (checked.units or checked.leaders):
        raise invalid("lead", "a lead unit, or a leader, is needed: a matter is never assigned to nobody")

    async def also(writing: Writing) -> None:
        await _put(writing.connection, caller, (writing.township.id, target.thing), checked, writing.now_ms)

    return await records.act(services, caller, target, step, also)


async def put(services: Services, caller: Caller, record: str, given: Handling) -> Handling:
    """Changes who handles a matter, without a step."""
    checked = _checked(given)
    township, _ = await find(services, caller, record)
    now_ms = services.clock()

    async def work(connection: AsyncConnection) -> None:
        await townships.lock(connection, township)
        if (await record_of(connection, township, record, caller.reach)).erased:
            raise Declined("erased")
        await _put(connection, caller, (township, record), checked, now_ms)

    await services.write(township, work)
    return checked


async def leaders(services: Services, caller: Caller) -> list[Person]:
    """The leaders at work in the caller's townships, by name."""

    async def read(connection: AsyncConnection) -> list[Person]:
        rows = await staff.listed(connection, caller.townships[0])
        return [
            Person(row.staff_id, row.name) for row in rows if row.role == "leader" and not row.disabled_ms
        ]

    return await snapshot(services.engine, read) if len(caller.townships) == 1 else []


async def units(services: Services, caller: Caller) -> list[str]:
    """The units that have handlers in the caller's township, for a choice; others may be typed."""

    async def read(connection: AsyncConnection) -> list[str]:
        rows = await staff.listed(connection, caller.townships[0])
        return sorted({row.unit for row in rows if row.unit and not row.disabled_ms})

    return await snapshot(services.engine, read) if len(caller.townships) == 1 else []


async def villages(services: Services, caller: Caller) -> list[Village]:
    """The villages of the caller's township, each with what its matters start with."""
    township = caller.townships[0]

    async def read(connection: AsyncConnection) -> list[Village]:
        found = await casework.defaults(connection, township)
        places = await directory.villages_of(connection, township)
        return [Village(one.code, one.name, _decoded(found.get(one.code))) for one in places]

    return await snapshot(services.engine, read)


async def put_defaults(services: Services, caller: Caller, village: str, given: Handling) -> None:
    """Says what the matters of a village start with."""
    checked, township, now_ms = _checked(given), caller.townships[0], services.clock()

    async def work(connection: AsyncConnection) -> None:
        await townships.lock(connection, township)
        if village not in {one.code for one in await directory.villages_of(connection, township)}:
            raise not_found()
        body = msgspec.json.encode(checked)
        await casework.put_defaults(connection, township, village, body, caller.id, now_ms)
        told: dict[str, Value] = {"village": village, "leaders": checked.leaders, "units": checked.units}
        await append(connection, Act(township, "village_defaults_set", actor_of(caller), now_ms, told))

    await services.write(township, work)


async def _put(
    connection: AsyncConnection, caller: Caller, which: tuple[str, str], given: Handling, now_ms: int
) -> None:
    township, record = which
    for sort, whom in ((UNITS, given.units), (LEADERS, given.leaders)):
        await give(connection, caller, Given(township, record, sort, whom), now_ms)
    plan = CasePlan(given.lead, given.team, given.plan)
    await casework.put_plan(connection, township, record, plan, caller.id, now_ms)


def _checked(given: Handling) -> Handling:
    lead = _one(given.lead)
    others = [one for one in checked_units([u for u in given.with_units if u.strip()]) if one != lead]
    checked_units([lead, *others] if lead else others)
    for name, text, most in (("team", given.team, TEAM_CHARS_MAX), ("plan", given.plan, PLAN_CHARS_MAX)):
        if len(text) > most or "\0" in text:
            raise invalid(name, f"a text of at most {most} characters", detail_zh=f"最多 {most} 字")
    return Handling(checked_leaders(given.leaders), lead, others, given.team.strip(), given.plan.strip())


def _one(unit: str) -> str:
    return checked_units([unit])[0] if unit.strip() else ""


def _decoded(body: bytes | None) -> Handling:
    return msgspec.json.decode(body, type=Handling) if body is not None else Handling()
