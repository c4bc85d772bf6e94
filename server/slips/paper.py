"""What a slip looks like, apart from the format that it is set in. Pure."""

import msgspec

from server.slips.templates import ADDRESSEE, filled
from sync_protocol.kinds import Title


class Body(msgspec.Struct, frozen=True):
    """What is kept of a slip: the words of its template as they were, and the values. So it stays what it was."""

    office: str
    title: Title
    number: str
    text: str
    values: dict[str, str]
    date: str


class Paper(msgspec.Struct, frozen=True):
    """What is printed, from top to bottom."""

    office: str
    heading: str
    number: str
    opening: str
    """The line to whom it is addressed, which is not indented; empty where the template has none."""
    paragraphs: list[str]
    date: str


def number(word: str, year: int, serial: int) -> str:
    """A slip's number as offices write it: 受告〔2026〕第12号."""
    return f"{word}〔{year}〕第{serial}号"


def paper(body: Body, hidden: str | None) -> Paper:
    """A slip to be printed; `hidden` stands in the place of the addressee, unless it is None."""
    values = body.values if hidden is None else body.values | {ADDRESSEE: hidden}
    paragraphs = filled(body.text, values)
    opening = paragraphs.pop(0) if paragraphs and paragraphs[0].endswith(("：", ":")) else ""
    return Paper(body.office, body.title.zh, body.number, opening, paragraphs, body.date)
