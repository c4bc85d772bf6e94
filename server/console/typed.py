"""Which single values are typed into one input, and of which sort it is. Pure; server/casefile/forms.py reads them."""

from typing import Final

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
