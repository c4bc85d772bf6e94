"""What somebody typed into an input, as a value of its field. Pure; the kind's own checks come afterwards."""

from typing import Any, Final

from server.declined import invalid
from sync_protocol.kinds import Field, Kind

INPUTS: Final = {
    "text": "text",
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "date": "date",
    "choice": "choice",
}
"""The types that are typed into one input, with the sort of input."""


def field_at(kind: Kind | None, path: str) -> Field | None:
    """The declaration of the single value on a path; None for what is no single value that can be typed."""
    name, _, below = path.partition("/")
    field = kind.field(name) if kind is not None else None
    if field is not None and field.of:
        field = field.sub_field(below.partition("/")[2]) if "/" in below else None
    return field if field is not None and field.type in INPUTS else None


def typed(field: Field, text: str) -> Any:
    """The value that was typed; declines what is no value of the type at all. Nothing typed clears the field."""
    plain = text.strip()
    if not plain:
        return None
    try:
        match field.type:
            case "integer":
                return int(plain)
            case "number":
                return float(plain)
            case "boolean":
                return plain == "true"
            case "text":
                return text
    except ValueError:
        raise invalid(field.name, "a number is expected here") from None
    return plain
