"""Adds, lists, disables people. A person is named by a name that is unique in the township, or by an id."""

import unicodedata
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from server.audit.acts import OPERATOR, Act, Actor, Name, Value
from server.audit.log import append
from server.directory.counties import open_county
from server.directory.working import locked
from server.offices import COUNTY_ROLES, is_county
from server.reach import unit_name
from server.refused import RefusedError
from server.sessions import noted
from server.staff.roles import TITLES, role_of
from server.storage import directory, sign_in, staff
from server.storage.engine import snapshot, transact
from server.storage.staff import StaffRow
from sync_protocol.ids import RANDOM_BYTES, is_id, place_level, uuid7

Random = Callable[[int], bytes]
NAME_CHARS_MAX: Final = 50


class Candidate(msgspec.Struct, frozen=True):
    """A person to be added, and the line of the file where they stand (0: no file)."""

    name: str
    role: str
    township: str
    """Of people of a county its code, of 6 digits."""
    line: int = 0


class Refused(msgspec.Struct, frozen=True):
    """A line of a file that was left out, and why."""

    line: int
    reason: str


async def add(
    engine: AsyncEngine, candidate: Candidate, *, now_ms: int, random: Random, by: Actor = OPERATOR
) -> StaffRow:
    """Adds one person; raises RefusedError for a name that is taken, an unknown role or township."""
    staff_id = uuid7(now_ms, random(RANDOM_BYTES))

    async def work(connection: AsyncConnection) -> StaffRow:
        if is_county(candidate.township):
            await open_county(connection, candidate.township, now_ms, random, by)
        row = await _add(connection, candidate, staff_id, now_ms)
        await _note(connection, row, "staff_added", by, now_ms)
        return row

    return await transact(engine, work)


async def add_all(
    engine: AsyncEngine,
    candidates: Sequence[Candidate],
    *,
    now_ms: int,
    random: Random,
    by: Actor = OPERATOR,
    progress: Callable[[int], None] = lambda _: None,
) -> tuple[list[StaffRow], list[Refused]]:
    """Adds many, each by itself: whom it added, and which were refused. `progress` hears how many are done."""
    added: list[StaffRow] = []
    refused: list[Refused] = []
    for done, candidate in enumerate(candidates, 1):
        try:
            added.append(await add(engine, candidate, now_ms=now_ms, random=random, by=by))
        except RefusedError as error:
            refused.append(Refused(candidate.line, str(error)))
        progress(done)
    return added, refused


async def listed(engine: AsyncEngine, township: str | None = None) -> list[StaffRow]:
    """The people of one township, or of all."""

    async def work(connection: AsyncConnection) -> list[StaffRow]:
        return await staff.listed(connection, township)

    return await snapshot(engine, work)


async def set_enabled(
    engine: AsyncEngine,
    who: str,
    township: str | None,
    *,
    enabled: bool,
    now_ms: int,
    by: Actor = OPERATOR,
) -> StaffRow:
    """Lets a person work, or not any more: then their devices hand in what they hold, and read nothing.

    Raises RefusedError when nobody has this name or id, or several people have.
    """
    found = await snapshot(engine, lambda c: _find(c, who, township))

    async def work(connection: AsyncConnection) -> StaffRow:
        await locked(connection, found.township)
        # Read again under the lock: who was disabled meanwhile keeps the time of the first time.
        (there,) = await staff.find(connection, found.staff_id, found.township)
        if (there.disabled_ms is None) == enabled:
            return there
        if not enabled:
            await sign_in.end_sessions_of(connection, found.township, found.staff_id)
        changed = msgspec.structs.replace(there, disabled_ms=None if enabled else now_ms)
        await staff.set_disabled(connection, there, changed.disabled_ms)
        await _note(connection, changed, "staff_enabled" if enabled else "staff_disabled", by, now_ms)
        return changed

    return await transact(engine, work)


async def set_scope(
    engine: AsyncEngine,
    who: str,
    township: str | None,
    *,
    village: str | None = None,
    unit: str | None = None,
    sees_restricted: bool | None = None,
    now_ms: int,
    by: Actor = OPERATOR,
) -> StaffRow:
    """Gives a person a village or a unit, or names them for restricted matters; None leaves it as it is.

    Raises RefusedError for a village of elsewhere, and where the role has no use for it.
    """
    found = await snapshot(engine, lambda c: _find(c, who, township))
    _check_scope(found, village, unit)
    given = {"village": village, "unit": unit and unit_name(unit), "sees_restricted": sees_restricted}

    async def work(connection: AsyncConnection) -> StaffRow:
        await locked(connection, found.township)
        (there,) = await staff.find(connection, found.staff_id, found.township)
        changed = msgspec.structs.replace(there, **{k: v for k, v in given.items() if v is not None})
        if village is not None and not await directory.place_exists(connection, found.township, village):
            message = f"Township {found.township} has no village {village[:20]!r}."
            raise RefusedError(message)
        if changed != there:
            await staff.put_scope(connection, changed)
            told = _scope_told(there, changed)
            await append(connection, Act(found.township, "staff_scope_changed", by, now_ms, told))
        return changed

    return await transact(engine, work)


