"""Where a program stands in the feed: a position for each township of its token. Pure.

Each position is a part of its own, authenticated with its township's key and for its reader, so that a
cursor needs nothing that two townships share, and says nothing to anybody else. Besides the number it holds
the id of the change that bears it: if the server cannot find that change any more, it was restored from a
backup, and the reader has seen things that have not happened.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from typing import Final

import msgspec

_TAG_BYTES: Final = 16
_SEPARATOR: Final = "."
_decode: Final = msgspec.json.Decoder(tuple[str, int, str]).decode


class CursorInvalid(ValueError):  # noqa: N818 (it is the cursor that is invalid)
    """Altered, of another reader, or of another server."""


class Mark(msgspec.Struct, frozen=True):
    """The last change of a township that the reader has; number 0 before the first."""

    n: int = 0
    change: str = ""


def seal(marks: Mapping[str, Mark], keys: Mapping[str, bytes], reader: str) -> str:
    """The cursor as URL-safe text."""
    return joined({town: sealed_part(town, mark, keys[town], reader) for town, mark in marks.items()})


def joined(parts: Mapping[str, str]) -> str:
    """The cursor of parts by township: whoever moves in one township seals that part alone."""
    return _SEPARATOR.join(part for _, part in sorted(parts.items()))


def unseal(text: str, keys: Mapping[str, bytes], reader: str) -> dict[str, Mark]:
    """The marks that `seal` gave to `reader`; those of townships without a key are left out.

    Raises CursorInvalid for everything else.
    """
    marks: dict[str, Mark] = {}
    for part in text.split(_SEPARATOR):
        try:
            raw = base64.urlsafe_b64decode(part.encode("ascii") + b"=" * (-len(part) % 4))
            tag, body = raw[:_TAG_BYTES], raw[_TAG_BYTES:]
            township, n, change = _decode(body)
        except (ValueError, binascii.Error) as error:
            raise CursorInvalid from error
        key = keys.get(township)
        if key is None:
            continue
        if not hmac.compare_digest(tag, _tag(body, key, reader)):
            raise CursorInvalid
        marks[township] = Mark(n, change)
    return marks


def sealed_part(township: str, mark: Mark, key: bytes, reader: str) -> str:
    """The part of one township."""
    body = msgspec.json.encode((township, mark.n, mark.change))
    return base64.urlsafe_b64encode(_tag(body, key, reader) + body).rstrip(b"=").decode()


def _tag(body: bytes, key: bytes, reader: str) -> bytes:
    signed = b"roundbook feed\0" + reader.encode() + b"\0" + body
    return hmac.digest(key, signed, hashlib.sha256)[:_TAG_BYTES]
