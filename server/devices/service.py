"""Gives one-time codes, enrols devices with them, lists devices, revokes them, changes their grids.

A code is found through a table that all townships share and that holds nothing but its hash, because a
device that shows one names no township yet. Everything else happens in the township, under its lock, so
two devices that show one code at once are told apart.
"""

import hmac
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from server.audit.acts import OPERATOR, Act, Actor, Value
from server.audit.log import append
from server.devices.codes import code_hash, new_code
from server.devices.profile import profile
from server.directory.working import locked
from server.refused import RefusedError
from server.services import Services
from server.staff.service import one
from server.storage import devices, directory, staff
from server.storage.devices import DeviceRow, Enrolment
from server.storage.engine import snapshot, transact
from server.storage.staff import StaffRow
from sync_protocol import signing
from sync_protocol.ids import RANDOM_BYTES, is_id, place_level, township_of, uuid7
from sync_protocol.messages import EnrolAnswer, EnrolRequest
from sync_protocol.versions import CURRENT

Random = Callable[[int], bytes]
GRIDS_MAX: Final = 100
"""Grids of one device."""
KEY_BYTES: Final = 32
_KEPT_MS: Final = 86_400_000
"""How long expired codes lie about before the next new code sweeps them out."""


class CodeInvalid(Exception):  # noqa: N818 (it is the code that is invalid)
    """Wrong, used or expired: which, is not told."""


class NewCode(msgspec.Struct, frozen=True):
    """A one-time code, to be shown once, and whom it is for."""

    code: str
    expires_ms: int
    township: str
    worker: StaffRow
    grids: tuple[str, ...]


async def give_code(
    engine: AsyncEngine,
    who: str,
    grids: Sequence[str],
    *,
    lifetime_ms: int,
    now_ms: int,
    random: Random,
    by: Actor = OPERATOR,
) -> NewCode:
    """A one-time code for a grid worker's device in some grids of one township.

    Raises RefusedError for a person who is not there or no grid worker, and for grids that are not.
    """
    township, wanted = _township(grids), tuple(dict.fromkeys(grids))
    code = new_code(random)
    hashed, expires_ms = str(code_hash(code)), now_ms + lifetime_ms

    async def keep(connection: AsyncConnection) -> StaffRow:
        await locked(connection, township)
        worker = _worker(one(await staff.find(connection, who, township), who))
        await _require_grids(connection, township, grids)
        await devices.forget_codes(connection, township, now_ms - _KEPT_MS)
        await devices.add_code(connection, township, Enrolment(hashed, worker.staff_id, wanted, expires_ms))
        # Not the hash of the code: from 40 bits the code itself could be found.
        told: dict[str, Value] = {"staff": worker.staff_id, "grids": wanted, "expires_ms": expires_ms}
        await append(connection, Act(township, "device_code_given", by, now_ms, told))
        return worker

    async def publish(connection: AsyncConnection) -> None:
        await devices.forget_routes(connection, now_ms - _KEPT_MS)
        await devices.add_route(connection, hashed, township, expires_ms)

    # Two transactions, because nothing may depend on one across townships. Between them the code is
    # unknown to everybody, the administrator included.
    worker = await transact(engine, keep)
    await transact(engine, publish)
    return NewCode(code, expires_ms, township, worker, wanted)


async def enrol(services: Services, request: EnrolRequest) -> EnrolAnswer:
    """Makes a device of a one-time code and binds the public key to it; raises CodeInvalid.

    The same code with the same key gives the same device again until the code expires, because the first
    answer may have been lost. `request.public_key` must have been checked by the caller.
    """
    hashed, key = code_hash(request.code), signing.decode_bytes(request.public_key)
    now_ms = services.clock()
    device = uuid7(now_ms, services.random(RANDOM_BYTES))
    await services.registry.ensure()

    async def find(connection: AsyncConnection) -> str | None:
        return None if hashed is None else await devices.route(connection, hashed)

    township = await snapshot(services.engine, find)
    if township is None or hashed is None:
        raise CodeInvalid

    async def work(connection: AsyncConnection) -> EnrolAnswer:
        found = await locked(connection, township)
        code = await _valid_code(connection, township, hashed, now_ms)
        if code.device_id is None:
            await devices.add_device(
                connection, township, device, code, public_key=key, client=request.client, now_ms=now_ms
            )
            told = {"staff": code.staff_id, "grids": code.grids}
            await append(connection, Act(township, "device_enrolled", Actor("device", device), now_ms, told))
        elif not _same(key, await devices.public_key(connection, township, code.device_id)):
            raise CodeInvalid
        own = await profile(
            connection, township, code.device_id or device, services.registry, services.lease_days
        )
        return EnrolAnswer(CURRENT, found.server, now_ms, own)

    return await services.write(township, work)


