"""The office's own day after the round: the hotline calls again, and the clerk works through what was reported.

Some of every sort stays for whoever looks further: each task of docs/office-guide.zh.md can be done with it.
"""

from itertools import cycle
from typing import Final

from client_sdk import OfficeRecord
from demo.clocks import MINUTE, ServerClock
from demo.office import Office
from demo.people import UNIT, Desk
from demo.plan import TOWNSHIP

TAKEN_ON: Final = 36
"""Of what was reported; the rest is still new."""
_AGAIN: Final = slice(2, 4)
"""Tickets that a second caller tells of: two pairs that may be one matter."""
_SAID_AGAIN: Final = ("nature", "title", "narrative", "source")
_CALLERS: Final = (("王某", "0523-00010001"), ("李某", "0523-00010002"), ("张某", "0523-00010003"))
_UNPLACED: Final = ("集市散场后垃圾无人清理", "村口公交站牌被撞歪")
_DONE: Final = "双方已谈妥，按约定办理。"
_ANSWER: Final = "您反映的事项已到现场核实并办理，处理结果已当面告知。"


def call_again(office: Office) -> None:
    """The hotline's second batch: two callers about what is known, two matters of which nobody said where."""
    clerk = office.people["clerk"].at_work()
    for ticket, record in office.tickets[_AGAIN]:
        known = clerk.get(record, fields=_SAID_AGAIN).fields
        office.hotline.create("matter", key=f"{ticket.key}:again", grid=ticket.grid, **known)
    for title in _UNPLACED:
        key = f"12345:{title}"
        office.hotline.create("matter", key=key, township=TOWNSHIP, title=title, source="hotline")


def work(desk: Desk, clock: ServerClock) -> None:
    """Accepts, gives to a unit, handles, answers and closes; notes who called."""
    client = desk.at_work()
    reported = list(client.records("matter", state="reported"))[:TAKEN_ON]
    steps = cycle((_accept, _assign, _settle, _resolve, _answer))
    for at, (record, step) in enumerate(zip(reported, steps, strict=False)):
        name, contact = _CALLERS[at % len(_CALLERS)]
        caller = client.append(record, "parties", role="applicant", name=name, contact=contact)
        step(desk, caller)
        clock.wait(MINUTE)


def _accept(desk: Desk, record: OfficeRecord) -> OfficeRecord:
    return desk.client.act(record, "accept")


def _assign(desk: Desk, record: OfficeRecord) -> None:
    _accept(desk, record)
    desk.browser.put(f"/v1/records/{record.id}/units", {"units": [UNIT]})
    desk.client.act(desk.client.get(record.id), "assign")


def _settle(desk: Desk, record: OfficeRecord) -> None:
    client = desk.client
    client.act(client.act(record, "settle"), "close", reason="当场办结")


def _resolve(desk: Desk, record: OfficeRecord) -> OfficeRecord:
    return desk.client.act(desk.client.act(_accept(desk, record), "handle"), "resolve", note=_DONE)


def _answer(desk: Desk, record: OfficeRecord) -> None:
    client = desk.client
    client.act(client.append(_resolve(desk, record), "answers", text=_ANSWER), "answer")
