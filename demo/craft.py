"""Changes that no worker could save: put into a device's queue below the checks of the SDK.

So might a program with a bug, or one that is newer than the server. Each has to end in quarantine, with
everything around it taken in.
"""

from typing import Any

import msgspec

from client_sdk.store import meta, queue
from client_sdk.store.store import open_store
from demo.device import Device
from sync_protocol.changes import Change, Do
from sync_protocol.ids import RANDOM_BYTES, uuid7

WHOLE = "*"
"""In `Device.crafted`: the record as a whole is one that the server does not have."""


def invalid_field(device: Device, record: str) -> None:
    """An edit that says what the kind does not allow: fewer than no people."""
    version = device.client.get(record).version
    _put(device, record, ("matter", 1), "edit", {"people_involved": -3}, base=version)
    device.crafted[record] = {"people_involved"}


def unknown_version(device: Device, record: str) -> None:
    """An edit in the words of a version of the kind that the server does not have."""
    version = device.client.get(record).version
    _put(device, record, ("matter", 9), "edit", {"weather": "rain"}, base=version)
    device.crafted[record] = {"weather"}


def unknown_kind(device: Device, grid: str) -> None:
    """A record of a kind that the server does not have, and an edit built on it."""
    record = _id(device)
    _put(device, record, ("well_check", 1), "create", {"depth": 3.2}, place=grid)
    _put(device, record, ("well_check", 1), "edit", {"depth": 3.4})
    device.crafted[record] = {WHOLE}


def _put(
    device: Device,
    record: str,
    kind: tuple[str, int],
    do: Do,
    fields: dict[str, Any],
    *,
    base: int = 0,
    place: str | None = None,
) -> None:
    """Appends one change to the queue; durable on return."""
    drawing = (lambda: _id(device), device.draw.randbytes)
    store = open_store(device.path, device.passphrase, *drawing, device.clock, lambda: None)
    with store, store.write() as tx:
        contact, at_ms = meta.contact(tx), device.clock()
        change = Change(
            id=_id(device),
            record=record,
            kind=kind[0],
            version=kind[1],
            n=0,
            at=at_ms,
            do=do,
            mark=contact.server_ms if contact is not None else 0,
            since=at_ms - contact.device_ms if contact is not None else None,
            base=base,
            place=place,
            fields=msgspec.Raw(msgspec.json.encode(fields)),
        )
        queue.append(tx, change, draft=False)
    device.saves += 1


def _id(device: Device) -> str:
    return uuid7(device.clock(), device.draw.randbytes(RANDOM_BYTES))