async def listed(engine: AsyncEngine, township: str | None = None) -> list[DeviceRow]:
    """The devices of one township, or of all."""

    async def work(connection: AsyncConnection) -> list[DeviceRow]:
        return await devices.listed(connection, township)

    return await snapshot(engine, work)


async def revoke(
    engine: AsyncEngine, device: str, *, now_ms: int, by: Actor = OPERATOR, reason: str = ""
) -> DeviceRow:
    """Revokes a device for ever: what it still holds is taken in, and it reads nothing. May be repeated.

    A reason, if one is given, stands in the audit, where nothing else would keep it.
    """
    found = await _find(engine, device)

    async def work(connection: AsyncConnection) -> None:
        await locked(connection, found.township)
        if await devices.set_revoked(connection, found.township, found.device_id, now_ms):
            told = {
                "device": found.device_id,
                "staff": found.staff_id,
                **({"reason": reason} if reason else {}),
            }
            await append(connection, Act(found.township, "device_revoked", by, now_ms, told))

    await transact(engine, work)
    return msgspec.structs.replace(found, revoked_ms=found.revoked_ms or now_ms)


async def set_grids(
    engine: AsyncEngine, device: str, grids: Sequence[str], *, now_ms: int, by: Actor = OPERATOR
) -> DeviceRow:
    """Gives a device other grids of its township; its next sync brings and drops what follows from it."""
    found = await _find(engine, device)
    if _township(grids) != found.township:
        message = f"The device belongs to township {found.township}, and so do its grids, for ever."
        raise RefusedError(message)
    if found.revoked_ms is not None:
        message = "The device is revoked, for ever: give its owner a new code with `roundbook device code`."
        raise RefusedError(message)
    wanted = tuple(dict.fromkeys(grids))

    async def work(connection: AsyncConnection) -> None:
        await locked(connection, found.township)
        await _require_grids(connection, found.township, wanted)
        before = await devices.owner(connection, found.township, found.device_id)
        await devices.set_grids(connection, found.township, found.device_id, wanted)
        told = {"device": found.device_id, "from": before.grids if before else (), "to": wanted}
        await append(connection, Act(found.township, "device_grids_changed", by, now_ms, told))

    await transact(engine, work)
    return msgspec.structs.replace(found, grids=wanted)


async def _valid_code(connection: AsyncConnection, township: str, hashed: str, now_ms: int) -> Enrolment:
    """The code, if it may be used now by its owner; raises CodeInvalid."""
    code = await devices.enrolment(connection, township, hashed)
    if code is None or now_ms >= code.expires_ms:
        raise CodeInvalid
    people = await staff.find(connection, code.staff_id, township)
    if not people or people[0].disabled_ms is not None:
        raise CodeInvalid
    return code


def _same(key: bytes, other: bytes | None) -> bool:
    return other is not None and hmac.compare_digest(key, other)


async def _find(engine: AsyncEngine, device: str) -> DeviceRow:
    """A device by its id, with or without its township in front, as in the header of its requests."""
    device_id = device.strip().lower().rpartition(".")[2]

    async def work(connection: AsyncConnection) -> DeviceRow | None:
        return await devices.find(connection, device_id) if is_id(device_id) else None

    found = await snapshot(engine, work)
    if found is None:
        message = f"There is no device {device[:60]!r}: see `roundbook device list`."
        raise RefusedError(message)
    return found


def _worker(person: StaffRow) -> StaffRow:
    if person.disabled_ms is not None:
        message = f"{person.name} is disabled: `roundbook staff enable` undoes that."
        raise RefusedError(message)
    if person.role != "grid_worker":
        message = (
            f"Devices are for grid workers, and {person.name} is {person.role}, who works in the console."
        )
        raise RefusedError(message)
    return person


def _township(grids: Sequence[str]) -> str:
    """The one township of some grid codes."""
    if not 1 <= len(grids) <= GRIDS_MAX:
        message = f"A device has 1 to {GRIDS_MAX} grids, not {len(grids)}."
        raise RefusedError(message)
    for grid in grids:
        if place_level(grid) != "grid":
            message = f"A grid is named by 15 digits, such as 321283104203001, not by {grid[:20]!r}."
            raise RefusedError(message)
    townships = {township_of(grid) for grid in grids}
    if len(townships) > 1:
        message = f"A device belongs to one township, and these grids lie in {', '.join(sorted(townships))}."
        raise RefusedError(message)
    return townships.pop()


async def _require_grids(connection: AsyncConnection, township: str, grids: Sequence[str]) -> None:
    there = {row.grid for row in await directory.grids_of(connection, township, grids)}
    missing = [grid for grid in grids if grid not in there]
    if missing:
        message = (
            f"Township {township} has no grid {missing[0]}: see `roundbook township list {township}`, "
            "or add grids with `roundbook township open`."
        )
        raise RefusedError(message)
