"""The keys that a device signs with: the present one, one that is offered to the server, and the one before.

Each is an Ed25519 seed of 32 bytes. A key is durable here before the server hears of it, and the one that it
replaces is kept: a server that is restored from a backup knows that one only (docs/protocol.md, section 4).
"""

from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from client_sdk.store import meta
from client_sdk.store.database import Tx
from sync_protocol.rotation import KeyOffer, due, offered_bytes
from sync_protocol.signing import encode_bytes

SEED_BYTES: Final = 32
_PRESENT, _NEXT, _FORMER, _SINCE = "private_key", "next_key", "former_key", "key_since"
_ENROLLING: Final = "offered_key"


def present(tx: Tx) -> bytes | None:
    """The key that signs; None before the device was enrolled."""
    return meta.get(tx, _PRESENT, bytes)


def enrolling(tx: Tx) -> bytes | None:
    """The key that was drawn to enrol, until the server has bound it."""
    return meta.get(tx, _ENROLLING, bytes)


def put_enrolling(tx: Tx, seed: bytes) -> None:
    """Keeps the key before it is shown."""
    meta.put_value(tx, _ENROLLING, seed)


def enrolled(tx: Tx, now_ms: int) -> None:
    """The server has bound the key that was shown. `now_ms` is the server's clock."""
    meta.put_value(tx, _PRESENT, enrolling(tx))
    meta.put(tx, _SINCE, now_ms)
    for name in (_ENROLLING, _NEXT, _FORMER):
        meta.forget(tx, name)


def replacement(tx: Tx) -> bytes | None:
    """The key that is to replace the present one; None when none is."""
    return meta.get(tx, _NEXT, bytes)


def put_replacement(tx: Tx, seed: bytes) -> None:
    """Keeps another key; from now on each request offers it, until an answer says that the server has taken it."""
    meta.put_value(tx, _NEXT, seed)


def is_due(tx: Tx) -> bool:
    """Whether the present key is old enough to be replaced, by the server's clock at the last contact."""
    contact = meta.contact(tx)
    if contact is None or replacement(tx) is not None:
        return False
    if not meta.integer(tx, _SINCE):  # of a store from before keys were replaced
        meta.put(tx, _SINCE, contact.server_ms)
    return due(meta.integer(tx, _SINCE), contact.server_ms)


def offer(tx: Tx, township: str, device: str, serial: int) -> KeyOffer | None:
    """What the request with this serial says of the key that is to replace the present one."""
    seed = replacement(tx)
    if seed is None:
        return None
    public = public_text(seed)
    signed = offered_bytes(township, device, serial, public)
    return KeyOffer(public, encode_bytes(Ed25519PrivateKey.from_private_bytes(seed).sign(signed)))


def taken(tx: Tx, public: str, now_ms: int) -> None:
    """An answer says that the server has taken a key; one that is not offered any more says nothing new."""
    seed = replacement(tx)
    if seed is None or public != public_text(seed):
        return
    meta.put_value(tx, _FORMER, present(tx))
    meta.put_value(tx, _PRESENT, seed)
    meta.put(tx, _SINCE, now_ms)
    meta.forget(tx, _NEXT)


def fall_back(tx: Tx) -> bool:
    """The server does not know the present key: back to the one before, offering the present one; False without one."""
    before = meta.get(tx, _FORMER, bytes)
    if before is None:
        return False
    meta.put_value(tx, _NEXT, present(tx))
    meta.put_value(tx, _PRESENT, before)
    meta.forget(tx, _FORMER)
    return True


def public_text(seed: bytes) -> str:
    """The public half of a key, in base64url without padding."""
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key()
    return encode_bytes(public.public_bytes(Encoding.Raw, PublicFormat.Raw))
