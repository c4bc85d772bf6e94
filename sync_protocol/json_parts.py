"""Cuts a JSON object or array into its members, as the bytes that travelled, without reading what they say.

For frames that no reader takes whole because of one member: a lone surrogate, or nesting past a reader's
depth. One pass, no recursion: strings are skipped as tokens, brackets are counted.
"""

import re
from collections.abc import Iterator
from typing import Final

# Possessive, and a text that is never closed goes to the end: else each of its quotes is tried as a beginning,
# and 30 KB of them take ten seconds.
_TOKEN: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{},:]', re.DOTALL)
_OPEN, _CLOSE = frozenset(b"[{"), frozenset(b"]}")


def elements(array: bytes) -> list[bytes]:
    """The elements of an array; ValueError when the bytes are no array."""
    return list(_parts(array, b"[", b"]"))


def members(obj: bytes) -> dict[str, bytes]:
    """The members of an object by key (the first of equal keys); ValueError when the bytes are no object."""
    found: dict[str, bytes] = {}
    for part in _parts(obj, b"{", b"}"):
        key = _TOKEN.match(part)
        if key is None or part[key.end() :].lstrip()[:1] != b":":
            message = "a member of an object is a key, a colon and a value"
            raise ValueError(message)
        name = key.group()[1:-1].decode("utf-8", "replace")
        found.setdefault(name, part[key.end() :].lstrip()[1:].strip())
    return found


def _parts(container: bytes, opening: bytes, closing: bytes) -> Iterator[bytes]:
    body = container.strip()
    if body[:1] != opening or body[-1:] != closing:
        message = f"expected {opening.decode()} ... {closing.decode()}"
        raise ValueError(message)
    depth, start = 0, 1
    for token in _TOKEN.finditer(body):
        mark = body[token.start()]
        if mark in _OPEN:
            depth += 1
        elif mark in _CLOSE:
            depth -= 1
        at_end = depth == 0
        if at_end or (depth == 1 and mark == ord(",")):
            part = body[start : token.start()].strip()
            if part:
                yield part
            start = token.end()
        if at_end:
            break
    if depth or start != len(body):
        message = "the container is not closed, or something follows it"
        raise ValueError(message)
