"""The key file beside a device's store, `worker.rbk.key`: its form, as device and office write and read it. Pure.

    {"format": 1,
     "kdf": {"name": "argon2id", "salt", "memory_kib", "passes", "lanes"},
     "wrapped": nonce and the store's key, AES-256-GCM under what Argon2id makes of the passphrase,
     "recovery": {"township", "device", "key": the recovery key it is sealed to, "sealed": the store's key},
     "check": SHA-256 of all that, as JSON with its members in order}

Bytes are base64. `recovery` is there once the device has been told of a recovery key; `kdf` and `wrapped` are
gone once the lease has ended for good. `{"format": 1, "wiped": true}` says that the store was removed on purpose.
"""

import hashlib
from typing import Any, Final

import msgspec

FORMAT: Final = 1
STORE_PURPOSE: Final = b"roundbook store key 1"
"""The associated data under which the passphrase's key wraps the store's."""
KEY_BYTES: Final = 32
SALT_BYTES: Final = 16
NONCE_BYTES: Final = 12


class NotWritten(ValueError):  # noqa: N818 (what it is not)
    """These bytes are not what was written."""


def recovery_info(township: str, device: str) -> bytes:
    """What the store's key is bound to when it is sealed to the recovery key (the `info` of HPKE, RFC 9180)."""
    return f"roundbook recovery 1\n{township}.{device}".encode()


def written(content: dict[str, Any]) -> bytes:
    """The bytes of a small file with this content, and its check."""
    return msgspec.json.encode({**content, "check": _check(content)}, order="sorted")


def read(raw: bytes) -> dict[str, Any]:
    """The content of a small file; raises NotWritten."""
    try:
        content: dict[str, Any] = msgspec.json.decode(raw, type=dict[str, Any])
        check = content.pop("check")
    except (msgspec.MsgspecError, UnicodeDecodeError, KeyError) as error:
        raise NotWritten from error
    if check != _check(content):
        raise NotWritten
    return content


def _check(content: dict[str, Any]) -> str:
    return hashlib.sha256(msgspec.json.encode(content, order="sorted")).hexdigest()
