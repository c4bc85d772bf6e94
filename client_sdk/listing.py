"""Lists of records: each record is made when somebody looks at it, from what the store held when the list was made.

A phone that holds a village's records shows twenty of them. So a line keeps the stored bytes, and a search looks into
those.
"""

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, overload

import msgspec

from client_sdk.record import Delivery, Record


class Line(NamedTuple):
    """One record of a list: what lists are chosen by, and what makes the record."""

    id: str
    kind: str
    state: str | None
    number: str | None
    delivery: Delivery
    values: bytes
    """Its values as JSON, none of them null."""
    make: Callable[[], Record]


class Listing(Sequence[Record]):
    """Records in the order of their ids. Equal to any other sequence of the same records."""

    def __init__(self, lines: Sequence[Line]) -> None:
        """Shows these lines."""
        self._lines = lines

    def __len__(self) -> int:
        return len(self._lines)

    @overload
    def __getitem__(self, at: int) -> Record: ...
    @overload
    def __getitem__(self, at: slice) -> "Listing": ...
    def __getitem__(self, at: int | slice) -> "Record | Listing":
        return Listing(self._lines[at]) if isinstance(at, slice) else self._lines[at].make()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(one == two for one, two in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]  # as of a list

    def __repr__(self) -> str:
        return f"Listing({list(self)!r})"


def as_stored(text: str) -> bytes | None:
    """The bytes by which a text stands in stored values whatever its case; None where it may stand there otherwise.

    Letters without case, as Chinese characters are, stand in JSON as they are, in no name of a field, and in no number.
    """
    wanted = text.casefold()
    return wanted.encode() if all(unicodedata.category(letter) == "Lo" for letter in wanted) else None


def that_say(lines: Iterable[Line], text: str) -> list[Line]:
    """Those that have `text` in their number or their texts, whatever the case: fields, sets, sub-fields of entries."""
    stored, wanted = as_stored(text), text.casefold()
    if stored is not None:
        return [line for line in lines if stored in line.values]
    return [line for line in lines if any(wanted in one.casefold() for one in _texts_of(line))]


def _texts_of(line: Line) -> Iterator[str]:
    yield line.number or ""
    yield from _texts(msgspec.json.decode(line.values))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (text for below in value.values() for text in _texts(below))
    elif isinstance(value, list):
        yield from (text for below in value for text in _texts(below))
