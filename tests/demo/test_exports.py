"""The comparison of exports sees what differs, and only that."""

import datetime as dt
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import pytest

from client_sdk import Entry, Record
from demo.exports import Exported, compare
from sync_protocol.messages import Grid
from sync_protocol.overlay import Sight

GRID, OTHER = "321283104203001", "321283104203002"
HERE: Mapping[str, Any] = {
    "title": "水渠堵塞",
    "found_at": dt.datetime(2026, 3, 2, 9, tzinfo=dt.timezone(dt.timedelta(hours=8))),
    "on": dt.date(2026, 3, 2),
    "tags": ["water", "road"],
    "people_involved": 3,
    "measures": {"b": {"text": "二", "by": None}, "a": {"text": "一"}},
    "category": None,
}
THERE: Mapping[str, Any] = {
    "title": "水渠堵塞",
    "found_at": "2026-03-02T01:00:00Z",
    "on": "2026-03-02",
    "tags": ["road", "water"],
    "people_involved": 3.0,
    "measures": {"a": {"text": "一"}, "b": {"text": "二"}},
}


class Client:
    """What the comparison asks of a device."""

    def __init__(self, records: list[Record], queue: list[Entry]) -> None:
        self._records, self._queue = records, queue

    def grids(self) -> tuple[Grid, ...]:
        return (Grid(GRID, "001", "潘元村"),)

    def queue(self) -> Sequence[Entry]:
        return self._queue

    def list(self) -> Sequence[Record]:
        return self._records


class Holder:
    """A device that holds some records."""

    name = "01"

    def __init__(self, *records: Record, quarantined: Mapping[str, str] | None = None) -> None:
        waiting = [
            Entry("x", record, "matter", do, "quarantined", 0, 0)
            for record, do in (quarantined or {}).items()
        ]
        self.client = Client(list(records), waiting)
        self.crafted: dict[str, set[str]] = {}


def here(id_: str = "r", fields: Mapping[str, Any] = HERE, **about: Any) -> Record:
    said: dict[str, Any] = {
        "grid": GRID,
        "version": 7,
        "delivery": "received",
        "number": "n-1",
        "state": "reported",
    } | about
    return Record(id_, "matter", fields=MappingProxyType(dict(fields)), _values={}, _sight=Sight(), **said)


def there(id_: str = "r", fields: Mapping[str, Any] = THERE, **about: Any) -> Exported:
    said = {"id": id_, "kind": "matter", "place": GRID, "state": "reported", "number": "n-1", "version": 7}
    return {**said, "fields": fields, **about}


def differs(device: Holder, *exported: Exported) -> list[str]:
    devices: list[Any] = [device]
    return compare(devices, exported).differs


def test_two_spellings_of_one_record_are_one_record() -> None:
    devices: list[Any] = [Holder(here())]
    found = compare(devices, [there(), there("elsewhere", place=OTHER)])
    assert (found.differs, found.records, found.values) == ([], 1, 11)


@pytest.mark.parametrize(
    "changed",
    [
        {"fields": {**THERE, "title": "水渠"}},
        {"fields": {**THERE, "people_involved": 4}},
        {"fields": {**THERE, "tags": ["road"]}},
        {"fields": {**THERE, "category": "02"}},
        {"fields": {**THERE, "measures": {"a": {"text": "一"}}}},
        {"fields": {name: value for name, value in THERE.items() if name != "on"}},
        {"fields": {**THERE, "found_at": "2026-03-02T01:00:01Z"}},
        {"version": 8},
        {"state": "settled"},
        {"number": None},
    ],
    ids=" ".join,
)
def test_one_other_value_is_seen(changed: dict[str, Any]) -> None:
    assert len(differs(Holder(here()), there(**changed))) == 1


def test_a_record_on_one_side_alone_is_seen() -> None:
    assert differs(Holder(), there()) == ["01 r: only on the server"]
    assert differs(Holder(here())) == ["01 r: only on the device"]
    assert differs(Holder(here(grid=OTHER)), there(place=OTHER)) == ["01 r: only on the device"]


def test_what_was_made_here_and_waits_in_quarantine_is_the_devices_own() -> None:
    own = here("own", delivery="attention")
    assert differs(Holder(own, quarantined={"own": "create"})) == []
    assert differs(Holder(own, quarantined={"own": "edit"})) == ["01 own: only on the device"]


def test_only_the_values_of_a_crafted_change_are_left_out() -> None:
    device = Holder(here(fields={**HERE, "people_involved": -3}), quarantined={"r": "edit"})
    assert len(differs(device, there())) == 1
    device.crafted["r"] = {"people_involved"}
    assert differs(device, there()) == []
    assert len(differs(device, there(fields={**THERE, "title": "水渠"}))) == 1
