"""Devices, and the one-time codes that make them. What a sync reads and writes of one is in contact.py."""

from collections.abc import Sequence
from typing import Any, Final, TypeVar

import msgspec
from sqlalchemy import Select, and_, bindparam, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage.tables import devices, enrolment_routes, enrolments, holdings, staff, townships

Rows = TypeVar("Rows", bound=msgspec.Struct)


class Enrolment(msgspec.Struct, frozen=True):
    """A one-time code, by its hash; `device_id` is set once it was used."""

    code_hash: str
    staff_id: str
    grids: tuple[str, ...]
    expires_ms: int
    device_id: str | None = None


class DeviceRow(msgspec.Struct, frozen=True):
    """A device with the name of its owner, as lists show it."""

    township: str
    device_id: str
    staff_id: str
    worker: str
    grids: tuple[str, ...]
    enrolled_ms: int
    revoked_ms: int | None
    contact_ms: int | None
    queued: int
    client: str
    offset_ms: int | None
    """How far the server's clock was ahead of the device's at the last contact."""
    key_ms: int | None
    """Since when the device signs with its present key; None: since it was enrolled."""


class Owner(msgspec.Struct, frozen=True):
    """What a device's profile says of it and of its owner."""

    staff_id: str
    name: str
    role: str
    grids: tuple[str, ...]
    township_name: str
    duty_phone: str | None


async def grids_of(connection: AsyncConnection, township: str, staff_id: str) -> tuple[str, ...]:
    """The grids of a person's devices that are not revoked."""
    found = select(devices.c.grids).where(
        devices.c.township_id == township, devices.c.staff_id == staff_id, devices.c.revoked_ms.is_(None)
    )
    return tuple(sorted({grid for row in await connection.execute(found) for grid in row.grids}))


async def add_code(connection: AsyncConnection, township: str, enrolment: Enrolment) -> None:
    """Keeps a one-time code of a township."""
    values: dict[str, Any] = msgspec.structs.asdict(enrolment) | {"township_id": township}
    await connection.execute(insert(enrolments).values({**values, "grids": list(enrolment.grids)}))


async def add_route(connection: AsyncConnection, code_hash: str, township: str, expires_ms: int) -> None:
    """Keeps in which township a code is to be looked for."""
    values = {"code_hash": code_hash, "township_id": township, "expires_ms": expires_ms}
    await connection.execute(insert(enrolment_routes).values(values))


async def route(connection: AsyncConnection, code_hash: str) -> str | None:
    """In which township a code is to be looked for; None for a code that was never given."""
    found = select(enrolment_routes.c.township_id).where(enrolment_routes.c.code_hash == code_hash)
    return await connection.scalar(found)


async def forget_routes(connection: AsyncConnection, before_ms: int) -> None:
    """Drops the routes of codes that expired before a time."""
    await connection.execute(delete(enrolment_routes).where(enrolment_routes.c.expires_ms < before_ms))


async def forget_codes(connection: AsyncConnection, township: str, before_ms: int) -> None:
    """Drops a township's codes that expired unused before a time."""
    gone = and_(
        enrolments.c.township_id == township,
        enrolments.c.expires_ms < before_ms,
        enrolments.c.device_id.is_(None),
    )
    await connection.execute(delete(enrolments).where(gone))


async def enrolment(connection: AsyncConnection, township: str, code_hash: str) -> Enrolment | None:
    """A code of a township, used or not; None when it has none such. The caller holds the township's lock."""
    found = select(
        enrolments.c.code_hash,
        enrolments.c.staff_id,
        enrolments.c.grids,
        enrolments.c.expires_ms,
        enrolments.c.device_id,
    ).where(enrolments.c.township_id == township, enrolments.c.code_hash == code_hash)
    row = (await connection.execute(found)).one_or_none()
    return None if row is None else _as(Enrolment, row)


