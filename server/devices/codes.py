"""One-time codes: eight characters that a person reads out and types, ABCD-EFGH. Pure.

Thirty-two characters that are not mistaken for each other make 40 bits. That is enough for ten minutes
against a server that bounds wrong guesses, and short enough for a telephone. The server keeps the SHA-256.
"""

import hashlib
import unicodedata
from collections.abc import Callable
from typing import Final

ALPHABET: Final = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
LENGTH: Final = 8
_RANDOM_BYTES: Final = 5
_MISREAD: Final = str.maketrans({"1": "L", "I": "L"})
"""What stands in no code, and is written for what does."""


def new_code(random: Callable[[int], bytes]) -> str:
    """A code in the form in which it is shown, from 40 random bits."""
    bits = int.from_bytes(random(_RANDOM_BYTES), "big")
    code = "".join(ALPHABET[(bits >> shift) & 31] for shift in range(35, -1, -5))
    return f"{code[:4]}-{code[4:]}"


def code_hash(text: str) -> str | None:
    """What is stored of a code, from whatever was typed; None when it cannot be one.

    Case, spaces, hyphens and full-width letters do not count.
    """
    plain = unicodedata.normalize("NFKC", text[: 4 * LENGTH]).upper()
    code = "".join(c for c in plain if c.isalnum()).translate(_MISREAD)
    if len(text) > 4 * LENGTH or len(code) != LENGTH or not set(code) <= set(ALPHABET):
        return None
    return hashlib.sha256(code.encode()).hexdigest()
