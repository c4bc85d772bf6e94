"""Which queues there are, and which of them a role has, in the order in which they stand. Pure data.

A queue is counted within the reach that its action gives to the person, so nobody is told of what they may not see.
"""

from typing import Final, Literal, TypeAlias

import msgspec

from server.ledger.asking import Question
from server.rights import Person, rights

Source: TypeAlias = Literal[
    "ledger",
    "came_back",
    "opinion",
    "differences",
    "duplicates",
    "quarantine",
    "urgings",
    "extensions",
    "feedback",
    "devices",
]
OFFICE: Final = ("clerk", "administrator")
_LEADER: Final = ("leader",)
_VILLAGE: Final = ("village_officer",)
_UNIT: Final = ("unit_handler",)
_COUNTY: Final = ("county_handler",)


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """Something that waits for somebody."""

    name: str
    zh: str
    en: str
    source: Source = "ledger"
    action: str = "records.list"
    roles: tuple[str, ...]
    question: Question = Question()
    """Of the ledger, where that is the source."""
    page: str | None = None
    """A page that is made for this queue; None for the plain list."""
    urgent: bool = False


QUEUES: Final = (
    Queue(
        name="differences",
        zh="内容不一致，待核对",
        en="Values differ",
        source="differences",
        action="conflicts.list",
        roles=OFFICE,
        page="/office/differences",
    ),
    Queue(
        name="duplicates",
        zh="疑似重复",
        en="Possible duplicates",
        source="duplicates",
        action="records.join",
        roles=OFFICE,
        page="/office/duplicates",
    ),
    Queue(
        name="quarantine",
        zh="待处理上传",
        en="Waiting changes",
        source="quarantine",
        action="quarantine.list",
        roles=OFFICE,
        page="/office/quarantine",
    ),
    Queue(
        name="overdue",
        zh="超期",
        en="Overdue",
        roles=(*OFFICE, *_LEADER, *_UNIT, *_VILLAGE),
        question=Question(due="overdue", sort="due"),
        urgent=True,
    ),
    Queue(
        name="soon",
        zh="临期（三天内）",
        en="Due within three days",
        roles=(*OFFICE, *_LEADER, *_UNIT, *_VILLAGE),
        question=Question(due="soon", sort="due"),
    ),
    Queue(
        name="urgings",
        zh="催办、督办待回复",
        en="Urged or supervised, to be answered",
        source="urgings",
        action="urgings.answer",
        roles=(*_LEADER, *_UNIT, *_VILLAGE, *OFFICE),
        urgent=True,
    ),
    Queue(
        name="extensions",
        zh="延期申请待批",
        en="Extensions to approve",
        source="extensions",
        action="deadlines.decide",
        roles=(*OFFICE, *_LEADER, *_COUNTY),
    ),
    Queue(
        name="reported",
        zh="新上报，待受理",
        en="Newly reported",
        roles=OFFICE,
        question=Question(state="reported", sort="oldest"),
    ),
    Queue(
        name="came_back",
        zh="退回后重新上报",
        en="Reported again after a return",
        source="came_back",
        roles=OFFICE,
    ),
    Queue(
        name="unplaced",
        zh="没有位置的事项",
        en="Without a place",
        roles=OFFICE,
        question=Question(place="none", state="open", sort="oldest"),
        page="/office/unplaced",
    ),
    Queue(
        name="feedback",
        zh="交办后无反馈",
        en="Assigned, no feedback",
        source="feedback",
        action="deadlines.list",
        roles=OFFICE,
        urgent=True,
    ),
    Queue(
        name="devices",
        zh="三天以上未联系的设备",
        en="Devices not heard of for three days",
        source="devices",
        action="devices.list",
        roles=OFFICE,
        page="/office/devices",
    ),
    Queue(
        name="opinion",
        zh="待签署意见",
        en="Waiting for your opinion",
        source="opinion",
        roles=_LEADER,
    ),
    Queue(
        name="taken_on",
        zh="我包案的事项",
        en="Taken on by you",
        roles=_LEADER,
        question=Question(state="open", sort="oldest"),
    ),
    Queue(
        name="assigned",
        zh="交办给本单位，待办理",
        en="Assigned to your unit",
        roles=_UNIT,
        question=Question(state="assigned", sort="oldest"),
    ),
    Queue(
        name="handling",
        zh="本单位办理中",
        en="Being handled by your unit",
        roles=_UNIT,
        question=Question(state="handling", sort="oldest"),
    ),
    Queue(
        name="settle",
        zh="可在村里办结的",
        en="Can be settled in the village",
        roles=_VILLAGE,
        question=Question(state="reported", sort="oldest"),
    ),
    Queue(
        name="village",
        zh="本村未办结的",
        en="Open in your village",
        roles=_VILLAGE,
        question=Question(state="open", sort="oldest"),
    ),
    Queue(
        name="passed_up",
        zh="乡镇提级上来的",
        en="Passed up by townships",
        roles=_COUNTY,
        question=Question(state="passed_up", sort="oldest"),
    ),
)


def queues_of(person: Person) -> list[Queue]:
    """Those that somebody has."""
    actions = rights().actions
    return [
        one
        for one in QUEUES
        if person.role in one.roles and actions[one.action].scope_of(person.role) is not None
    ]


def queue_of(person: Person, name: str) -> Queue | None:
    """One of them by its name; None where the person has no such queue."""
    return next((one for one in queues_of(person) if one.name == name), None)
