"""1,408 real messages of citizens as matters, each answered when it really was, under a simulated clock.

They are fed in by the push that every door of the office ends in, two requests a message, each at its very
time; through HTTP they would take minutes. The pass runs every two months, and whenever the arithmetic below, which
knows nothing of rules, expects something to be told.
"""

import csv
from collections import Counter
from datetime import datetime, timedelta
from operator import itemgetter
from pathlib import Path

import msgspec
import pytest

from server.deadlines.keeping import GRACE_MS
from server.reach import Reach
from server.reckoning.spans import ZONE
from server.storage import deadlines
from server.storage.engine import snapshot
from tests.deadlines.desk import DAY_MS, Desk, desk_of
from tests.server.office_server import TOWN

TITLE_CHARS, TEXT_CHARS = 200, 4_000
TOLD_AFTER_DAYS = {
    ("resolve", "warning"): 25,
    ("resolve", "explanation"): 30,
    ("resolve", "escalation"): 45,
    ("statutory_resolve", "warning"): 50,
    ("statutory_resolve", "explanation"): 60,
    ("statutory_resolve", "escalation"): 60,
}
"""What is told of a matter that takes longer than so many days, and when."""
EVERYTHING = 10_000
MONTHS_MS = 60 * DAY_MS
LOOK, SENT, REPLIED = range(3)


class Message(msgspec.Struct, frozen=True):
    """One message, its times in milliseconds since 1970 UTC."""

    id: str
    subject: str
    detail: str
    reply: str
    sent_ms: int
    replied_ms: int

    def to_be_told(self) -> dict[tuple[str, str], int]:
        """Rule and sort, and when."""
        times = {what: self.sent_ms + days * DAY_MS for what, days in TOLD_AFTER_DAYS.items()}
        return {what: at_ms for what, at_ms in times.items() if at_ms < self.replied_ms}


def messages(folder: Path) -> list[Message]:
    path = folder / "complaints" / "messages_with_replies.csv"
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [
            Message(
                row["msg_id"],
                row["subject"].strip()[:TITLE_CHARS] or "无题",
                row["detail"].strip(),
                row["reply"].strip()[:TEXT_CHARS] or "已答复",
                _ms(row["sent_at"]),
                _ms(row["replied_at"]),
            )
            for row in csv.DictReader(file)
        ]


def _ms(local: str) -> int:
    return int(datetime.fromisoformat(local).replace(tzinfo=ZONE).timestamp()) * 1_000


async def receive(desk: Desk, message: Message) -> str:
    """Registered, accepted, assigned and in hand at once, so that no rule but those of the long run is concerned."""
    record = desk.server.new_id()
    says = {"title": message.subject, "narrative": message.detail, "source": "online"}
    await desk.push(desk.create(record, **says), desk.step(record, "accept"), desk.step(record, "handle"))
    return record


async def answer(desk: Desk, record: str, message: Message) -> None:
    await desk.push(desk.step(record, "resolve"), desk.step(record, "answer", text=message.reply))


@pytest.mark.slow
async def test_each_message_gets_its_warning_request_and_escalation_in_time_and_no_other(
    database_url: str, shared_data: Path
) -> None:
    found = messages(shared_data)
    took = [timedelta(milliseconds=one.replied_ms - one.sent_ms) for one in found]
    assert [sum(one > timedelta(days=n) for one in took) for n in (30, 45, 60)] == [227, 123, 84]
    async with desk_of(database_url) as desk:
        records = await _live_through(desk, found)
        told = await snapshot(
            desk.server.services.engine,
            lambda c: deadlines.told(c, TOWN, 0, None, EVERYTHING, Reach((TOWN,))),
        )
    events = [one.row for one in told]
    # Each once, at its very moment, and written as soon as nothing that was received before can still come.
    assert Counter((e.record_id, e.rule, e.sort, e.at_ms) for e in events) == Counter(
        (records[one.id], *what, at_ms) for one in found for what, at_ms in one.to_be_told().items()
    )
    assert {e.written_ms - e.at_ms for e in events} == {GRACE_MS}
    counted = Counter((e.rule, e.sort) for e in events)
    assert counted["resolve", "explanation"] == 227
    assert counted["resolve", "escalation"] == 123
    assert counted["statutory_resolve", "escalation"] == 84


async def _live_through(desk: Desk, found: list[Message]) -> dict[str, str]:
    """Nine years, from the first message to the last answer; the record of each message."""
    first, last = min(one.sent_ms for one in found), max(one.replied_ms for one in found)
    looks = {at_ms + GRACE_MS for one in found for at_ms in one.to_be_told().values()}
    looks |= set(range(first, last + 2 * MONTHS_MS, MONTHS_MS))
    moments = [(one.sent_ms, SENT, one) for one in found] + [(one.replied_ms, REPLIED, one) for one in found]
    records: dict[str, str] = {}
    for at_ms, sort, message in sorted([*moments, *((ms, LOOK, None) for ms in looks)], key=itemgetter(0, 1)):
        desk.move_to(at_ms)
        if message is None:
            await desk.keep()
        elif sort == SENT:
            records[message.id] = await receive(desk, message)
        else:
            await answer(desk, records[message.id], message)
    return records
