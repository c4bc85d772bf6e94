"""The profile: everything that a device needs to know to work offline."""

import hashlib
from typing import Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.kinds.registry import Registry
from server.storage import devices, directory, recovery, townships
from sync_protocol.files import key_of
from sync_protocol.messages import Grid, Person, Profile
from sync_protocol.signing import encode_bytes

_TAG_CHARS: Final = 16
_encode: Final = msgspec.json.Encoder().encode


async def profile(
    connection: AsyncConnection, township: str, device: str, registry: Registry, lease_days: int = 0
) -> Profile:
    """The profile of a device as this transaction sees it; raises LookupError when there is none such.

    Its tag is a hash of its content, the kinds standing in it by the registry's generation: two profiles of
    a device are equal when their tags are.
    """
    owner = await devices.owner(connection, township, device)
    town = await townships.read(connection, township)
    if owner is None or town is None:
        message = "no such device"
        raise LookupError(message)
    recovery_keys = await recovery.of_township(connection, township)
    rows = await directory.grids_of(connection, township, owner.grids)
    found = Profile(
        tag="",
        device=device,
        township=township,
        township_name=owner.township_name,
        worker=Person(owner.staff_id, owner.name, owner.role),
        grids=tuple(Grid(row.grid, row.name, row.village_name) for row in rows),
        kinds=(),
        duty_phone=owner.duty_phone,
        file_key=encode_bytes(key_of(town.cursor_key, device)),
        recovery_key=encode_bytes(recovery_keys[-1].public_key) if recovery_keys else None,
        lease_days=lease_days,
    )
    content = _encode(found) + registry.generation.encode()
    tag = hashlib.sha256(content).hexdigest()[:_TAG_CHARS]
    return msgspec.structs.replace(found, tag=tag, kinds=registry.declarations())
