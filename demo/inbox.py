"""What the office sees: one value that differs, with base and both sides, and one history."""

from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any, Final

from client_sdk import Conflict, OfficeClient
from client_sdk.office_answers import HistoryEntry, Side
from demo.result import Differing, Step, Story, Value

_STATUSES: Final = ("open", "by_rule")
_LONG: Final = 40
_ENTRY_PARTS: Final = 2
_TAIL: Final = 4


def differing(office: OfficeClient) -> Differing | None:
    """A row of the inbox: rather one that waits for the office, and of which one value still stands."""
    for status in _STATUSES:
        rows = office.conflicts(status)
        if rows:
            row = max(rows, key=_interest)
            about = (row.record, row.number, row.path, row.rule, row.status)
            return Differing(*about, row.base, row.stands, tuple(_value(side) for side in row.values))
    return None


def history(office: OfficeClient, record: str) -> Story:
    """Everything that happened to a record."""
    stands = office.get(record)
    steps = tuple(_step(row) for row in office.history(record))
    return Story(record, stands.number, str(stands.fields.get("title", "")), steps)


def short(value: Any) -> str:
    """A value that fits into a line."""
    if value is None:
        return "–"
    if isinstance(value, Mapping):
        return short(" ".join(map(str, value.values())))
    text = str(value).replace("\n", " ")
    return text if len(text) <= _LONG else f"{text[: _LONG - 1]}…"


def _interest(row: Conflict) -> tuple[bool, bool, int]:
    stands = any(side.stands for side in row.values)
    return stands, row.path == "people_involved", len(row.values)


def _value(side: Side) -> Value:
    who = side.who
    if who is None:
        return Value(side.value, "–", "–", 0, 0, 0, side.stands)
    name = who.author_name or "–"
    return Value(side.value, name, who.role, who.at_ms, who.estimated_ms, who.uncertainty_ms, side.stands)


def _step(row: HistoryEntry) -> Step:
    who, what = row.who, tuple(_what(row))
    name = who.author_name or "–"
    return Step(row.n, name, who.role, who.at_ms, who.received_ms, row.result, row.code, what)


def _what(row: HistoryEntry) -> Sequence[str]:
    """What one change did, in a line a path."""
    if row.do == "create":
        return [f"+ {' '.join(sorted(row.fields))}"]
    return [f"{_path(effect.path)}: {_change(effect.before, effect.after)}" for effect in row.effects]


def _path(path: str) -> str:
    """A path whose entry is named by the end of its id."""
    parts = path.split("/")
    if len(parts) >= _ENTRY_PARTS and len(parts[1]) > _LONG // 2:
        parts[1] = f"…{parts[1][-_TAIL:]}"
    return "/".join(parts)


def _change(before: Any, after: Any) -> str:
    """From what to what; of long texts only the part that differs."""
    if isinstance(before, str) and isinstance(after, str) and max(len(before), len(after)) > _LONG:
        same = _same(before, after)
        tail = _same(before[same:][::-1], after[same:][::-1])
        before, after = (f"…{text[same : len(text) - tail]}…" for text in (before, after))
    return f"{short(before)} → {short(after)}"


def _same(one: str, other: str) -> int:
    """How many characters two texts begin with alike."""
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    return sum(1 for _ in alike)
