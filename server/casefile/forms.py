"""Forms from a kind's declaration: which inputs there are, and what they say once they were sent. Pure.

Every input travels with what it showed (`was.NAME`). Only what somebody changed counts, so a form that was open
for an hour puts nothing back that others changed meanwhile, and a masked contact is never written as one.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from server.declined import invalid
from server.saying import SHANGHAI, Language, pick
from sync_protocol.kinds import Field, Kind

WAS: Final = "was."
VALUE: Final = "f."
AREA_CHARS: Final = 500
"""A text that may be longer gets several lines."""
_TYPES: Final = {
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "date": "date",
    "datetime": "datetime-local",
    "choice": "choice",
    "choices": "choices",
}
_NOT_TYPED: Final = frozenset({"entries", "point", "file", "reference"})
"""What no plain input can say; it is shown, and changed elsewhere."""
_YES: Final = "yes"
_NO: Final = "no"


class Input(msgspec.Struct, frozen=True, kw_only=True):
    """One input of a form."""

    name: str
    label: str
    type: str
    """text, area, number, boolean, date, datetime-local, choice, choices."""
    value: str
    """What it shows; of `choices` the codes, separated by spaces."""
    was: str
    """What stands; another than `value` where something is proposed."""
    choices: list[tuple[str, str]] = []
    required: bool = False
    max_length: int | None = None
    unit: str = ""

    @property
    def chosen(self) -> list[str]:
        """The codes that `choices` shows."""
        return self.value.split()


def typed(field: Field) -> bool:
    """Whether a plain input may say a value of the field; the state is moved by steps alone."""
    return field.type not in _NOT_TYPED and field.merge != "workflow"


def inputs(
    fields: Iterable[Field],
    values: Mapping[str, Any],
    language: Language,
    proposed: Mapping[str, Any] | None = None,
) -> list[Input]:
    """The inputs of these fields, with the values that stand; where none stands, with what is proposed."""
    offered = proposed or {}
    return [
        _input(field, values.get(field.name), offered.get(field.name), language)
        for field in fields
        if typed(field)
    ]


def by_somebody_now(name: str, now_ms: int) -> dict[str, Any]:
    """What a new entry begins with, by the words that entries have for it: by whom, on which day, when."""
    at = datetime.fromtimestamp(now_ms / 1000, SHANGHAI).replace(microsecond=0)
    moment, day = at.isoformat(), at.date().isoformat()
    return {"by": name, "on": day, "at": moment, "held_at": moment}


def sent_values(fields: Iterable[Field], sent: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The values that somebody changed, by field; None for one that was cleared. Declines what is no such value."""
    changed: dict[str, Any] = {}
    for field in fields:
        was, now = _text(sent, WAS + field.name), _text(sent, VALUE + field.name)
        if typed(field) and now != was:
            changed[field.name] = value_of(field, now)
    return changed


def entry_fields(kind: Kind, name: str) -> tuple[Field, ...]:
    """The sub-fields of a list of entries; declines what is none."""
    field = kind.field(name)
    if field is None or field.type != "entries":
        raise invalid(name, "there is no such list of entries", "unknown_field")
    return field.of


def _input(field: Field, value: Any, offered: Any, language: Language) -> Input:
    kind = _TYPES.get(field.type, "area" if (field.max_length or AREA_CHARS) >= AREA_CHARS else "text")
    return Input(
        name=field.name,
        label=pick(field.title, language),
        type="choice" if kind == "boolean" else kind,
        value=shown_as(field, offered if value is None else value),
        was=shown_as(field, value),
        choices=choices_of(field, language),
        required=field.required,
        max_length=field.max_length,
        unit=field.unit or "",
    )


def choices_of(field: Field, language: Language) -> list[tuple[str, str]]:
    """What can be chosen for a field, each with its word; nothing where it is typed."""
    if field.type == "boolean":
        return [(_YES, "是" if language == "zh" else "Yes"), (_NO, "否" if language == "zh" else "No")]
    return [(one.code, one.zh if language == "zh" else one.en) for one in field.choices]


def shown_as(field: Field, value: Any) -> str:
    """What an input shows of a value; `value_of` reads it again."""
    if value is None:
        return ""
    if field.type == "boolean":
        return _YES if value else _NO
    if field.type == "choices":
        return " ".join(sorted(value))
    if field.type == "datetime":
        return datetime.fromisoformat(value).astimezone(SHANGHAI).strftime("%Y-%m-%dT%H:%M")
    return str(value)


def _text(sent: Mapping[str, Sequence[str]], name: str) -> str:
    """What an input sent. Browsers end lines with CR LF; a text of ours has LF alone."""
    return " ".join(sorted(sent.get(name, ()))).replace("\r\n", "\n").strip()


def value_of(field: Field, text: str) -> Any:
    """The value that an input sent; None for one that was cleared. Declines what is none of the field's type."""
    if not text:
        return [] if field.type == "choices" else None
    try:
        match field.type:
            case "integer":
                return int(text)
            case "number":
                return float(text)
            case "boolean":
                return text == _YES
            case "choices":
                return text.split()
            case "datetime":
                return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).isoformat()
            case _:
                return text
    except ValueError:
        raise invalid(
            field.name, f"a value of the type {field.type}", detail_zh=f"“{field.title.zh}”填得不对"
        ) from None
