"""One matter with everything about it, for the page and the printed case file: each part by its own right."""

from collections.abc import Callable
from typing import Final

import msgspec

from server.casefile import undertaking, urging
from server.casefile.related import Related, related
from server.casefile.steps import TOGETHER
from server.casefile.timeline import Moment, moment
from server.casefile.undertaking import Handling, Person
from server.casefile.urging import UrgingView
from server.deadlines import service as deadlines
from server.deadlines.views import RecordDeadlines
from server.declined import not_found
from server.reach import Caller
from server.records import reading
from server.records import service as records
from server.records.reading import veil_for
from server.records.service import Action
from server.records.views import HistoryItem, RecordView
from server.saying import Language
from server.services import Services
from server.slips import service as slips
from server.slips.service import SlipView
from sync_protocol.kinds import Kind

CHANGES_MAX: Final = 2_000
_PAGE: Final = 500
Acting = Callable[[str], Caller | None]
"""Somebody about to do an action of rights.toml; None when they may not."""


class CaseFile(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about one matter that somebody may see; what they may not is empty."""

    record: RecordView
    kind: Kind | None
    actions: list[Action]
    deadlines: RecordDeadlines
    handling: Handling
    leaders: list[Person]
    """Those who have taken it on, by name."""
    urgings: list[UrgingView]
    slips: list[SlipView]
    related: list[Related]
    timeline: list[Moment]
    """The newest first."""
    more: bool
    """Whether there were more changes than are shown."""


async def case_file(services: Services, acting: Acting, record: str, language: Language) -> CaseFile:
    """The case file of a record; declines one that does not exist within the reach of whoever asks."""
    reader = acting("records.read")
    if reader is None:
        raise not_found()
    view = await reading.get(services, reader, record, None)
    kind = services.registry.latest(view.kind)
    may_history, may_act = acting("records.history"), acting("records.act")
    may_due, may_slips = acting("deadlines.read"), acting("slips.read")
    may_handle = acting("assignments.read")
    items, more = await _history(services, may_history, record) if may_history else ([], False)
    handling = await undertaking.handling(services, may_handle, record) if may_handle else Handling()
    known = {one.id: one for one in await undertaking.leaders(services, reader)}
    return CaseFile(
        record=view,
        kind=kind,
        actions=[one for one in await records.actions(services, may_act, record) if one.name not in TOGETHER]
        if may_act
        else [],
        deadlines=await deadlines.of_record(services, may_due, record)
        if may_due
        else RecordDeadlines([], [], []),
        handling=handling,
        leaders=[known.get(one, Person(one, "")) for one in handling.leaders],
        urgings=await urging.of_record(services, reader, record),
        slips=await slips.of_record(services, may_slips, record) if may_slips else [],
        related=await related(services, reader, view),
        timeline=[moment(item, kind, language) for item in reversed(items)],
        more=more,
    )


async def parties(services: Services, caller: Caller, record: str) -> dict[str, dict[str, object]]:
    """The parties of a matter as they are shown without a reason: masked."""
    _, state = await reading.find(services, caller, record)
    await services.registry.ensure()
    veil = msgspec.structs.replace(veil_for(services, caller, state.kind), full=False)
    return veil.at("parties", state.values.get("parties")) or {}


async def _history(services: Services, caller: Caller, record: str) -> tuple[list[HistoryItem], bool]:
    items: list[HistoryItem] = []
    after: str | None = None
    while len(items) < CHANGES_MAX:
        page = await reading.history(services, caller, record, after, _PAGE)
        items += page.changes
        after = page.next
        if after is None:
            return items, False
    return items, True
