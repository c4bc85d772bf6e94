"""A device's key file, `worker.rbk.key`: the store's key out of it, or another passphrase into it. Pure.

The form is the device's own (sync_protocol/keyfile.py); what stands here is the other side of it.
"""

import base64
import binascii
from collections.abc import Callable
from typing import Any, Final

import msgspec
from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from server.recovery.service import Halves
from server.refused import RefusedError
from sync_protocol import keyfile
from sync_protocol.keyfile import KEY_BYTES, NONCE_BYTES, SALT_BYTES, STORE_PURPOSE, recovery_info
from sync_protocol.signing import encode_bytes

_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_MEMORY_KIB, _PASSES, _LANES = 19 * 1024, 2, 1
"""Argon2id as a device would choose it: it has to pay for it at each opening."""


class Sealed(msgspec.Struct, frozen=True):
    """What a key file says of its recovery, and the rest of it."""

    township: str
    device: str
    recovery_key: str
    sealed: bytes
    content: dict[str, Any]


def read(raw: bytes, name: str) -> Sealed:
    """The key file; raises RefusedError for one that is damaged, or was never sealed to a recovery key."""
    try:
        content = keyfile.read(raw)
    except keyfile.NotWritten as error:
        message = f"{name} is no key file of a device, or a damaged one: put the copy from the device beside its store."
        raise RefusedError(message) from error
    try:
        part = content["recovery"]
        sealed = base64.b64decode(part["sealed"], validate=True)
        return Sealed(part["township"], part["device"], part["key"], sealed, content)
    except (KeyError, TypeError, binascii.Error) as error:
        message = f"{name} was never sealed to a recovery key: its device has not synced since there is one."
        raise RefusedError(message) from error


def unseal(sealed: Sealed, private: Halves) -> bytes:
    """The store's key; raises RefusedError where none of the private halves fits."""
    info = recovery_info(sealed.township, sealed.device)
    for half in private.keys:
        key = X25519PrivateKey.from_private_bytes(half)
        if encode_bytes(key.public_key().public_bytes_raw()) == sealed.recovery_key:
            try:
                return _SUITE.decrypt(sealed.sealed, key, info)
            except (InvalidTag, ValueError) as error:
                message = (
                    "What is sealed in the key file was altered: take the file from the device once more."
                )
                raise RefusedError(message) from error
    message = f"The store is sealed to another recovery key of {sealed.township}: name its file with --key."
    raise RefusedError(message)


def with_passphrase(sealed: Sealed, key: bytes, passphrase: str, random: Callable[[int], bytes]) -> bytes:
    """The key file that this passphrase opens; the rest of it stays."""
    salt, nonce = random(SALT_BYTES), random(NONCE_BYTES)
    secret = passphrase.encode("utf-8", "surrogatepass")
    wrapping = hash_secret_raw(secret, salt, _PASSES, _MEMORY_KIB, _LANES, KEY_BYTES, Type.ID)
    kdf = {
        "name": "argon2id",
        "salt": base64.b64encode(salt).decode(),
        "memory_kib": _MEMORY_KIB,
        "passes": _PASSES,
        "lanes": _LANES,
    }
    wrapped = base64.b64encode(nonce + AESGCM(wrapping).encrypt(nonce, key, STORE_PURPOSE)).decode()
    return keyfile.written({**sealed.content, "kdf": kdf, "wrapped": wrapped})
