"""The master key: 32 random bytes from outside the database. It wraps keys of townships, and nothing else. Pure.

There may be several: the first wraps, all of them unwrap, so that one can be replaced while servers run and an
old backup can still be read. Each is named by an id that follows from it and tells nothing of it.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from server.refused import RefusedError

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
_ID_CHARS: Final = 12
_ID_LABEL: Final = b"roundbook master key id"
_COMMENT: Final = "#"


class KeyMissing(RefusedError):  # noqa: N818 (it is the key that is missing)
    """There is no master key, or none that unwraps what the database holds. The text says what to do."""


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A secret as the database holds it, and the id of the master key that unwraps it."""

    master_id: str
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Master:
    """The master keys of a server, the one that wraps first."""

    keys: tuple[bytes, ...] = field(repr=False)

    @property
    def ids(self) -> tuple[str, ...]:
        """Their ids, in the same order."""
        return tuple(map(id_of, self.keys))

    def wrap(self, secret: bytes, context: str, random: Callable[[int], bytes]) -> Wrapped:
        """Encrypts a secret; it opens with the same `context` only, such as its table and the key of its row."""
        nonce = random(NONCE_BYTES)
        return Wrapped(self.ids[0], nonce + AESGCM(self.keys[0]).encrypt(nonce, secret, context.encode()))

    def unwrap(self, wrapped: Wrapped, context: str) -> bytes:
        """The secret; raises KeyMissing when no key fits, or somebody altered or moved what is wrapped."""
        key = next((one for one in self.keys if id_of(one) == wrapped.master_id), None)
        if key is None:
            raise KeyMissing(wrong(self.ids, [wrapped.master_id]))
        nonce, sealed = wrapped.sealed[:NONCE_BYTES], wrapped.sealed[NONCE_BYTES:]
        try:
            return AESGCM(key).decrypt(nonce, sealed, context.encode())
        except InvalidTag as error:
            message = f"What is wrapped for {context} was altered: restore the newest backup that doctor finds sound."
            raise KeyMissing(message) from error


def id_of(key: bytes) -> str:
    """The id of a master key: 12 hexadecimal digits."""
    return hmac.digest(key, _ID_LABEL, hashlib.sha256).hex()[:_ID_CHARS]


def wrong(given: Sequence[str], needed: Sequence[str]) -> str:
    """The sentence for a master key that does not fit."""
    return (
        f"This database is sealed under the master key {', '.join(needed)}, and the key given is "
        f"{', '.join(given)}: put back the copy of the right master.key, or name it by ROUNDBOOK_MASTER_KEY_FILE."
    )


def written(key: bytes) -> str:
    """A key as text: base64, 44 characters."""
    return base64.b64encode(key).decode()


def read(text: str, origin: str) -> Master:
    """The keys of a text, one a line or parted by spaces, the newest first; what follows a # is left out.

    Raises KeyMissing that names `origin`; never a part of the text.
    """
    words = [word for line in text.splitlines() for word in line.partition(_COMMENT)[0].split()]
    try:
        keys = tuple(base64.b64decode(word, validate=True) for word in words)
    except (binascii.Error, ValueError):
        keys = ()
    if not keys or any(len(key) != KEY_BYTES for key in keys):
        message = (
            f"{origin} holds no master key: it takes {KEY_BYTES} random bytes in base64, as "
            "`roundbook keys make FILE` writes them."
        )
        raise KeyMissing(message)
    return Master(keys)
