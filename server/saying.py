"""What a record says, in the words of its declaration: fields, values, states, times in Asia/Shanghai. Pure.

Values come as services give them, with contact masked; whatever has no declaration is shown as it is.
"""

import json
from datetime import datetime
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from sync_protocol.history import DELETED, EXISTENCE, INTO, KEPT, NUMBER, PLACE, STATE
from sync_protocol.kinds import Field, Kind, Title

Language = Literal["zh", "en"]
SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
_YES: Final = Title("是", "yes")
_NO: Final = Title("否", "no")
_PATHS: Final = {
    STATE: Title("状态", "State"),
    PLACE: Title("所在网格", "Grid"),
    NUMBER: Title("登记编号", "Registration number"),
    EXISTENCE: Title("整条记录", "The record itself"),
    INTO: Title("并入事项", "Joined into"),
}
_EXISTENCE: Final = {KEPT: Title("保留", "kept"), DELETED: Title("删除", "deleted")}


def pick(title: Title, language: Language) -> str:
    """One of two words."""
    return title.zh if language == "zh" else title.en


def path_title(kind: Kind | None, path: str, language: Language) -> str:
    """What a path is called: a field, or a list of entries with the sub-field."""
    if path in _PATHS:
        return pick(_PATHS[path], language)
    field, sub = _declared(kind, path)
    if field is None:
        return path.partition("/")[0]
    title = pick(field.title, language)
    return f"{title} · {pick(sub.title, language)}" if sub is not None else title


def path_said(kind: Kind | None, path: str, value: Any, language: Language) -> str:
    """What a value on a path says; nothing for none."""
    if value is None:
        return ""
    if path == STATE:
        return state_said(kind, value, language)
    if path == EXISTENCE:
        known = _EXISTENCE.get(value)
        return pick(known, language) if known is not None else str(value)
    _, _, below = path.partition("/")
    field, sub = _declared(kind, path)
    if field is None or not below:
        return value_said(field, value, language)
    if not field.of:  # a member of a set: the path says which, the value whether it is there
        return value_said(field, [below], language) if value else ""
    return value_said(sub, value, language) if "/" in below else entry_said(field, value, language)


def value_said(field: Field | None, value: Any, language: Language) -> str:
    """What a value of a field says; as it is where nothing is known of its field."""
    if value is None:
        return ""
    if field is None or isinstance(value, dict) != (field.type in {"point", "entries", "file"}):
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    match field.type:
        case "choice":
            return _code(field, str(value), language)
        case "choices":
            return ("、" if language == "zh" else ", ").join(
                _code(field, str(one), language) for one in value
            )
        case "boolean":
            return pick(_YES if value else _NO, language)
        case "datetime":
            return moment_said(str(value))
        case "point":
            return f"{value.get('lat', '')}, {value.get('lon', '')}"
        case "file":
            return str(value.get("name", ""))
        case "entries":
            return " / ".join(entry_said(field, one, language) for one in value.values())
        case _:
            return f"{value} {field.unit}" if field.unit else str(value)


def entry_said(field: Field, entry: Any, language: Language) -> str:
    """An entry in one line: its sub-fields in the order of the declaration."""
    if not isinstance(entry, dict):
        return str(entry)
    subs = [(sub, entry[sub.name]) for sub in field.of if entry.get(sub.name) is not None]
    return "；".join(
        f"{pick(sub.title, language)}：{value_said(sub, value, language)}" for sub, value in subs
    )


def state_said(kind: Kind | None, state: str | None, language: Language) -> str:
    """The title of a state."""
    workflow = kind.workflow if kind is not None else None
    found = workflow.state(state) if workflow is not None and state is not None else None
    return pick(found.title, language) if found is not None else state or ""


def moment_said(text: str) -> str:
    """A time as records hold it, in Asia/Shanghai to the minute; as it is where it is none."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return text
    return (at.astimezone(SHANGHAI) if at.tzinfo is not None else at).strftime("%Y-%m-%d %H:%M")


def day_said(ms: int) -> str:
    """The day of a time of the server, as papers write it: 2026年3月1日."""
    at = datetime.fromtimestamp(ms / 1000, SHANGHAI)
    return f"{at.year}年{at.month}月{at.day}日"


def _declared(kind: Kind | None, path: str) -> tuple[Field | None, Field | None]:
    """The field that a path begins with, and the sub-field that it names, if any."""
    name, _, below = path.partition("/")
    field = kind.field(name) if kind is not None else None
    if field is None or not field.of:
        return field, None
    return field, field.sub_field(below.partition("/")[2])


def _code(field: Field, code: str, language: Language) -> str:
    found = next((one for one in field.choices if one.code == code), None)
    return (found.zh if language == "zh" else found.en) if found is not None else code
