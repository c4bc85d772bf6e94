"""Whether each device holds what the server holds of its grids: two exports, compared field by field.

This shares nothing with the digest that the devices compare by themselves: not its canonical form, not its
reading of values, not its notion of equality. What is left out is said: values of the worker's own that wait
in quarantine are shown on the device and stand nowhere else.
"""

import datetime as dt
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import httpx2
import msgspec

from client_sdk import Record
from demo.craft import WHOLE
from demo.device import Device
from demo.plan import TOWNSHIP

_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")
Exported = Mapping[str, Any]
"""A record as GET /v1/records gives it."""


class Compared(msgspec.Struct):
    """What a comparison looked at, and what it found."""

    devices: int = 0
    records: int = 0
    values: int = 0
    held_back: int = 0
    """Records that a device shows with own values from quarantine."""
    differs: list[str] = []


def export(url: str, token: str) -> list[Exported]:
    """What the server gives of the township, but for what is closed, as it travels."""
    found: list[Exported] = []
    wanted = {"township": TOWNSHIP, "closed": "false", "limit": "500"}
    with httpx2.Client(base_url=url, headers={"authorization": f"Bearer {token}"}) as client:
        while True:
            page = client.get("/v1/records", params=wanted).raise_for_status().json()
            found += page["records"]
            if page["next"] is None:
                return found
            wanted["after"] = page["next"]


def compare(devices: Sequence[Device], exported: Sequence[Exported]) -> Compared:
    """Every device against the server's export of its grids."""
    found = Compared(differs=[])
    for device in devices:
        found.devices += 1
        own_grids = {grid.code for grid in device.client.grids()}
        there = {row["id"]: row for row in exported if row["place"] in own_grids}
        here = {record.id: record for record in device.client.list()}
        quarantined = {
            entry.record: entry.do
            for entry in reversed(device.client.queue())
            if entry.status == "quarantined"
        }
        for record in sorted(there.keys() | here.keys()):
            said = list(_record(device, record, here.get(record), there.get(record), quarantined, found))
            found.differs += [f"{device.name} {record}: {what}" for what in said]
    return found


def _record(
    device: Device,
    record: str,
    here: Record | None,
    there: Exported | None,
    quarantined: Mapping[str, str],
    found: Compared,
) -> Iterator[str]:
    """How one record differs."""
    if there is None:
        # Made here, and waiting in the township's quarantine: the worker still sees it, marked.
        if quarantined.get(record) == "create" and here is not None and here.delivery == "attention":
            found.held_back += 1
        else:
            yield "only on the device"
        return
    if here is None:
        yield "only on the server"
        return
    found.records += 1
    ignored = device.crafted.get(record, set()) - {WHOLE} if record in quarantined else set()
    found.held_back += bool(ignored)
    one, other = _here(here), _there(there)
    for name in sorted((one.keys() | other.keys()) - ignored):
        found.values += 1
        if one.get(name) != other.get(name):
            yield f"{name} is {one.get(name)} here and {other.get(name)} on the server"


def _here(record: Record) -> dict[str, str]:
    about = {"kind": record.kind, "grid": record.grid, "state": record.state, "number": record.number}
    return _spelt({**about, "version": record.version}, record.fields)


def _there(row: Exported) -> dict[str, str]:
    about = {"kind": row["kind"], "grid": row["place"], "state": row["state"], "number": row["number"]}
    return _spelt({**about, "version": row["version"]}, row["fields"])


def _spelt(about: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, str]:
    """Everything that is set, each value spelt in one way."""
    named = {f"({name})": value for name, value in about.items()} | dict(fields)
    plain = {name: _plain(value) for name, value in named.items()}
    return {name: json.dumps(value, ensure_ascii=False) for name, value in plain.items() if value is not None}


def _plain(value: Any) -> Any:
    """A value without the accidents of its type: moments in UTC, sets in order, nothing that is empty."""
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat()
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, str) and _MOMENT.match(value):
        return dt.datetime.fromisoformat(value).astimezone(dt.UTC).isoformat()
    if isinstance(value, Mapping):
        inner = {str(name): _plain(part) for name, part in sorted(value.items())}
        return {name: part for name, part in inner.items() if part is not None} or None
    if isinstance(value, list | tuple):
        return sorted(map(str, value)) or None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
