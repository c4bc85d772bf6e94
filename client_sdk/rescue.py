"""The rescue file: what a store has not sent, sealed, to be taken in by another device.

For a phone that is about to be wiped, or a store whose device the server no longer knows. The file carries
the store's own key in its wrapping, so the passphrase of the store opens it, and nothing else does. The ids
of the changes stay: what had arrived after all is a duplicate, not a second copy.
"""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from client_sdk.compression import Undecodable, unpacked
from client_sdk.store import keyfile, news, queue, sidecar
from client_sdk.store.store import Store
from sync_protocol import kept
from sync_protocol.changes import Change, decode
from sync_protocol.errors import StoreDamaged, StoreFull
from sync_protocol.kept import Kept
from sync_protocol.registration import Claim

_PURPOSE: Final = b"roundbook rescue 2"
_NONCE_BYTES: Final = 12
_BYTES_MAX: Final = 2**30


class Rescued(msgspec.Struct, frozen=True, array_like=True):
    """A change of a rescue file, with the registration number that it had brought its record."""

    change: msgspec.Raw
    claim: Claim | None = None


def write_rescue(store: Store, path: Path, random: Callable[[int], bytes], *, answered: bool = False) -> int:
    """Writes every unsent change, drafts included, to `path`; how many there are. Nothing leaves the queue.

    With what was `answered`, too, for a server that was restored and does not know this device any more.
    """
    with store.read() as tx:
        found = queue.payloads(tx, answered=answered)
    payloads = [Rescued(msgspec.Raw(payload), claim) for payload, claim in found]
    wrapping = sidecar.read(store.key_path) or {}
    nonce = random(_NONCE_BYTES)
    packed = zstandard.compress(msgspec.json.encode(payloads))
    sealed = nonce + AESGCM(_key(store.key)).encrypt(nonce, packed, _PURPOSE)
    content = {**wrapping, "rescue": base64.b64encode(sealed).decode()}
    try:
        sidecar.write(path, content)
    except OSError as error:
        message = (
            f"无法写入 {path.name} / {path.name} cannot be written ({error.strerror}): name another place"
        )
        raise StoreFull(message) from error
    return len(payloads)


def read_rescue(path: Path, passphrase: str) -> list[tuple[Change | Kept, Claim | None]]:
    """The changes of a rescue file, with their numbers. Raises WrongPassphrase, or StoreDamaged for what is none."""
    try:
        content = sidecar.read(path) or {}
        sealed = base64.b64decode(content["rescue"])
    except (sidecar.SidecarDamaged, OSError, KeyError, ValueError) as error:
        raise _damaged(path) from error
    key = keyfile.unwrap_from(content, path, passphrase)
    try:
        packed = AESGCM(_key(key)).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _PURPOSE)
        payloads = msgspec.json.decode(unpacked(packed, "zstd", _BYTES_MAX), type=list[Rescued])
        return [(kept.read(one.change) or decode(one.change), one.claim) for one in payloads]
    except (InvalidTag, Undecodable, msgspec.MsgspecError) as error:
        raise _damaged(path) from error


def take_in(store: Store, changes: list[tuple[Change | Kept, Claim | None]], now_ms: int) -> int:
    """Puts rescued changes into this store's queue; how many of them were new to it."""
    new = 0
    with store.write() as tx:
        for change, claim in changes:
            if queue.standing(tx, change.id) is not None:
                continue
            new += 1
            if isinstance(change, Kept):
                queue.append_kept(tx, change, now_ms)
            else:
                queue.append(tx, change, draft=False)
                if change.do == "create":
                    news.watch(tx, change.record, change.kind)
            if claim is not None:
                queue.registered(tx, change.id, claim)
    return new


def _key(store_key: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=_PURPOSE).derive(store_key)


def _damaged(path: Path) -> StoreDamaged:
    return StoreDamaged(f"{path.name} 不是完好的救援文件 / {path.name} is no rescue file, or a damaged one")
