"""A device's signing key is replaced by another: what is offered, and what a signature proves while that happens. Pure.

A device draws a key, keeps it, and offers it in a request that the present key signs; the offer bears a signature
of the new key over this very request's serial. Until an answer names the key as taken, the device goes on
signing with the old one and offering the new one: an answer may have been lost, and the server may have taken
the key or not. So whoever shows both keys is the device, whichever of the two the server knows by now.

    signed by      offered         it is
    present        nothing         the device
    present        a new key       the device, and the key is bound from now on
    a former one   the present     the device, which was not told yet
    a former one   anything else   a copy of the store from before: it hands in and reads nothing
"""

from typing import Final, Literal

import msgspec

KEY_BYTES: Final = 32
PROOF_BYTES: Final = 64
ROTATE_DAYS: Final = 90
"""How old a device's signing key becomes, by the server's clock, before it draws another by itself."""
_DAY_MS: Final = 86_400_000

Standing = Literal["device", "bind", "told", "copy"]


class KeyOffer(msgspec.Struct, frozen=True):
    """Another key that a device wants to sign with. Both members are base64url without padding."""

    key: str
    """Ed25519, 32 bytes."""
    proof: str
    """The signature of that key over `offered_bytes`, 64 bytes."""


def offered_bytes(township: str, device: str, serial: int, key: str) -> bytes:
    """What the offered key signs: the device, the serial of the request that carries it, and itself."""
    return f"roundbook key 1\n{township}.{device}\n{serial}\n{key}".encode()


def standing(signed_by: bytes, present: bytes, offered: bytes | None) -> Standing:
    """Who a request is of, by the table above. `offered` is a key whose proof was checked."""
    if signed_by == present:
        return "device" if offered in {None, present} else "bind"
    return "told" if offered == present else "copy"


def due(since_ms: int, now_ms: int) -> bool:
    """Whether a key that was bound at `since_ms` is to be replaced; both by the server's clock."""
    return now_ms - since_ms >= ROTATE_DAYS * _DAY_MS