async def add_device(
    connection: AsyncConnection,
    township: str,
    device: str,
    code: Enrolment,
    *,
    public_key: bytes,
    client: str,
    now_ms: int,
) -> None:
    """Makes the device that a code stands for, bound to a public key, and marks the code as used."""
    values = {
        "township_id": township,
        "device_id": device,
        "staff_id": code.staff_id,
        "public_key": public_key,
        "grids": list(code.grids),
        "enrolled_ms": now_ms,
        "serial": 0,
        "epochs": [],
        "queued": 0,
        "client": client,
    }
    await connection.execute(insert(devices).values(values))
    used = update(enrolments).where(
        enrolments.c.township_id == township, enrolments.c.code_hash == code.code_hash
    )
    await connection.execute(used.values(device_id=device))


async def public_key(connection: AsyncConnection, township: str, device: str) -> bytes | None:
    """The key of a device that is not revoked; None for any other."""
    found = select(devices.c.public_key).where(
        devices.c.township_id == township, devices.c.device_id == device, devices.c.revoked_ms.is_(None)
    )
    key = await connection.scalar(found)
    return None if key is None else bytes(key)


async def owner(connection: AsyncConnection, township: str, device: str) -> Owner | None:
    """Whose device it is, and where it works; None for one that does not exist."""
    row = (await connection.execute(_OWNER, {"t": township, "device": device})).one_or_none()
    return None if row is None else _as(Owner, row)


async def listed(connection: AsyncConnection, township: str | None = None) -> list[DeviceRow]:
    """The devices of one township or of all, in the order in which they were enrolled."""
    found = _LISTED if township is None else _LISTED.where(devices.c.township_id == township)
    rows = await connection.execute(found.order_by(devices.c.township_id, devices.c.enrolled_ms))
    return [_as(DeviceRow, row) for row in rows]


async def find(connection: AsyncConnection, device: str) -> DeviceRow | None:
    """A device of any township; None when there is no such."""
    row = (await connection.execute(_LISTED.where(devices.c.device_id == device))).one_or_none()
    return None if row is None else _as(DeviceRow, row)


async def set_revoked(connection: AsyncConnection, township: str, device: str, revoked_ms: int) -> bool:
    """Revokes a device; False for one that is revoked already, and keeps the time of the first time."""
    changed = _of(township, device).where(devices.c.revoked_ms.is_(None))
    return bool((await connection.execute(changed.values(revoked_ms=revoked_ms))).rowcount)


async def set_grids(connection: AsyncConnection, township: str, device: str, grids: Sequence[str]) -> None:
    """Gives a device other grids."""
    await connection.execute(_of(township, device).values(grids=list(grids)))


async def held(connection: AsyncConnection, township: str, grids: Sequence[str]) -> dict[str, int]:
    """How many records of each of these grids devices hold."""
    found = select(holdings.c.grid, holdings.c.held).where(
        holdings.c.township_id == township, holdings.c.grid.in_(grids)
    )
    return {row.grid: int(row.held) for row in await connection.execute(found)}


def _of(township: str, device: str) -> Any:
    return update(devices).where(devices.c.township_id == township, devices.c.device_id == device)


def _with_staff(columns: Select[Any]) -> Select[Any]:
    same = and_(staff.c.township_id == devices.c.township_id, staff.c.staff_id == devices.c.staff_id)
    return columns.select_from(devices).join(staff, same)


_OWNER: Final = (
    _with_staff(
        select(
            staff.c.staff_id,
            staff.c.name,
            staff.c.role,
            devices.c.grids,
            townships.c.name.label("township_name"),
            townships.c.duty_phone,
        )
    )
    .join(townships, townships.c.township_id == devices.c.township_id)
    .where(
        devices.c.township_id == bindparam("t"),
        staff.c.township_id == bindparam("t"),
        townships.c.township_id == bindparam("t"),
        devices.c.device_id == bindparam("device"),
    )
)

_LISTED: Final = _with_staff(
    select(
        devices.c.township_id,
        devices.c.device_id,
        devices.c.staff_id,
        staff.c.name,
        devices.c.grids,
        devices.c.enrolled_ms,
        devices.c.revoked_ms,
        devices.c.contact_ms,
        devices.c.queued,
        devices.c.client,
        devices.c.offset_ms,
        devices.c.key_ms,
    )
)


def _as(struct: type[Rows], row: Sequence[Any]) -> Rows:
    """A row whose columns stand in the order of the struct's fields; lists become tuples."""
    return msgspec.convert(dict(zip(struct.__struct_fields__, row, strict=True)), struct)
