"""What a record says, in the words of its declaration: titles of fields, choices, states, times. Pure.

Values come as services give them, with contact masked; whatever has no declaration is shown as it is.
"""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec

from server.console.words import SHANGHAI, Words
from sync_protocol.history import EXISTENCE, INTO, KEPT, PLACE, STATE
from sync_protocol.kinds import Field, Kind


class Fact(msgspec.Struct, frozen=True):
    """One line: what it is about, and what is said."""

    name: str
    title: str
    text: str


def title_of(kind: Kind | None, path: str, w: Words) -> str:
    """What a path is called: a field, or a list of entries with the sub-field."""
    fixed = {
        EXISTENCE: w("整条记录", "The record itself"),
        STATE: w("状态", "State"),
        PLACE: w("所在网格", "Grid"),
        INTO: w("并入事项", "Joined into"),
    }
    if path in fixed:
        return fixed[path]
    name, _, below = path.partition("/")
    field = kind.field(name) if kind is not None else None
    if field is None:
        return name
    sub = field.sub_field(below.partition("/")[2]) if "/" in below else None
    return w.title(field.title) if sub is None else f"{w.title(field.title)} · {w.title(sub.title)}"


def said(kind: Kind | None, path: str, value: Any, w: Words) -> str:
    """What a value on a path says; "—" for none."""
    if value is None or value in ([], {}, ""):
        return "—"
    if path == EXISTENCE:
        return w("保留", "kept") if value == KEPT else w("删除", "deleted")
    if path == STATE:
        state = kind.workflow.state(str(value)) if kind is not None and kind.workflow is not None else None
        return w.title(state.title) if state is not None else str(value)
    name, _, below = path.partition("/")
    field = kind.field(name) if kind is not None else None
    if field is None:
        return _plain(value, w)
    if field.of:
        sub = field.sub_field(below.partition("/")[2]) if "/" in below else None
        if sub is not None:
            return _value(sub, value, w)
        return (
            _entry(field, value, w) if below else "\n".join(_entry(field, one, w) for one in value.values())
        )
    return _value(field, True if below else value, w)


def facts(kind: Kind | None, values: dict[str, Any], w: Words, skip: str = "") -> Iterator[Fact]:
    """A record's values in the order of its declaration, one of them left out."""
    order = list(kind.fields) if kind is not None else []
    for name in sorted(values, key=lambda one: order.index(one) if one in order else len(order)):
        if name != skip and values[name] not in (None, [], {}, ""):
            yield Fact(name, title_of(kind, name, w), said(kind, name, values[name], w))


def limits_of(field: Field, w: Words) -> str:
    """What may be written into a field, as far as it is bounded; "" where nothing needs to be said."""
    low, high = field.minimum, field.maximum
    if low is not None and high is not None:
        return w(f"{low:g} 至 {high:.15g}", f"{low:g} to {high:.15g}")
    if low is not None:
        return w(f"不小于 {low:g}", f"at least {low:g}")
    if field.type == "text" and field.max_length is not None:
        return w(f"最多 {field.max_length} 字", f"at most {field.max_length} characters")
    return ""


def _entry(field: Field, values: Any, w: Words) -> str:
    if not isinstance(values, dict):
        return _plain(values, w)
    known = [(sub, values[sub.name]) for sub in field.of if values.get(sub.name) not in (None, "")]
    return w("；", "; ").join(
        f"{w.title(sub.title)}{w('：', ': ')}{_value(sub, value, w)}" for sub, value in known
    )


def _value(field: Field, value: Any, w: Words) -> str:
    if field.choices:
        names = {choice.code: w(choice.zh, choice.en) for choice in field.choices}
        codes = value if isinstance(value, list) else [value]
        return w("、", ", ").join(names.get(code, str(code)) for code in codes)
    if field.type == "datetime" and isinstance(value, str):
        return w.moment(int(datetime.fromisoformat(value).astimezone(SHANGHAI).timestamp() * 1000))
    if field.type == "point" and isinstance(value, dict):
        return f"{value.get('lat')}, {value.get('lon')}"
    return f"{_plain(value, w)} {field.unit}" if field.unit else _plain(value, w)


def _plain(value: Any, w: Words) -> str:
    if isinstance(value, bool):
        return w("是", "yes") if value else w("否", "no")
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
