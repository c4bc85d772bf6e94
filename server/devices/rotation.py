"""The other key that a device offers to sign with: whether it holds that key, and binding it (docs/protocol.md)."""

import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy.ext.asyncio import AsyncConnection

from server.audit.acts import Act, Actor
from server.audit.log import append
from server.storage import contact
from sync_protocol.rotation import KEY_BYTES, PROOF_BYTES, KeyOffer, offered_bytes
from sync_protocol.signing import decode_bytes


def offered(township: str, device: str, serial: int, offer: KeyOffer | None) -> bytes | None:
    """The key of an offer that its holder has made for this very request; None for any other."""
    if offer is None:
        return None
    try:
        key, proof = decode_bytes(offer.key), decode_bytes(offer.proof)
        if (len(key), len(proof)) != (KEY_BYTES, PROOF_BYTES):
            return None
        signed = offered_bytes(township, device, serial, offer.key)
        Ed25519PublicKey.from_public_bytes(key).verify(proof, signed)
    except (ValueError, InvalidSignature):
        return None
    return key


async def bind(connection: AsyncConnection, township: str, device: str, key: bytes, now_ms: int) -> None:
    """Binds a key to a device, and writes it down in the audit; the caller holds the township's lock."""
    await contact.replace_key(connection, township, device, key, now_ms)
    told = {"device": device, "key_sha256": hashlib.sha256(key).hexdigest()}
    await append(connection, Act(township, "device_key_replaced", Actor("device", device), now_ms, told))
