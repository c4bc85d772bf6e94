"""Where a list goes on: an opaque text, checked for its form.

It names a position inside what the token covers anyway, so there is nothing in it to protect.
"""

import base64
import binascii
from typing import Final

import msgspec

from server.declined import Declined
from sync_protocol.ids import is_id

LIMIT_MAX: Final = 500
NUMBER_MAX: Final = 2**63 - 1
LIMIT_DEFAULT: Final = 100
_EXPECTED: Final = "after is the `next` of a page of this list"
_decode: Final = msgspec.json.Decoder(tuple[str, int, str]).decode


class Position(msgspec.Struct, frozen=True):
    """The last thing of a page: its township, and its number or id there."""

    township: str
    n: int = 0
    id: str = ""


def token(position: Position) -> str:
    """The text from which the next page goes on."""
    body = msgspec.json.encode((position.township, position.n, position.id))
    return base64.urlsafe_b64encode(body).rstrip(b"=").decode()


def position(after: str | None) -> Position | None:
    """The position that `token` wrote, None for the beginning; declines any other text."""
    if after is None:
        return None
    try:
        raw = base64.urlsafe_b64decode(after.encode("ascii") + b"=" * (-len(after) % 4))
        found = Position(*_decode(raw))
    except (ValueError, binascii.Error) as error:
        raise Declined("cursor_invalid", _EXPECTED) from error
    if not 0 <= found.n <= NUMBER_MAX or not (found.id == "" or is_id(found.id)):
        raise Declined("cursor_invalid", _EXPECTED)
    return found


def bounded(limit: int | None) -> int:
    """How many a page brings: 1 to LIMIT_MAX."""
    return min(max(limit if limit is not None else LIMIT_DEFAULT, 1), LIMIT_MAX)


def from_here(townships: tuple[str, ...], start: Position | None) -> list[tuple[str, Position]]:
    """The townships that are still to be read, in order, each with where it goes on."""
    if start is None:
        return [(township, Position(township)) for township in townships]
    return [
        (township, start if township == start.township else Position(township))
        for township in townships
        if township >= start.township
    ]
