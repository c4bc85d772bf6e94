"""What a value of each field type looks like on the wire, as msgspec types, and its canonical form.

| type | JSON | canonical |
|---|---|---|
| text | string without NUL | as it came; Unicode is not normalised, a text stays what somebody typed |
| integer | whole number within ±2^53, no fraction, no exponent | digits |
| number | number within ±2^53 | always with a fraction or an exponent: 3 is 3.0, -0.0 is 0.0 |
| boolean | true, false | |
| date | "YYYY-MM-DD", 1900 to 2199 | |
| datetime | RFC 3339 with an offset, 1900 to 2199 | in UTC with "Z", to the microsecond |
| choice | a code | |
| choices | list of codes | sorted, without repetition |
| entries | object of entry id to object of sub-fields | cleared sub-fields left out |
| point | {"lat", "lon", "accuracy_m"?}, WGS-84, degrees and metres | numbers as above |
| reference | record id | |
| file | {"bytes", "name", "sha256", "type"} | |

Keys stand in alphabetical order everywhere, so equal values have equal bytes. Ids are UUIDs in canonical
lower-case text (ids.py): one thing must not have two spellings.
"""

import datetime as dt
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from sync_protocol.kinds.declaration import ENTRIES_MAX, INTEGER_MAX, TEXT_CHARS_DEFAULT, Field

YEAR_MIN: Final = 1900
YEAR_MAX: Final = 2199
ID_PATTERN: Final = r"^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\Z"
FILE_BYTES_MAX: Final = 2**40

Canonical = Callable[[Any], Any]
"""From a decoded value to its canonical form, itself when it is that; ValueError when out of range."""

Id = Annotated[str, Meta(pattern=ID_PATTERN)]
_SHA256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
_FILE_NAME = Annotated[str, Meta(min_length=1, max_length=255)]
_MEDIA_TYPE = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9.+-]{0,62}/[a-z0-9][a-z0-9.+-]{0,62}\Z")]


class Point(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """A place in WGS-84: degrees, and the accuracy of the fix in metres when the device gave one."""

    accuracy_m: Annotated[float, Meta(ge=0, le=1e7)] | None = None
    lat: Annotated[float, Meta(ge=-90, le=90)]
    lon: Annotated[float, Meta(ge=-180, le=180)]


class File(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A file that travels by itself: its size, its name, its hash and its media type."""

    bytes: Annotated[int, Meta(ge=0, le=FILE_BYTES_MAX)]
    name: _FILE_NAME
    sha256: _SHA256
    type: _MEDIA_TYPE


def wire_type(field: Field, entry: Any = None) -> Any:
    """The msgspec type of a value of `field`; `entry` is the struct of one entry."""
    if field.type in _PLAIN:
        return _PLAIN[field.type]
    if field.type == "entries":
        return Annotated[dict[Id, entry], Meta(max_length=ENTRIES_MAX)]
    if field.type in {"choice", "choices"}:
        code: Any = Literal[tuple(choice.code for choice in field.choices)]
        return code if field.type == "choice" else set[code]
    return _limited_type(field)


def _limited_type(field: Field) -> Any:
    """The types whose limits each field may set."""
    if field.type == "text":
        most = field.max_length or TEXT_CHARS_DEFAULT
        return Annotated[str, Meta(min_length=1 if field.required else 0, max_length=most)]
    low, high = bounds(field)
    number: Any = int if field.type == "integer" else float
    return Annotated[number, Meta(ge=low, le=high)]


_PLAIN: Final[dict[str, Any]] = {
    "boolean": bool,
    "date": dt.date,
    "datetime": Annotated[dt.datetime, Meta(tz=True)],
    "point": Point,
    "reference": Id,
    "file": File,
}


def bounds(field: Field) -> tuple[int | float, int | float]:
    """The lowest and the highest value of a number."""
    low = -INTEGER_MAX if field.minimum is None else field.minimum
    high = INTEGER_MAX if field.maximum is None else field.maximum
    return low, high


def canonical_date(value: dt.date) -> dt.date:
    """The date itself; ValueError outside the years that a record can be about."""
    if not YEAR_MIN <= value.year <= YEAR_MAX:
        raise ValueError
    return value


def canonical_datetime(value: dt.datetime) -> dt.datetime:
    """The same instant in UTC; ValueError outside the years that a record can be about."""
    instant = value if value.tzinfo is dt.UTC else value.astimezone(dt.UTC)
    if not YEAR_MIN <= instant.year <= YEAR_MAX:
        raise ValueError
    return instant


def canonical_number(value: float) -> float:
    """The same number, zero without a sign."""
    return value or 0.0


def canonical_point(value: Point) -> Point:
    """The same point, zeros without a sign."""
    value.lat = value.lat or 0.0
    value.lon = value.lon or 0.0
    if value.accuracy_m is not None:
        value.accuracy_m = value.accuracy_m or 0.0
    return value


CANONICAL: Final[dict[str, Canonical]] = {
    "date": canonical_date,
    "datetime": canonical_datetime,
    "number": canonical_number,
    "point": canonical_point,
}
"""Types whose decoded values may not be canonical yet; all others are."""
