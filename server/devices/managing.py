"""Devices as the office manages them: within its own township, in the name of whoever does it."""

from collections.abc import Sequence
from functools import partial

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.declined import not_found
from server.devices import service
from server.devices.service import NewCode
from server.privacy.numbers import hidden
from server.reach import Caller
from server.records.writing import actor_of
from server.services import Services
from server.storage import devices, directory
from server.storage.devices import DeviceRow
from server.storage.directory import GridRow
from server.storage.engine import snapshot

_MINUTE_MS = 60_000


class GridMove(msgspec.Struct, frozen=True):
    """A grid that a device would gain or lose, and how many records of it devices hold."""

    grid: GridRow
    records: int


class Move(msgspec.Struct, frozen=True):
    """What other grids would mean for a device."""

    device: DeviceRow
    enter: list[GridMove]
    leave: list[GridMove]

    @property
    def unsent(self) -> int:
        """How many changes it had not sent when it was last heard of; there may be more by now."""
        return self.device.queued

    @property
    def entering(self) -> int:
        """Records that its next sync brings."""
        return sum(one.records for one in self.enter)

    @property
    def leaving(self) -> int:
        """Records that it drops then. What it has not sent of them is taken in and reviewed, never dropped."""
        return sum(one.records for one in self.leave)


async def listed(services: Services, caller: Caller) -> list[DeviceRow]:
    """The devices of the caller's townships, revoked ones last."""
    rows = [row for one in caller.townships for row in await service.listed(services.engine, one)]
    return sorted(rows, key=lambda row: (row.revoked_ms is not None, row.worker, row.enrolled_ms))


async def one(services: Services, caller: Caller, device: str) -> DeviceRow:
    """A device of the caller's townships; declines any other."""
    for row in await listed(services, caller):
        if row.device_id == device:
            return row
    raise not_found()


async def preview(services: Services, caller: Caller, device: str, grids: Sequence[str]) -> Move:
    """What it would mean to give a device these grids instead of its own; nothing is written."""
    row = await one(services, caller, device)
    wanted, own = set(grids), set(row.grids)

    async def read(connection: AsyncConnection) -> dict[str, GridMove]:
        codes = sorted(wanted ^ own)
        held = await devices.held(connection, row.township, codes)
        found = await directory.grids_of(connection, row.township, codes)
        return {grid.grid: GridMove(grid, held.get(grid.grid, 0)) for grid in found}

    moves = await snapshot(services.engine, read)
    return Move(
        row,
        [moves[code] for code in sorted(wanted - own) if code in moves],
        [moves[code] for code in sorted(own - wanted) if code in moves],
    )


async def move(services: Services, caller: Caller, device: str, grids: Sequence[str]) -> DeviceRow:
    """Gives a device these grids; raises RefusedError for grids that are not of its township."""
    row = await one(services, caller, device)
    changed = partial(service.set_grids, services.engine, row.device_id, grids)
    return await changed(now_ms=services.clock(), by=actor_of(caller))


async def revoke(services: Services, caller: Caller, device: str, reason: str) -> DeviceRow:
    """Revokes a device for ever; the reason stands in the audit. May be repeated."""
    row = await one(services, caller, device)
    return await service.revoke(
        services.engine, row.device_id, now_ms=services.clock(), by=actor_of(caller), reason=hidden(reason)
    )


async def give_code(services: Services, caller: Caller, worker: str, grids: Sequence[str]) -> NewCode:
    """A one-time code for a worker's device, to be shown once; raises RefusedError as the service does."""
    if any(grid[:9] not in caller.townships for grid in grids):
        raise not_found()
    return await service.give_code(
        services.engine,
        worker,
        grids,
        lifetime_ms=services.code_minutes * _MINUTE_MS,
        now_ms=services.clock(),
        random=services.random,
        by=actor_of(caller),
    )
