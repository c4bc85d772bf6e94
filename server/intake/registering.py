"""Registering a walk-in, a letter or a call: one form, one matter, however often the button is pressed."""

from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from server.declined import invalid
from server.ledger.making import KIND
from server.reach import Caller
from server.reckoning.spans import ZONE
from server.records import service
from server.records.creating import NewRecord
from server.records.editing import Edit, EntriesEdit
from server.records.service import Step
from server.records.views import RecordView
from server.records.writing import Target
from server.services import Services

SETTLE: Final = "settle"
_DAY_MS: Final = 86_400_000
_PLAIN: Final = (
    "title",
    "narrative",
    "nature",
    "category",
    "service_category",
    "source",
    "urgency",
    "place_description",
    "earlier_matter",
)
_OTHER_CATEGORY: Final = {"dispute": "service_category", "service": "category"}
"""What a form may still hold from before somebody chose the nature."""
_PARTY: Final = ("role", "name", "contact", "safe_contact")


class Registration(msgspec.Struct, frozen=True, kw_only=True):
    """What a clerk has written down. `key` came with the empty form, so a form sent twice is one matter."""

    key: str
    title: str
    nature: str
    village: str | None = None
    """None: nobody knows where, or only that it is in the township."""
    grid: str | None = None
    narrative: str | None = None
    category: str | None = None
    service_category: str | None = None
    source: str | None = None
    urgency: str | None = None
    place_description: str | None = None
    earlier_matter: str | None = None
    role: str | None = None
    name: str | None = None
    contact: str | None = None
    safe_contact: str | None = None
    restricted: bool = False
    settled: str | None = None
    """How it was settled on the spot, which is also the answer; None when it was not."""


async def register(services: Services, caller: Caller, given: Registration, began_ms: int) -> RecordView:
    """The matter, registered, and settled where it was; the same form again gives the same matter.

    `began_ms` is when the form was opened: with it the clock of the first contact starts.
    """
    township = township_of_desk(caller)
    now_ms = services.clock()
    began_ms = min(max(began_ms, now_ms - _DAY_MS), now_ms)
    place = given.grid or given.village or township
    if given.village and not place.startswith(given.village):
        raise invalid("grid", "the grid lies in another village")
    new = NewRecord(KIND, f"intake:{given.key}", place, _fields(given, caller, began_ms))
    view, _ = await service.create(services, caller, new)
    if given.settled is None:
        return view
    answer = {"text": given.settled, "by": caller.name, "channel": "in_person", "on": _moment(began_ms)[:10]}
    said = Edit(entries={"answers": EntriesEdit(append=[answer])})
    step = Step(SETTLE, note=given.settled[:200], edit=said)
    return await service.act(services, caller, Target(view.id, key=f"settle:{given.key}"), step)


def _fields(given: Registration, caller: Caller, began_ms: int) -> dict[str, Any]:
    other = _OTHER_CATEGORY.get(given.nature)
    fields: dict[str, Any] = {
        name: value for name in _PLAIN if name != other and (value := getattr(given, name))
    }
    party = {name: getattr(given, name) for name in _PARTY if getattr(given, name)}
    if set(party) - {"role"}:
        fields["parties"] = [party]
    if given.restricted:
        fields["restricted"] = True
    return {**fields, "first_contact": caller.name, "first_contact_at": _moment(began_ms)}


def _moment(ms: int) -> str:
    return datetime.fromtimestamp(ms // 1_000, UTC).astimezone(ZONE).isoformat()


def township_of_desk(caller: Caller) -> str:
    """The one township in which somebody registers; declines people of a county."""
    if len(caller.townships) != 1:
        raise invalid("place", "a matter is registered in one township")
    return caller.townships[0]
