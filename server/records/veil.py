"""What a reader may see of values: contact is masked unless the token reads contact. Pure.

Privacy classes stand in the declaration, on fields and on the sub-fields of entries. Where a kind is not
known, or a field is not, nothing can be said of its class, so its value is masked too.
"""

import re
from typing import Any, Final

import msgspec

from sync_protocol.history import EXISTENCE, INTO, NUMBER, PLACE, STATE
from sync_protocol.kinds import Field, Kind

MASK: Final = "***"
_PLAIN_PATHS: Final = frozenset({EXISTENCE, STATE, PLACE, NUMBER, INTO})
_MOBILE: Final = re.compile(r"(?:\+?86)?(1[0-9]{2})[0-9]{4}([0-9]{4})")
_BETWEEN_DIGITS: Final = re.compile(r"[\s-]")
_CONTACT: Final = "contact"


class Veil(msgspec.Struct, frozen=True):
    """Shows values of one kind to one reader. `kind` is its newest version, which has all fields."""

    kind: Kind | None
    full: bool
    """Whether the reader may read contact."""

    def at(self, path: str, value: Any) -> Any:
        """What the reader sees of the value on `path`."""
        if self.full or value is None or path in _PLAIN_PATHS:
            return value
        name, _, below = path.partition("/")
        field = self.kind.field(name) if self.kind is not None else None
        if field is None:
            return _masked(value)
        if not field.of:
            return _masked(value) if field.privacy == _CONTACT else value
        sub = below.partition("/")[2]
        if sub:
            return _masked(value) if contact_sub(field, sub) else value
        if below or not isinstance(value, dict):
            return _entry(field, value)
        return {key: _entry(field, one) for key, one in value.items()}

    def values(self, values: dict[str, Any]) -> tuple[dict[str, Any], bool]:
        """What the reader sees of a record's values, and whether anything in them is masked."""
        shown = {name: self.at(name, value) for name, value in values.items()}
        return shown, shown != values


def contact_sub(field: Field, sub: str) -> bool:
    """Whether a sub-field of entries is contact: by its own class, or its field's where no class names it."""
    declared = field.sub_field(sub)
    if declared is None or declared.privacy == _CONTACT:
        return True
    return field.privacy == _CONTACT and not any(one.privacy == _CONTACT for one in field.of)


def is_contact(kind: Kind, path: str) -> bool:
    """Whether writing `path` writes contact: a field or sub-field of that class, an entry of such a field."""
    name, _, below = path.partition("/")
    field = kind.field(name)
    if field is None:
        return False
    sub = below.partition("/")[2]
    return field.privacy == _CONTACT or (bool(field.of) and bool(sub) and contact_sub(field, sub))


def _entry(field: Field, subs: Any) -> Any:
    if not isinstance(subs, dict):
        return _masked(subs)
    return {sub: _masked(value) if contact_sub(field, sub) else value for sub, value in subs.items()}


def _masked(value: Any) -> Any:
    """A mobile number with its middle hidden; of everything else, only that it is there."""
    if value is None:
        return None
    mobile = _MOBILE.fullmatch(_BETWEEN_DIGITS.sub("", value)) if isinstance(value, str) else None
    return f"{mobile[1]}****{mobile[2]}" if mobile is not None else MASK
