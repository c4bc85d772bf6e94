"""Values of a record in words, as its kind declares them: codes by their titles, times in Asia/Shanghai. Pure."""

from datetime import datetime
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from sync_protocol.kinds import Field, Kind, Title

Language = Literal["zh", "en"]
SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
_YES: Final = Title("是", "yes")
_NO: Final = Title("否", "no")


def pick(title: Title, language: Language) -> str:
    """One of two words."""
    return title.zh if language == "zh" else title.en


def value_said(field: Field | None, value: Any, language: Language) -> str:
    """What a value of a field says; as it is where nothing is known of its field."""
    if value is None:
        return ""
    if field is None or isinstance(value, dict) != (field.type in {"point", "entries", "file"}):
        return str(value)
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


def _code(field: Field, code: str, language: Language) -> str:
    found = next((one for one in field.choices if one.code == code), None)
    return (found.zh if language == "zh" else found.en) if found is not None else code
