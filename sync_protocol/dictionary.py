"""The dictionary of the content coding `roundbook-1`: zstd (RFC 8878) that knows beforehand what messages look like.

Most exchanges are small, and most of what they say is names of keys, words of the trade and what the other side has
just said. So a request is compressed with a dictionary that both sides have, and its answer with the same one, to
which the request itself is added: what an answer repeats of it costs next to nothing.

That has an edge. What an answer repeats is copied from the reader's own request: an old answer, read with a new
request, would repeat the new one's nonce and ids, and be believed. So every answer begins with the mark of the
request that it was made for, and is read only with that.

The bytes belong to the coding's name and never change; others get another name (`make dictionary`). This package
gives them, the drivers compress with them.
"""

from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Final

CODING: Final = "roundbook-1"
MARK_BYTES: Final = 8
_REQUEST_BYTES_MAX: Final = 2**16
"""So much of a request is added: beyond, an answer gains less than it takes to read."""


@cache
def of_requests() -> bytes:
    """The dictionary of every request, in zstd's form (RFC 8878, section 5)."""
    return (files(__package__ or "") / "roundbook-1.dictionary").read_bytes()


def mark_of(request: bytes) -> bytes:
    """The eight bytes before the compressed answer to `request`: the beginning of its SHA-256."""
    return sha256(request).digest()[:MARK_BYTES]


def of_answer(request: bytes) -> bytes:
    """The dictionary of the answer to `request`, which is the body before compression."""
    return of_requests() + request[:_REQUEST_BYTES_MAX]
