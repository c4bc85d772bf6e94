"""What the HTTP surface says of deadlines: plain structs. Nothing of what a record says is in them."""

import base64
import binascii
from typing import Any, Final

import msgspec

from server.declined import Declined
from server.reckoning.clocks import RUNNING
from server.reckoning.rules import Allowance, Rule
from server.storage.deadline_entries import Entry
from server.storage.deadlines import Event, Row, Shown
from sync_protocol.ids import is_id
from sync_protocol.kinds import Title

_NUMBER_MAX: Final = 2**63
_RULE_CHARS_MAX: Final = 40


class RecordBrief(msgspec.Struct, frozen=True):
    """The record that a deadline is about."""

    id: str
    township: str
    kind: str
    place: str
    state: str | None
    number: str | None


class DeadlineView(msgspec.Struct, frozen=True, kw_only=True):
    """A deadline. Times in milliseconds since 1970 UTC, on the server's clock."""

    record: RecordBrief
    rule: str
    title: Title
    source: str
    start: int
    """The township's number of the change that set the clock going: with record and rule it names the deadline."""
    started_ms: int
    due_ms: int
    status: str
    """running, met, dropped (the rule ceased to apply, or the clock began anew)."""
    ended_ms: int | None
    overdue: bool
    """Whether it is, or was, not met in time."""
    uncertain: bool
    """Whether working days of a year without the official notice were counted: install that year."""
    extension: Allowance | None
    """By how much it may be moved, how often, and who approves."""


class EventView(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was told of a deadline, once."""

    n: int
    record: RecordBrief
    rule: str
    title: Title
    start: int
    sort: str
    """warning, explanation (a written one is asked for), escalation."""
    due_ms: int
    at_ms: int
    """When it was to be told; it was written as soon as nothing received before that could still come."""
    written_ms: int
    to: str | None
    """Of an escalation: the role that has to act."""
    measures: list[str]
    """Of an escalation: urge, circulate, supervise."""


class EntryView(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wrote about a deadline; what belongs to an extension is null in an explanation."""

    id: str
    rule: str
    start: int
    sort: str
    """explanation, extension."""
    words: str
    by: str
    by_name: str | None
    written_ms: int
    unit: str | None
    amount: int | None
    approved: bool | None
    """null as long as nobody has decided."""
    decided_by: str | None
    decided_by_name: str | None
    decided_ms: int | None
    decided_words: str | None


class DeadlinePage(msgspec.Struct, frozen=True):
    """Some deadlines, those that are due first, and from where the list goes on; null at its end."""

    deadlines: list[DeadlineView]
    next: str | None
    now_ms: int
    """The server's clock, by which `overdue` was judged."""


class EventPage(msgspec.Struct, frozen=True):
    """Some events of one township, the oldest first."""

    events: list[EventView]
    last: int
    """The number to go on from: as `since` of the next request, now or later, it brings all that come after."""


class RecordDeadlines(msgspec.Struct, frozen=True):
    """Everything about the deadlines of one record."""

    deadlines: list[DeadlineView]
    events: list[EventView]
    entries: list[EntryView]


class After(msgspec.Struct, frozen=True, array_like=True):
    """Where a list of deadlines goes on: township, then due time, record, rule and start of the last one."""

    township: str
    due_ms: int
    record: str
    rule: str
    start: int

    def token(self) -> str:
        """The text from which the next page goes on."""
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).rstrip(b"=").decode()


def after_of(text: str | None) -> After | None:
    """The place that `After.token` wrote; None for the beginning. Declines any other text."""
    if text is None:
        return None
    try:
        raw = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        found = msgspec.json.decode(raw, type=After)
    except (ValueError, binascii.Error) as error:
        raise Declined("cursor_invalid", "after is the `next` of a page of this list") from error
    sound = all(0 <= n < _NUMBER_MAX for n in (found.due_ms, found.start))
    if not sound or not is_id(found.record) or len(found.rule) > _RULE_CHARS_MAX or "\0" in found.rule:
        raise Declined("cursor_invalid", "after is the `next` of a page of this list")
    return found


def brief(township: str, record: str, shown: Shown[Any]) -> RecordBrief:
    """What lists say of a record."""
    return RecordBrief(record, township, shown.kind, shown.place, shown.state, shown.number)


def deadline_view(record: RecordBrief, row: Row, rule: Rule | None, now_ms: int) -> DeadlineView:
    """A deadline; `rule` is None for one whose rule is about to be taken out."""
    return DeadlineView(
        record=record,
        rule=row.rule,
        title=_title(row.rule, rule),
        source=rule.source if rule is not None else "",
        start=row.started_n,
        started_ms=row.started_ms,
        due_ms=row.due_ms,
        status=row.status,
        ended_ms=row.ended_ms,
        overdue=row.due_ms < (now_ms if row.ended_ms is None else row.ended_ms),
        uncertain=row.uncertain,
        extension=rule.extension if rule is not None and row.status == RUNNING else None,
    )


def event_view(record: RecordBrief, event: Event, rule: Rule | None) -> EventView:
    """Something that was told."""
    return EventView(
        n=event.n,
        record=record,
        rule=event.rule,
        title=_title(event.rule, rule),
        start=event.started_n,
        sort=event.sort,
        due_ms=event.due_ms,
        at_ms=event.at_ms,
        written_ms=event.written_ms,
        to=event.role,
        measures=event.measures.split() if event.measures else [],
    )


def entry_view(entry: Entry, names: dict[str, str]) -> EntryView:
    """What somebody wrote."""
    return EntryView(
        id=entry.entry_id,
        rule=entry.rule,
        start=entry.started_n,
        sort=entry.sort,
        words=entry.words,
        by=entry.author,
        by_name=names.get(entry.author),
        written_ms=entry.written_ms,
        unit=entry.unit,
        amount=entry.amount,
        approved=entry.approved,
        decided_by=entry.decided_by,
        decided_by_name=names.get(entry.decided_by or ""),
        decided_ms=entry.decided_ms,
        decided_words=entry.decided_words,
    )


def _title(name: str, rule: Rule | None) -> Title:
    return rule.title if rule is not None else Title(name, name)
