"""A clerk who joins and splits, two devices, and what stands afterwards."""

from typing import Any, Final

import msgspec

from client_sdk import FieldClient, Record
from server.figures import service as figures
from server.joins import service as joins
from server.joins.service import Joined
from server.reach import Caller, Reach
from server.records import service as records
from server.records.writing import Target
from sync_protocol.state import RecordState
from tests.e2e.village import TOWN, Village

SCOPES: Final = frozenset({"contact:read", "contact:write"})
WHY: Final = "同一件事"


class Desk:
    """The services, asked as the pages ask them."""

    def __init__(self, village: Village, *, restricted: bool = True) -> None:
        self.village = village
        self.who = Caller(village.clerk, "陈静", "clerk", Reach((TOWN,), restricted=restricted), SCOPES)

    def join(self, absorbed: str, survivor: str, **target: Any) -> Joined:
        work = joins.join(self.village.services, self.who, Target(absorbed, **target), survivor, WHY)
        return self.village.run(work)

    def split(self, absorbed: str, **target: Any) -> Joined:
        return self.village.run(joins.split(self.village.services, self.who, Target(absorbed, **target), WHY))

    def act(self, record: str, action: str) -> None:
        step = records.Step(action, reason=WHY)
        self.village.run(records.act(self.village.services, self.who, Target(record), step))

    def actions(self, record: str) -> set[str]:
        found = self.village.run(records.actions(self.village.services, self.who, record))
        return {action.name for action in found}

    def open_matters(self) -> int | None:
        """How many matters the figures count as open."""
        who = msgspec.structs.replace(self.who, scopes=self.who.scopes | {figures.SMALL})
        asked = figures.Asked("open")
        return self.village.run(figures.count(self.village.services, who, asked)).matters

    def values(self, record: str) -> dict[str, Any]:
        return self.village.state(record).values

    def texts(self, record: str, field: str = "measures") -> list[str]:
        return sorted(entry["text"] for entry in self.values(record).get(field, {}).values())

    def writer(self, record: str, entry: str) -> str:
        """Who wrote the text of a measure last."""
        return self.village.state(record).marks.sub_writer("measures", entry, "text").by

    def differing(self, record: str) -> dict[str, list[Any]]:
        """Path to the values that differ there, of a record's open conflicts."""
        page = self.village.office("GET", f"/v1/conflicts?record={record}")
        return {one["path"]: [side["value"] for side in one["values"]] for one in page["conflicts"]}


def matter(device: FieldClient, title: str, **fields: Any) -> Record:
    """A reported matter that every device of the grid gets with its next sync."""
    given = {"grid": device.grids()[0].code, "nature": "dispute", **fields}
    return device.act(device.create("matter", title=title, **given), "report")


def measured(device: FieldClient, record: Record, text: str) -> tuple[Record, str]:
    """The record with another measure, and the measure's id."""
    before = set(record.fields.get("measures") or {})
    after = device.append(record, "measures", text=text)
    (entry,) = set(after.fields["measures"]) - before
    return after, entry


def whole(state: RecordState) -> tuple[Any, ...]:
    return state.values, state.place, state.state, state.number
