"""Matters that two workers and the office edit without seeing each other, in every way that the merge knows.

apart      different fields                     latest     one single value, both ways
review     how many people are involved         texts      different sentences of the narrative
sentence   the same sentence                    entries    a measure each
tags       a member each                        office     a worker and the office, the same value
"""

from typing import Any, Final

from client_sdk import Record
from demo.plan import TicketPlan
from demo.texts import MEASURES, Narrative
from demo.work import Worker

PEOPLE: Final = 5
_SEEN, _OPINION = "现场核实：待核实。", "处理意见：待定。"
_TAGS: Final = ("road", "cross_village"), ("drainage", "joint_handling")
_URGENCY: Final = ("same_day", "accelerated")
_FINDING: Final = ("现场核实：已到现场，情况属实。", "现场核实：已核实，与反映略有出入。")
_ADVICE: Final = "处理意见：建议先由村里调解。"
_PARTS: Final = (_SEEN, _FINDING[0]), (_OPINION, _ADVICE)
"""What each worker writes in the narrative, for what."""
_UNITS: Final = "镇司法所、村委会"


def fields(ticket: TicketPlan, narrative: Narrative) -> dict[str, Any]:
    """What the hotline handed over."""
    text = f"{narrative.text}\n{_SEEN}\n以下由网格员填写。\n{_OPINION}"
    return {
        "nature": "service",
        "title": narrative.title,
        "narrative": text,
        "people_involved": PEOPLE,
        "source": "hotline",
        "references": [{"system": "12345", "number": ticket.key.partition(":")[2]}],
    }


def edit_first_day(worker: Worker, record: Record, pattern: str, side: int) -> None:
    """What one of the two workers (side 0 or 1) does on the first day."""
    client, text = worker.device.client, record.fields["narrative"]
    match pattern:
        case "apart":
            other: dict[str, Any] = {"urgency": _URGENCY[0]} if side else {"category": "09"}
            worker.did(client.update(record, **other))
        case "latest":
            worker.did(client.update(record, urgency=_URGENCY[side]))
        case "review" | "office":
            if pattern == "review" or side:
                worker.did(client.update(record, people_involved=PEOPLE + 1 + side))
        case "texts":
            old, new = _PARTS[side]
            worker.did(client.update(record, narrative=text.replace(old, new)))
        case "sentence":
            worker.did(client.update(record, narrative=text.replace(_SEEN, _FINDING[side])))
        case "entries":
            worker.did(client.append(record, "measures", text=MEASURES[side], at=worker.now()))
        case "tags":
            worker.did(client.add(record, "tags", *_TAGS[side]))


def edit_second_day(worker: Worker, record: Record, side: int) -> None:
    """Both go on with it: a measure each, their part of the narrative, perhaps another number of people."""
    client, text = worker.device.client, record.fields["narrative"]
    record = worker.did(client.append(record, "measures", text=worker.draw.choice(MEASURES)))
    old, new = _PARTS[side]
    if old in text:
        record = worker.did(client.update(record, narrative=text.replace(old, new)))
    if worker.draw.random() < 0.4:  # noqa: PLR2004 (two in five)
        standing = record.fields["people_involved"] or PEOPLE
        worker.did(client.update(record, people_involved=standing + worker.draw.randrange(1, 4)))


def office_edit(pattern: str) -> dict[str, Any]:
    """What the office writes on the first day, while the workers are out."""
    values: dict[str, Any] = {"units_involved": _UNITS}
    return values | {"people_involved": PEOPLE + 4} if pattern == "office" else values
