"""Other matters that a matter belongs together with: its parent, an earlier one. The one place that knows of them.

Members and joined matters come in here, as soon as there is a service that finds them.
"""

import msgspec

from server.declined import Declined
from server.reach import Caller
from server.records.reading import get
from server.records.views import RecordView
from server.services import Services
from sync_protocol.kinds import Title

_NAMES = frozenset({"title"})


class Related(msgspec.Struct, frozen=True):
    """Another matter, and how it belongs to this one."""

    how: Title
    id: str
    number: str | None
    title: str
    state: str | None


_LINKS = {
    "parent": Title("所属事项", "Parent matter"),
    "earlier_matter": Title("此前事项", "Earlier matter"),
}


async def related(services: Services, caller: Caller, record: RecordView) -> list[Related]:
    """Those within the caller's reach; what lies outside is left out, like what is not there."""
    found: list[Related] = []
    for field, how in _LINKS.items():
        other = record.fields.get(field)
        if not isinstance(other, str):
            continue
        try:
            view = await get(services, caller, other, _NAMES)
        except Declined:
            continue
        found.append(Related(how, view.id, view.number, str(view.fields.get("title", "")), view.state))
    return found
