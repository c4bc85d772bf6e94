"""People as the office manages them: within its own township, in the name of whoever does it."""

from collections.abc import Sequence
from typing import IO, Final

import msgspec
from anyio.to_thread import run_sync

from server.declined import not_found
from server.intake.importing import villages_by_name
from server.offices import COUNTY_ROLES
from server.reach import Caller
from server.records.writing import actor_of
from server.refused import RefusedError
from server.services import Services
from server.sessions import links
from server.staff import service, sheet
from server.staff.roles import TITLES
from server.staff.service import Candidate
from server.staff.sheet import LineRefused, Wanted
from server.storage.staff import StaffRow
from sync_protocol.kinds import Title

ROLES: Final = tuple(role for role in TITLES if role not in COUNTY_ROLES)
"""Those that a township's people have."""


class Scope(msgspec.Struct, frozen=True):
    """How far somebody's work reaches; what is None stays as it is."""

    village: str | None = None
    unit: str | None = None
    sees_restricted: bool | None = None


class Imported(msgspec.Struct, frozen=True):
    """What an import would do, or has done."""

    added: list[Wanted]
    refused: list[LineRefused]
    dry_run: bool


async def listed(services: Services, caller: Caller) -> list[StaffRow]:
    """The people of the caller's townships: those who work first, by role and name."""
    order = list(TITLES)
    rows = [row for one in caller.townships for row in await service.listed(services.engine, one)]
    return sorted(rows, key=lambda row: (row.disabled_ms is not None, order.index(row.role), row.name))


async def one(services: Services, caller: Caller, who: str) -> StaffRow:
    """Somebody of the caller's townships by id; declines anybody else."""
    for row in await listed(services, caller):
        if row.staff_id == who:
            return row
    raise not_found()


async def add(services: Services, caller: Caller, name: str, role: str, scope: Scope) -> StaffRow:
    """Adds somebody, with how far their work reaches. Raises RefusedError as the service does."""
    return await _add(
        services, caller, Wanted(Candidate(name, role, _own(caller)), scope.village, scope.unit)
    )


async def _add(services: Services, caller: Caller, wanted: Wanted) -> StaffRow:
    engine, now_ms, by = services.engine, services.clock(), actor_of(caller)
    row = await service.add(engine, wanted.candidate, now_ms=now_ms, random=services.random, by=by)
    if wanted.village is None and wanted.unit is None:
        return row
    return await service.set_scope(
        engine, row.staff_id, row.township, village=wanted.village, unit=wanted.unit, now_ms=now_ms, by=by
    )


async def set_enabled(services: Services, caller: Caller, who: str, *, enabled: bool) -> StaffRow:
    """Lets somebody work, or not any more."""
    row = await one(services, caller, who)
    return await service.set_enabled(
        services.engine,
        row.staff_id,
        row.township,
        enabled=enabled,
        now_ms=services.clock(),
        by=actor_of(caller),
    )


async def set_scope(services: Services, caller: Caller, who: str, scope: Scope) -> StaffRow:
    """Says how far somebody's work reaches; raises RefusedError as the service does."""
    row = await one(services, caller, who)
    return await service.set_scope(
        services.engine,
        row.staff_id,
        row.township,
        village=scope.village,
        unit=scope.unit,
        sees_restricted=scope.sees_restricted,
        now_ms=services.clock(),
        by=actor_of(caller),
    )


async def link(services: Services, caller: Caller, who: str) -> str:
    """The path of a one-time link for a password, to be shown once. Earlier ones are void."""
    row = await one(services, caller, who)
    if row.disabled_ms is not None or row.role == "grid_worker":
        message = "A link is for somebody who works in the console and is not disabled."
        raise RefusedError(message)
    return f"{links.PATH}{await links.make(services, row, actor_of(caller))}"


async def import_people(services: Services, caller: Caller, file: IO[bytes], *, dry_run: bool) -> Imported:
    """Adds the people of a workbook, or says what that would do; each line stands for itself."""
    township = _own(caller)
    villages = await villages_by_name(services, caller, township)
    taken = frozenset(row.name for row in await service.listed(services.engine, township))
    # Reading a workbook takes a while, and this is one thread of many requests.
    people = await run_sync(sheet.read, file, township, villages, taken)
    if dry_run:
        return Imported(people.wanted, people.refused, dry_run=True)
    added, refused = await _add_all(services, caller, people.wanted)
    return Imported(added, sorted([*people.refused, *refused], key=lambda line: line.line), dry_run=False)


async def _add_all(
    services: Services, caller: Caller, wanted: Sequence[Wanted]
) -> tuple[list[Wanted], list[LineRefused]]:
    added, refused = list[Wanted](), list[LineRefused]()
    for one_of_them in wanted:
        try:
            await _add(services, caller, one_of_them)
        except RefusedError as error:
            refused.append(LineRefused(one_of_them.candidate.line, Title("没有添加成", str(error))))
        else:
            added.append(one_of_them)
    return added, refused


def _own(caller: Caller) -> str:
    """The one township of an office."""
    (township,) = caller.townships
    return township
