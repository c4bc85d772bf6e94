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
from typing import Final

import msgspec

_TAG_BYTES: Final = 16


class Lane(msgspec.Struct, frozen=True, array_like=True):
    """Some grids that are read together."""

    grids: tuple[str, ...]
    base: int
    position: int
    exits_above: int
    """Exits up to here cannot concern what this lane has sent: it began later."""


class Cursor(msgspec.Struct, frozen=True, array_like=True):
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


class CursorInvalid(ValueError):  # noqa: N818 (it is the cursor that is invalid)
    """Altered, of another reader, or of another server."""


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Cursor).decode


def seal(cursor: Cursor, key: bytes) -> str:
    """The cursor as URL-safe text, authenticated with `key` (HMAC-SHA-256, 128 bits)."""
    body = _encode(cursor)
    return base64.urlsafe_b64encode(_tag(body, key) + body).rstrip(b"=").decode()


def unseal(text: str, key: bytes, reader: str) -> Cursor:
    """The cursor that `seal` gave to `reader`; raises CursorInvalid for everything else."""
    try:
        raw = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (ValueError, binascii.Error) as error:
        raise CursorInvalid from error
    tag, body = raw[:_TAG_BYTES], raw[_TAG_BYTES:]
    if not hmac.compare_digest(tag, _tag(body, key)):
        raise CursorInvalid
    try:
        cursor = _decode(body)
    except msgspec.MsgspecError as error:  # of another version of this code
        raise CursorInvalid from error
    if cursor.reader != reader:
        raise CursorInvalid
    return cursor


def _tag(body: bytes, key: bytes) -> bytes:
    return hmac.digest(key, b"roundbook cursor\0" + body, hashlib.sha256)[:_TAG_BYTES]


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
