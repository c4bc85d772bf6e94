"""The secrets of sessions and links: <sort>.<township>.<secret>. Pure.

They name their township, so that they are looked for where their rows lie. The secret has 256 random bits,
so a plain SHA-256 is enough to keep. The prefix lets scanners of logs recognise one.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable
from typing import Final, Literal

from server.offices import is_office

Sort = Literal["rbs", "rbl"]
SESSION: Final = "rbs"
LINK: Final = "rbl"
_SECRET_BYTES: Final = 32
_CHARS_MAX: Final = 80
_PARTS: Final = 3


def new_secret(sort: Sort, township: str, random: Callable[[int], bytes]) -> str:
    """A secret of a session or a link of a township."""
    return f"{sort}.{township}.{_text(random(_SECRET_BYTES))}"


def township_in(sort: Sort, text: str) -> str | None:
    """The township (or county) that a secret names; None when the text is no secret of this sort."""
    parts = text.split(".") if len(text) <= _CHARS_MAX and text.isascii() else []
    fits = len(parts) == _PARTS and parts[0] == sort and bool(parts[2])
    return parts[1] if fits and is_office(parts[1]) else None


def kept(text: str) -> str:
    """What is stored of a secret: SHA-256 in hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def csrf_of(session: str) -> str:
    """What a page sends with whatever changes something. Another site can neither read nor guess it."""
    return _text(hmac.digest(session.encode(), b"roundbook csrf", hashlib.sha256))


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
