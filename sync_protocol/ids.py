"""Identifiers: how they are made, what they look like, how they are read.

Record, change and entry ids are UUIDv7 (RFC 9562, section 5.7) in canonical lower-case text: made on the
device, unique without a server, and growing with time so that indexes stay dense. Nothing may rely on the
time inside them, because device clocks are data, not truth.

Division codes follow the statistical division list: province 2, city 2, county 2, town 3, village 3
digits. A grid code is a village code and three more digits.
"""

import re
from typing import Final, Literal

PlaceLevel = Literal["township", "village", "grid"]

_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_PLACE: Final = re.compile(r"[0-9]{9}(?:[0-9]{3}(?:[0-9]{3})?)?")
_LEVELS: Final[dict[int, PlaceLevel]] = {9: "township", 12: "village", 15: "grid"}
RANDOM_BYTES: Final = 10
"""How many random bytes `uuid7` consumes."""


def uuid7(unix_ms: int, random: bytes) -> str:
    """A UUIDv7 from a time in milliseconds since 1970 and ten random bytes.

    Times before 1970 and past the 48 bits of the format (a device's clock may say anything) are clamped.
    """
    if len(random) != RANDOM_BYTES:
        message = f"uuid7 needs {RANDOM_BYTES} random bytes, got {len(random)}"
        raise ValueError(message)
    stamp = min(max(unix_ms, 0), (1 << 48) - 1)
    tail = bytearray(random)
    tail[0] = 0x70 | (tail[0] & 0x0F)
    tail[2] = 0x80 | (tail[2] & 0x3F)
    text = stamp.to_bytes(6, "big").hex() + tail.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def uuid8(digest: bytes) -> str:
    """A UUIDv8 (RFC 9562, section 5.8) from at least 16 bytes of a digest: the same input, the same id."""
    tail = bytearray(digest[:16])
    tail[6] = 0x80 | (tail[6] & 0x0F)
    tail[8] = 0x80 | (tail[8] & 0x3F)
    text = tail.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def is_id(text: str) -> bool:
    """Whether `text` is a UUID in canonical lower-case text."""
    return _UUID.fullmatch(text) is not None


def place_level(code: str) -> PlaceLevel | None:
    """What a place code names: a township (9 digits), a village (12), a grid (15); None when it names nothing."""
    return _LEVELS[len(code)] if _PLACE.fullmatch(code) else None


def township_of(place: str) -> str:
    """The township of a place code of any level."""
    return place[:9]
