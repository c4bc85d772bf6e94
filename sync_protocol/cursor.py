"""The cursor: where a reader stands in a township's stream. Opaque to the reader, authenticated by the server.

A *lane* reads some grids from `position` upwards, and knows by `base` from when the device has everything
of them. `base` moves only when an answer was complete, never from page to page: a page brings the fields
that are newer than `base`, so a field written twice between two pages is never skipped (failures, row 29).
A first download, or a grid that was newly granted, is a lane with base 0; lanes advance separately and fold
into one when both are complete.

The `tip` is the last change that the township had stored when the cursor was given. If the server cannot
find it any more, the server was restored from a backup and this cursor belongs to another timeline.
"""

import base64
import binascii
import hashlib
import hmac
from itertools import accumulate
from typing import Final
from uuid import UUID

import msgspec

_TAG_BYTES: Final = 16


class Lane(msgspec.Struct, frozen=True):
    """Some grids that are read together."""

    grids: tuple[str, ...]
    base: int
    position: int
    exits_above: int
    """Exits up to here cannot concern what this lane has sent: it began later."""


class Cursor(msgspec.Struct, frozen=True):
    """Where one device stands."""

    reader: str
    """The device's id: a cursor is of no use to another."""
    lanes: tuple[Lane, ...]
    receipts: int
    """The number of the last receipt sent."""
    tip: int
    tip_change: str
    register: tuple[int, int] = (0, 0)
    """A year, and the last registration number of it that was given: numbers that a restore must not give again."""

    @property
    def head(self) -> int:
        """As far as it has read: a server that has not given so many numbers was restored since."""
        return max((number for lane in self.lanes for number in (lane.position, lane.exits_above)), default=0)


class CursorInvalid(ValueError):  # noqa: N818 (it is the cursor that is invalid)
    """Altered, of another reader, or of another server."""


class _Lane(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A lane as it travels. Numbers are large and close together, so all but one are differences."""

    grids: tuple[int | str, ...]
    """The first as it is, then the differences; as text where a code is no plain number."""
    base: int
    """Above the tip."""
    position: int
    """Above the base."""
    exits_above: int
    """Above the base."""


class _Sealed(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A cursor as it travels, small since every message has one, in MessagePack. Its reader is in the tag."""

    lanes: tuple[_Lane, ...]
    receipts: int | None
    """Above the tip; None for none."""
    tip: int
    tip_change: bytes
    register: tuple[int, int]


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(_Sealed).decode


def seal(cursor: Cursor, key: bytes) -> str:
    """The cursor as URL-safe text, authenticated with `key` (HMAC-SHA-256, 128 bits)."""
    tip = cursor.tip
    lanes = tuple(
        _Lane(_packed(lane.grids), lane.base - tip, lane.position - lane.base, lane.exits_above - lane.base)
        for lane in cursor.lanes
    )
    change = bytes.fromhex(cursor.tip_change.replace("-", ""))
    receipts = cursor.receipts - tip if cursor.receipts else None
    body = _encode(_Sealed(lanes, receipts, tip, change, cursor.register))
    return base64.urlsafe_b64encode(_tag(body, key, cursor.reader) + body).rstrip(b"=").decode()


def unseal(text: str, key: bytes, reader: str) -> Cursor:
    """The cursor that `seal` gave to `reader`; raises CursorInvalid for everything else."""
    try:
        raw = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (ValueError, binascii.Error) as error:
        raise CursorInvalid from error
    tag, body = raw[:_TAG_BYTES], raw[_TAG_BYTES:]
    if not hmac.compare_digest(tag, _tag(body, key, reader)):
        raise CursorInvalid
    try:
        found = _decode(body)
        change = str(UUID(bytes=found.tip_change)) if found.tip_change else ""
    except (msgspec.MsgspecError, ValueError) as error:  # of another version of this code
        raise CursorInvalid from error
    tip = found.tip
    lanes = tuple(
        Lane(
            _unpacked(lane.grids),
            tip + lane.base,
            tip + lane.base + lane.position,
            tip + lane.base + lane.exits_above,
        )
        for lane in found.lanes
    )
    receipts = 0 if found.receipts is None else tip + found.receipts
    return Cursor(reader, lanes, receipts, tip, change, found.register)


def _packed(grids: tuple[str, ...]) -> tuple[int | str, ...]:
    """Codes as numbers, each as its difference from the one before."""
    if not all(grid.isascii() and grid.isdigit() and grid[0] != "0" for grid in grids):
        return grids
    numbers = [int(grid) for grid in grids]
    return tuple(number - before for number, before in zip(numbers, [0, *numbers], strict=False))


def _unpacked(grids: tuple[int | str, ...]) -> tuple[str, ...]:
    if any(isinstance(grid, str) for grid in grids):
        return tuple(map(str, grids))
    return tuple(map(str, accumulate(grids)))


def _tag(body: bytes, key: bytes, reader: str) -> bytes:
    return hmac.digest(key, b"roundbook cursor\0" + reader.encode() + b"\0" + body, hashlib.sha256)[
        :_TAG_BYTES
    ]


def rescope(
    cursor: Cursor | None, grids: tuple[str, ...], reader: str, head: int
) -> tuple[Cursor, tuple[str, ...]]:
    """The cursor fitted to the grids that the device has now, and the grids that it has lost.

    Lost grids leave their lanes; new ones start a lane of their own with base 0, whose exits count from
    the head of this moment.
    """
    lanes = cursor.lanes if cursor is not None else ()
    had = {grid for lane in lanes for grid in lane.grids}
    kept = [msgspec.structs.replace(lane, grids=tuple(g for g in lane.grids if g in grids)) for lane in lanes]
    new = tuple(sorted(set(grids) - had))
    fitted = [lane for lane in kept if lane.grids]
    if new:
        fitted.append(Lane(new, 0, 0, head))
    known = cursor if cursor is not None else Cursor(reader, (), 0, 0, "")
    return msgspec.structs.replace(known, lanes=tuple(fitted)), tuple(sorted(had - set(grids)))


def restart(cursor: Cursor, grids: tuple[str, ...], head: int) -> Cursor:
    """The cursor with `grids` to be read again from the beginning."""
    lanes = [
        msgspec.structs.replace(lane, grids=left)
        for lane in cursor.lanes
        if (left := tuple(grid for grid in lane.grids if grid not in grids))
    ]
    again = tuple(sorted({grid for lane in cursor.lanes for grid in lane.grids} & set(grids)))
    return msgspec.structs.replace(cursor, lanes=(*lanes, Lane(again, 0, 0, head)) if again else tuple(lanes))


def from_the_beginning(cursor: Cursor, head: int) -> Cursor:
    """The cursor with all of its grids, and the receipts, to be read again.

    It keeps the grids: one that the device has no longer has to be dropped all the same.
    """
    grids = tuple(grid for lane in cursor.lanes for grid in lane.grids)
    return msgspec.structs.replace(restart(cursor, grids, head), receipts=0)


def fold(cursor: Cursor, head: int) -> Cursor:
    """The cursor after a complete answer: one lane, everything up to `head` seen."""
    grids = tuple(sorted({grid for lane in cursor.lanes for grid in lane.grids}))
    return msgspec.structs.replace(cursor, lanes=(Lane(grids, head, head, head),) if grids else ())
