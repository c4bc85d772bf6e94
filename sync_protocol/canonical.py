"""The canonical form of a record and the digest of many, equal for equal content on every machine.

Canonical form: UTF-8 JSON of [id, kind, place, state, registration number, values], no spaces, object
keys sorted, sets sorted, cleared fields absent, numbers as the type of their field writes them. The digest of a
record is the first eight bytes of its SHA-256; the digest of a set of records is their count and their sum
modulo 2^64, so that neither order nor grouping matters and a database can add it up (as two halves of 32
bits, which no sum of fewer than 2^31 records overflows).
"""

import hashlib
from typing import Final

import msgspec

from sync_protocol.state import Values

_encode: Final = msgspec.json.Encoder(order="sorted").encode
_HALF: Final = 1 << 32


class Digest(msgspec.Struct, frozen=True, array_like=True):
    """How many records, and the sum of their digests as 16 hexadecimal digits."""

    count: int
    sum: str


def canonical(
    record: str, kind: str, place: str, state: str | None, number: str | None, values: Values | msgspec.Raw
) -> bytes:
    """The canonical form. `values` may be given as bytes that are canonical already."""
    return _encode([record, kind, place, state, number, values])


def halves(form: bytes) -> tuple[int, int]:
    """The digest of one canonical form as two integers below 2^32, high half first."""
    digest = hashlib.sha256(form).digest()
    return int.from_bytes(digest[:4], "big"), int.from_bytes(digest[4:8], "big")


def total(count: int, high: int, low: int) -> Digest:
    """The digest of `count` records whose halves add up to `high` and `low`."""
    carried, low = divmod(low, _HALF)
    return Digest(count, f"{(high + carried) % _HALF:08x}{low:08x}")
