"""What a line of the inbox says, and where it leads. Pure."""

from typing import Final

import msgspec

from server.console.words import Words
from server.inbox.queues import Queue, Source
from server.inbox.service import Waiting
from sync_protocol.codes import CODES
from sync_protocol.kinds import Kind

_MATTERS: Final = "/office/matters/{0.record}"
_LINKS: Final[dict[Source, str]] = {
    "differences": "/office/differences/{0.id}",
    "duplicates": "/office/duplicates/{0.id}",
    "quarantine": "/office/quarantine/{0.id}",
    "devices": "/office/devices#{0.id}",
}
_STATE, _PLACE = "state", "place"


class Shown(msgspec.Struct, frozen=True):
    """One line."""

    link: str
    number: str
    words: str
    since: str
    late: bool
    value: str
    """What a form sends of it."""


def shown(row: Waiting, queue: Queue, kind: Kind | None, words: Words, now_ms: int) -> Shown:
    """A line in the language of the page."""
    by_date = queue.question.due is not None or queue.source == "feedback"
    return Shown(
        _LINKS.get(queue.source, _MATTERS).format(row),
        row.number or "",
        _words(row, queue, kind, words),
        words.left(row.at_ms, now_ms) if by_date else words.ago(row.at_ms, now_ms),
        by_date and row.at_ms < now_ms,
        f"{row.record}@{row.n}",
    )


def _words(row: Waiting, queue: Queue, kind: Kind | None, words: Words) -> str:
    match queue.source:
        case "differences":
            return " · ".join(filter(None, (_field(row.what, kind, words), row.title)))
        case "quarantine":
            code = CODES.get(row.what)
            return words(code.zh, code.en) if code is not None else row.what
        case "devices":
            return row.what
    return row.title or ""


def _field(path: str, kind: Kind | None, words: Words) -> str:
    name = path.partition("/")[0]
    if name in {_STATE, _PLACE}:
        return words("状态", "State") if name == _STATE else words("位置", "Place")
    field = kind.field(name) if kind is not None else None
    return words.title(field.title) if field is not None else name