def _scope_told(before: StaffRow, after: StaffRow) -> dict[str, Value]:
    """What of somebody's scope is another than before, and what it was."""
    told: dict[str, Value] = {"staff": after.staff_id}
    for name in ("village", "unit", "sees_restricted"):
        was, now = getattr(before, name), getattr(after, name)
        if was != now:
            told |= {name: now, f"{name}_before": was}
    return told


async def _find(connection: AsyncConnection, who: str, township: str | None) -> StaffRow:
    return one(await staff.find(connection, who, township), who)


async def end_sessions(
    engine: AsyncEngine, who: str, township: str | None, *, now_ms: int, by: Actor = OPERATOR
) -> StaffRow:
    """Signs a person out everywhere; raises RefusedError when nobody has this name or id, or several have."""

    async def work(connection: AsyncConnection) -> StaffRow:
        found = await _find(connection, who, township)
        await noted.end_sessions(connection, found.township, found.staff_id, by, now_ms)
        return found

    return await transact(engine, work)


def _check_scope(person: StaffRow, village: str | None, unit: str | None) -> None:
    wrong = (
        "a village"
        if village is not None and person.role != "village_officer"
        else "a unit"
        if unit is not None and person.role != "unit_handler"
        else None
    )
    if wrong is not None:
        has = "village officers have a village, unit handlers a unit"
        message = f"{person.name} is {person.role} and has not {wrong}: {has}."
        raise RefusedError(message)
    if village is not None and place_level(village) != "village":
        message = f"A village is named by 12 digits, such as 321283104203, not by {village[:20]!r}."
        raise RefusedError(message)
    if unit is not None and not 0 < len(unit_name(unit)) <= NAME_CHARS_MAX:
        message = f"A unit has a name of 1 to {NAME_CHARS_MAX} characters."
        raise RefusedError(message)


def one(found: Sequence[StaffRow], who: str) -> StaffRow:
    """The one person of a name or id; raises RefusedError for none and for several."""
    shown = who[:NAME_CHARS_MAX]
    if not found:
        message = f"Nobody is called {shown!r}: see `roundbook staff list`."
        raise RefusedError(message)
    if len(found) > 1:
        where = ", ".join(row.township for row in found)
        message = f"{shown!r} is the name of {len(found)} people, in {where}: add --township, or name the id."
        raise RefusedError(message)
    return found[0]


async def _add(connection: AsyncConnection, candidate: Candidate, staff_id: str, now_ms: int) -> StaffRow:
    name, role = _name(candidate.name), role_of(candidate.role.strip())
    if role is None:
        message = f"There is no role {candidate.role[:NAME_CHARS_MAX]!r}: write one of {', '.join(TITLES)}."
        raise RefusedError(message)
    if (role in COUNTY_ROLES) != is_county(candidate.township):
        message = (
            f"{role} belongs to a county, such as 321283, and every other role to a township, such as 321283104; "
            f"got {candidate.township[:20]!r}."
        )
        raise RefusedError(message)
    await locked(connection, candidate.township)
    there = await staff.find(connection, name, candidate.township)
    if there:
        state = "" if there[0].disabled_ms is None else " (disabled; `roundbook staff enable` undoes that)"
        message = (
            f"{name} is the name of somebody in {candidate.township} already{state}: "
            "tell them apart, such as 王芳（潘元）."
        )
        raise RefusedError(message)
    row = StaffRow(candidate.township, staff_id, name, role, now_ms, None)
    await staff.add(connection, row)
    return row


async def _note(connection: AsyncConnection, row: StaffRow, act: Name, by: Actor, now_ms: int) -> None:
    told = {"staff": row.staff_id, "role": row.role}
    await append(connection, Act(row.township, act, by, now_ms, told))


def _name(given: str) -> str:
    """A name as it is kept; raises RefusedError for what is none."""
    name = unicodedata.normalize("NFC", " ".join(given.split()))
    if not name:
        message = "The name is empty: write the person's name."
        raise RefusedError(message)
    if len(name) > NAME_CHARS_MAX:
        message = f"A name takes {NAME_CHARS_MAX} characters, got {len(name)}."
        raise RefusedError(message)
    if is_id(name) or any(unicodedata.category(c) in {"Cc", "Cs", "Cn", "Co"} for c in name):
        message = "A name is not an id, and holds no control characters."
        raise RefusedError(message)
    return name
