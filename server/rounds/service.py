"""Cadences of places, and how the rounds of a township's grids stand: in the order of codes, never ranked."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from functools import partial
from typing import Any, Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.audit.acts import Act, Value
from server.audit.log import append
from server.declined import invalid
from server.reach import Caller
from server.records.writing import actor_of
from server.rounds.cadence import HOURS_MAX, Period, Screening, cadence_of, day_of, period_of
from server.rounds.judging import Contact, Report, Told, judged
from server.services import Services
from server.storage import devices, directory, rounds, townships
from server.storage.devices import DeviceRow
from server.storage.directory import GridRow
from server.storage.engine import snapshot
from server.storage.rounds import Came, ScreeningRow
from sync_protocol.ids import place_level

REPORTS_MAX: Final = 5_000
PHONE_CHARS_MAX: Final = 40
_PHONE: Final = frozenset("0123456789+-() 转ext.,、/")
_DAY_MS: Final = 86_400_000


class Village(msgspec.Struct, frozen=True):
    """A village with its grids, its cadence and its telephone."""

    code: str
    name: str
    grids: list[tuple[GridRow, list[str]]]
    """Each with the names of the workers whose devices have it."""
    screening: Screening
    own: bool
    """Whether the cadence is the village's own; else it is that of the township."""


class Places(msgspec.Struct, frozen=True):
    """A township as its office knows it."""

    township: str
    name: str
    screening: Screening
    villages: list[Village]


class GridRound(msgspec.Struct, frozen=True):
    """How the round of a grid stands."""

    grid: GridRow
    workers: list[str]
    period: Period
    told: Told
    heard_ms: int | None


async def places(services: Services, caller: Caller) -> list[Places]:
    """The caller's townships with villages and grids, in the order of codes."""
    return [await snapshot(services.engine, partial(_places, township=one)) for one in caller.townships]


async def _places(connection: AsyncConnection, township: str) -> Places:
    town = (await directory.places(connection, [township])).get(township)
    set_here = {row.place: _screening(row) for row in await rounds.screenings_of(connection, township)}
    workers = _workers(await devices.listed(connection, township))
    of_all = set_here.get(township, Screening())
    grids: dict[str, list[GridRow]] = defaultdict(list)
    for grid in await directory.grids_of(connection, township):
        grids[grid.village].append(grid)
    villages = [
        Village(
            code,
            mine[0].village_name,
            [(grid, [row.worker for row in workers[grid.grid]]) for grid in mine],
            set_here.get(code, of_all),
            code in set_here,
        )
        for code, mine in grids.items()
    ]
    return Places(township, town.name if town is not None else township, of_all, villages)


def _screening(row: ScreeningRow) -> Screening:
    return Screening(cadence_of(row.cadence) or "daily", row.cut_off_hour, row.duty_phone)


def _workers(rows: Sequence[DeviceRow]) -> Mapping[str, list[DeviceRow]]:
    """The devices in use, by grid."""
    found: defaultdict[str, list[DeviceRow]] = defaultdict(list)
    for row in rows:
        if row.revoked_ms is None:
            for grid in row.grids:
                found[grid].append(row)
    return found


async def set_screening(services: Services, caller: Caller, place: str, given: Screening) -> None:
    """Sets a place's cadence and telephone; the township's own telephone is what devices show.

    Declines a place that is neither the township nor one of its villages, and what is no telephone or hour.
    """
    if not 1 <= given.cut_off_hour <= HOURS_MAX:
        raise invalid("cut_off_hour", f"1 to {HOURS_MAX} hours")
    phone = " ".join((given.duty_phone or "").split()) or None
    if phone is not None and (len(phone) > PHONE_CHARS_MAX or not set(phone) <= _PHONE):
        raise invalid("duty_phone", f"a telephone number of at most {PHONE_CHARS_MAX} characters")
    township = place[:9]
    if place_level(place) not in {"township", "village"} or township not in caller.townships:
        raise invalid("place", "the township, or one of its villages", "unknown_place")
    now_ms = services.clock()
    row = ScreeningRow(place, given.cadence, given.cut_off_hour, phone, caller.id, now_ms)

    async def work(connection: AsyncConnection) -> None:
        await townships.lock(connection, township)
        if not await directory.place_exists(connection, township, place):
            raise invalid("place", "the township, or one of its villages", "unknown_place")
        await rounds.put_screening(connection, township, row)
        if place == township:
            await rounds.put_duty_phone(connection, township, phone)
        told: dict[str, Value] = {
            "place": place,
            "cadence": given.cadence,
            "cut_off_hour": given.cut_off_hour,
        }
        await append(connection, Act(township, "screening_set", actor_of(caller), now_ms, told))

    await services.write(township, work)


async def rounds_on(services: Services, caller: Caller, day: date | None) -> list[GridRound]:
    """How the rounds stand in whose period a day lies (today's, if None); every grid, in the order of codes."""
    now_ms = services.clock()
    asked = day if day is not None else day_of(now_ms)
    found: list[GridRound] = []
    for township in caller.townships:
        found += await snapshot(
            services.engine, partial(_rounds, township=township, day=asked, now_ms=now_ms)
        )
    return found


async def _rounds(connection: AsyncConnection, township: str, day: date, now_ms: int) -> list[GridRound]:
    here = await _places(connection, township)
    workers = _workers(await devices.listed(connection, township))
    periods = {village.code: period_of(village.screening, day) for village in here.villages}
    if not periods:
        return []
    since_ms = min(period.begins_ms for period in periods.values())
    until_ms = max(period.cut_off_ms for period in periods.values()) + 31 * _DAY_MS
    came = await rounds.reports(connection, township, since_ms, until_ms, REPORTS_MAX)
    reports: defaultdict[str, list[Report]] = defaultdict(list)
    for one in came:
        report = _report(one)
        if report is not None:
            reports[report.grid].append(report)
    return [
        _round(grid, periods[village.code], reports[grid.grid], workers[grid.grid], now_ms)
        for village in here.villages
        for grid, _ in village.grids
    ]


def _round(
    grid: GridRow, period: Period, reports: list[Report], owners: list[DeviceRow], now_ms: int
) -> GridRound:
    heard_ms = max((row.contact_ms for row in owners if row.contact_ms is not None), default=None)
    names = [row.worker for row in owners]
    return GridRound(
        grid, names, period, judged(period, reports, Contact(len(owners), heard_ms), now_ms), heard_ms
    )


def _report(came: Came) -> Report | None:
    """A report as rounds go by; None for one whose days cannot be read."""
    values: dict[str, Any] = came.state.values
    try:
        first, last = date.fromisoformat(values["period_start"]), date.fromisoformat(values["period_end"])
    except (KeyError, TypeError, ValueError):
        return None
    return Report(
        came.state.id,
        came.state.place,
        first,
        last,
        came.made_ms,
        came.received_ms,
        values.get("visits"),
        values.get("found"),
        zero=values.get("zero") is True,
    )
