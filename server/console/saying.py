"""What a record says, for pages that lay values beside each other: a line for each, "—" for what is not there. Pure."""

from collections.abc import Iterator
from typing import Any

import msgspec

from server.console.words import Words
from server.saying import path_said, path_title
from sync_protocol.kinds import Field, Kind


class Fact(msgspec.Struct, frozen=True):
    """One line: what it is about, and what is said."""

    name: str
    title: str
    text: str


def title_of(kind: Kind | None, path: str, w: Words) -> str:
    """What a path is called."""
    return path_title(kind, path, w.language)


def said(kind: Kind | None, path: str, value: Any, w: Words) -> str:
    """What a value on a path says; "—" for none."""
    return path_said(kind, path, value if value not in ([], {}) else None, w.language) or "—"


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
