"""A change that a device keeps for a restored server, of a record that it does not hold any more. Pure.

What was acknowledged must still be offered to a server that lost it, and must say nothing to whoever opens the store:
so it is sealed to the township's recovery key. What is left readable is what the server needs to find it by.

    {"id", "record", "kind", "n", "sealed": the change as it was saved, HPKE to the recovery key, base64url}

It stands in the queue, and travels, in the place of the change. A server that cannot open it keeps it in quarantine.
"""

from typing import Final

import msgspec

SEALED: Final = "sealed"
"""The code of a kept change that the server cannot open yet."""


class Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A sealed change."""

    id: str
    record: str
    kind: str
    sealed: str
    n: int = 0


encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Kept).decode


def read(raw: bytes) -> Kept | None:
    """What these bytes keep; None where they are anything else."""
    try:
        return _decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def kept_info(township: str, change: str) -> bytes:
    """What it is bound to when it is sealed (the `info` of HPKE, RFC 9180): no other change can take its place."""
    return f"roundbook kept 1\n{township}.{change}".encode()
