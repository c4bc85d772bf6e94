"""Other matters that a matter belongs together with: the one place of the case file that knows of them."""

from typing import Final

import msgspec

from server.affairs import service as affairs
from server.declined import Declined
from server.joins import service as joins
from server.reach import Caller
from server.records.reading import get
from server.records.views import RecordView
from server.services import Services
from sync_protocol.kinds import Title

_LINKS: Final = {
    "parent": Title("所属事项", "Parent matter"),
    "earlier_matter": Title("此前事项", "Earlier matter"),
}
_MEMBER: Final = Title("成员事项", "Member")
_ABSORBED: Final = Title("并入本事项", "Joined into this one")
_SURVIVOR: Final = Title("已并入", "Joined into")


class Related(msgspec.Struct, frozen=True):
    """Another matter, and how it belongs to this one."""

    how: Title
    id: str
    number: str | None
    title: str
    state: str | None


async def related(services: Services, caller: Caller, record: RecordView) -> list[Related]:
    """Those within the caller's reach; what lies outside is left out, like what is not there."""
    found = [_related(how, view) for how, view in await _linked(services, caller, record)]
    into = await joins.survivor(services, caller, record.id)
    found += [_related(_SURVIVOR, into)] if into is not None else []
    found += [_related(_ABSORBED, one) for one in await joins.absorbed(services, caller, record.id)]
    members = (await affairs.get(services, caller, record.id)).members
    return found + [_related(_MEMBER, one) for one in members]


async def _linked(services: Services, caller: Caller, record: RecordView) -> list[tuple[Title, RecordView]]:
    """The matters that its fields name."""
    found: list[tuple[Title, RecordView]] = []
    for field, how in _LINKS.items():
        other = record.fields.get(field)
        if not isinstance(other, str):
            continue
        try:
            found.append((how, await get(services, caller, other, None)))
        except Declined:
            continue
    return found


def _related(how: Title, view: RecordView) -> Related:
    return Related(how, view.id, view.number, str(view.fields.get("title", "")), view.state)
