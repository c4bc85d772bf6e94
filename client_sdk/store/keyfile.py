"""The store's random key, wrapped by the passphrase: `worker.rbk.key`.

The key is drawn once and never changes; the passphrase only opens its wrapping (AES-256-GCM under a key
from Argon2id with the parameters that OWASP names for it: 19 MiB, two passes, one lane). So a passphrase
can be changed without writing the store again, and the same key can be sealed to a recovery key as well.
A check sum tells a damaged file from a wrong passphrase.
"""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from client_sdk.store import sidecar
from sync_protocol.errors import StoreDamaged, WrongPassphrase

KEY_BYTES: Final = 32
_SALT_BYTES: Final = 16
_NONCE_BYTES: Final = 12
_MEMORY_KIB: Final = 19 * 1024
_PASSES: Final = 2
_LANES: Final = 1
_MEMORY_KIB_MAX: Final = 1024 * 1024
_PURPOSE: Final = b"roundbook store key 1"


def create(path: Path, passphrase: str, random: Callable[[int], bytes]) -> bytes:
    """Draws a key, writes it wrapped, and returns it once the file is durable."""
    key, salt, nonce = random(KEY_BYTES), random(_SALT_BYTES), random(_NONCE_BYTES)
    wrapping = _derive(passphrase, salt, _MEMORY_KIB, _PASSES, _LANES)
    wrapped = nonce + AESGCM(wrapping).encrypt(nonce, key, _PURPOSE)
    kdf = {
        "name": "argon2id",
        "salt": _text(salt),
        "memory_kib": _MEMORY_KIB,
        "passes": _PASSES,
        "lanes": _LANES,
    }
    sidecar.write(path, {"format": 1, "kdf": kdf, "wrapped": _text(wrapped)})
    return key


def unwrap(path: Path, passphrase: str) -> bytes | None:
    """The key, or None when there is no file. Raises WrongPassphrase, or StoreDamaged for an altered file."""
    try:
        content = sidecar.read(path)
    except sidecar.SidecarDamaged as error:
        raise StoreDamaged(_damaged(path)) from error
    return None if content is None else unwrap_from(content, path, passphrase)


def unwrap_from(content: dict[str, Any], path: Path, passphrase: str) -> bytes:
    """The key from the content of a key file, or of another file that carries the same wrapping."""
    try:
        kdf, wrapped = content["kdf"], base64.b64decode(content["wrapped"])
        wrapping = _derive(passphrase, base64.b64decode(kdf["salt"]), *_costs(kdf))
    except (KeyError, TypeError, ValueError) as error:
        raise StoreDamaged(_damaged(path)) from error
    try:
        return AESGCM(wrapping).decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], _PURPOSE)
    except InvalidTag as error:
        message = "口令不对，请重新输入 / the passphrase does not open this store; type it again"
        raise WrongPassphrase(message) from error


def _costs(kdf: dict[str, Any]) -> tuple[int, int, int]:
    """The costs that the file names, within what a device can pay."""
    memory, passes, lanes = int(kdf["memory_kib"]), int(kdf["passes"]), int(kdf["lanes"])
    if not (0 < memory <= _MEMORY_KIB_MAX and 0 < passes <= 100 and 0 < lanes <= 16):  # noqa: PLR2004 (bounds)
        message = "unreasonable costs"
        raise ValueError(message)
    return memory, passes, lanes


def _derive(passphrase: str, salt: bytes, memory_kib: int, passes: int, lanes: int) -> bytes:
    return hash_secret_raw(
        passphrase.encode("utf-8", "surrogatepass"), salt, passes, memory_kib, lanes, KEY_BYTES, Type.ID
    )


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _damaged(path: Path) -> str:
    return (
        f"密钥文件 {path.name} 已损坏，请从备份恢复该文件 / the key file {path.name} is damaged; "
        "put back a copy of it (it never changes), the store itself is intact"
    )
