"""The store's random key, wrapped by the passphrase and sealed to the township's recovery key: `worker.rbk.key`.

The key is drawn once and never changes; the passphrase only opens its wrapping (AES-256-GCM under a key
from Argon2id with the parameters that OWASP names for it: 19 MiB, two passes, one lane). So a passphrase
can be changed without writing the store again, and the wrapping can be destroyed while the township can still
open the store (HPKE, RFC 9180, to its X25519 key). A check sum tells a damaged file from a wrong passphrase.
The file's form stands in sync_protocol/keyfile.py. Whoever rewrites it holds the store's write transaction.
"""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from client_sdk.store import sidecar
from client_sdk.store.locks import OVER
from sync_protocol.errors import StoreDamaged, StoreLocked, WrongPassphrase
from sync_protocol.keyfile import FORMAT, KEY_BYTES, NONCE_BYTES, SALT_BYTES, STORE_PURPOSE, recovery_info
from sync_protocol.signing import decode_bytes

_MEMORY_KIB: Final = 19 * 1024
_PASSES: Final = 2
_LANES: Final = 1
_MEMORY_KIB_MAX: Final = 1024 * 1024
_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


def create(path: Path, passphrase: str, random: Callable[[int], bytes]) -> bytes:
    """Draws a key, writes it wrapped, and returns it once the file is durable."""
    key = random(KEY_BYTES)
    sidecar.write(path, {"format": FORMAT, **_wrapped(key, passphrase, random)})
    return key


def put_passphrase(path: Path, key: bytes, passphrase: str, random: Callable[[int], bytes]) -> None:
    """From now on this passphrase opens the store, and no other; durable on return."""
    sidecar.write(path, {**_content(path), **_wrapped(key, passphrase, random)})


def seal(path: Path, key: bytes, recovery_key: str, township: str, device: str) -> None:
    """Seals the key to a recovery key, unless it is sealed to that one already; durable on return.

    What is no such key is passed over: a fault of the server must not keep its devices from working.
    """
    content, of = _content(path), {"township": township, "device": device, "key": recovery_key}
    if of.items() <= content.get("recovery", {}).items():
        return
    sealed = sealed_to(recovery_key, key, recovery_info(township, device))
    if sealed is not None:
        sidecar.write(path, {**content, "recovery": {**of, "sealed": _text(sealed)}})


def sealed_to(recovery_key: str, content: bytes, info: bytes) -> bytes | None:
    """The encapsulated key, then the ciphertext (HPKE); None for what is no recovery key."""
    try:
        public = X25519PublicKey.from_public_bytes(decode_bytes(recovery_key))
    except ValueError:
        return None
    return _SUITE.encrypt(content, public, info)


def forget_passphrase(path: Path) -> bool:
    """Destroys what the passphrase opens, where the township can open the store; False where it cannot."""
    content = _content(path)
    if "recovery" not in content:
        return False
    sidecar.write(path, {name: part for name, part in content.items() if name not in {"kdf", "wrapped"}})
    return True


def destroy(path: Path) -> None:
    """Puts a word in the key's place: the store is removed on purpose. From here on nobody can read it."""
    sidecar.write(path, {"format": FORMAT, "wiped": True})


def is_destroyed(path: Path) -> bool:
    """Whether `destroy` was here, and what followed it was not finished."""
    try:
        return "wiped" in (sidecar.read(path) or {})
    except sidecar.SidecarDamaged:
        return False


def unwrap(path: Path, passphrase: str) -> bytes | None:
    """The key, or None when there is no file.

    Raises WrongPassphrase, StoreDamaged for an altered file, StoreLocked where no passphrase opens it any more.
    """
    content = _content(path)
    if "recovery" in content and "wrapped" not in content:
        raise StoreLocked(OVER)
    return unwrap_from(content, path, passphrase) if content else None


def unwrap_from(content: dict[str, Any], path: Path, passphrase: str) -> bytes:
    """The key from the content of a key file, or of another file that carries the same wrapping."""
    try:
        kdf, wrapped = content["kdf"], base64.b64decode(content["wrapped"])
        wrapping = _derive(passphrase, base64.b64decode(kdf["salt"]), *_costs(kdf))
    except (KeyError, TypeError, ValueError) as error:
        raise StoreDamaged(_damaged(path)) from error
    try:
        return AESGCM(wrapping).decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], STORE_PURPOSE)
    except InvalidTag as error:
        message = "口令不对，请重新输入 / the passphrase does not open this store; type it again"
        raise WrongPassphrase(message) from error


def _content(path: Path) -> dict[str, Any]:
    """What the file says, nothing where there is none; raises StoreDamaged."""
    try:
        return sidecar.read(path) or {}
    except sidecar.SidecarDamaged as error:
        raise StoreDamaged(_damaged(path)) from error


def _wrapped(key: bytes, passphrase: str, random: Callable[[int], bytes]) -> dict[str, Any]:
    salt, nonce = random(SALT_BYTES), random(NONCE_BYTES)
    wrapping = _derive(passphrase, salt, _MEMORY_KIB, _PASSES, _LANES)
    kdf = {
        "name": "argon2id",
        "salt": _text(salt),
        "memory_kib": _MEMORY_KIB,
        "passes": _PASSES,
        "lanes": _LANES,
    }
    return {"kdf": kdf, "wrapped": _text(nonce + AESGCM(wrapping).encrypt(nonce, key, STORE_PURPOSE))}


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
        "put back a copy of it, the store itself is intact"
    )
