"""What a token looks like: rbt.<application id>.<township>[+<township>...].<secret>. Pure.

It names its townships, so that it is checked where its rows lie, without asking every township. The secret
has 256 random bits, so a plain SHA-256 of the whole text is enough to keep. The prefix lets scanners of
repositories and logs recognise one.
"""

import base64
import hashlib
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from sync_protocol.ids import is_id, place_level

PREFIX: Final = "rbt"
SECRET_BYTES: Final = 32
TOWNSHIPS_MAX: Final = 100
_PARTS: Final = 4
_CHARS_MAX: Final = 100 + 10 * TOWNSHIPS_MAX


class Token(msgspec.Struct, frozen=True):
    """What a token names. It says nothing of whether the token is genuine."""

    application: str
    townships: tuple[str, ...]


def new_token(application: str, townships: Sequence[str], random: Callable[[int], bytes]) -> str:
    """A token for an application in some townships."""
    secret = base64.urlsafe_b64encode(random(SECRET_BYTES)).rstrip(b"=").decode()
    return ".".join((PREFIX, application, "+".join(townships), secret))


def read(text: str) -> Token | None:
    """What a token names; None when it is not of the form."""
    parts = text.split(".") if len(text) <= _CHARS_MAX and text.isascii() else []
    if len(parts) != _PARTS or parts[0] != PREFIX or not is_id(parts[1]) or not parts[3]:
        return None
    townships = tuple(parts[2].split("+"))
    if len(set(townships)) != len(townships) or len(townships) > TOWNSHIPS_MAX:
        return None
    if any(place_level(township) != "township" for township in townships):
        return None
    return Token(parts[1], townships)


def token_hash(text: str) -> str:
    """What is kept of a token: SHA-256 in hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()
