"""The keys of one township, unwrapped: AES-256-GCM under numbered data keys, keyed hashes under another. Pure.

What is sealed says under which data key, so several may be in use while one replaces the other. It opens in its
own township and its own context only: whoever writes to the database cannot move it to another record.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from server.vault.master import KEY_BYTES, NONCE_BYTES

_SEPARATOR: Final = b":"


class UnknownKey(LookupError):  # noqa: N818 (it is the key that is unknown)
    """Something was sealed under a data key that was made after these keys were read: read them again."""


class Altered(ValueError):  # noqa: N818 (it is the sealed text that was altered)
    """What is sealed was altered, or belongs elsewhere."""


@dataclass(frozen=True, slots=True)
class TownshipKeys:
    """What one township seals with. Made by `keys_from` and never shown."""

    township: str
    number: int
    """The data key that seals; the others only open."""
    _ciphers: Mapping[int, AESGCM] = field(repr=False)
    _hash_key: bytes = field(repr=False)
    _derived: dict[str, bytes] = field(default_factory=dict, repr=False)
    _random: Callable[[int], bytes] = field(default=secrets.token_bytes, repr=False)

    def seal(self, plain: bytes, context: str) -> bytes:
        """Encrypts, for this township and `context` (a record's id, say) only. ASCII: `number:base64`."""
        return self.sealer(context)(plain)

    def sealer(self, context: str) -> Callable[[bytes], bytes]:
        """`seal` for one context, of which a record has several values: what they share is made once."""
        random, encrypt, bound = self._random, self._ciphers[self.number].encrypt, self._bound(context)
        head = b"%d:" % self.number

        def seal(plain: bytes) -> bytes:
            nonce = random(NONCE_BYTES)
            return head + binascii.b2a_base64(nonce + encrypt(nonce, plain, bound), newline=False)

        return seal

    def open(self, sealed: bytes, context: str) -> bytes:
        """What was sealed for `context`; raises UnknownKey or Altered."""
        number, _, text = sealed.partition(_SEPARATOR)
        try:
            cipher, raw = self._ciphers[int(number)], base64.b64decode(text, validate=True)
            return cipher.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], self._bound(context))
        except KeyError as error:
            message = f"the data key {int(number)} of {self.township}"
            raise UnknownKey(message) from error
        except (InvalidTag, ValueError) as error:
            message = f"what is sealed was altered, or belongs elsewhere ({self.township})"
            raise Altered(message) from error

    def hash(self, purpose: str, value: str) -> str:
        """A keyed hash, 64 hexadecimal digits: equal values of one purpose are equal, and nothing else can be told.

        It stays the same when data keys are rotated.
        """
        key = self._derived.get(purpose)
        if key is None:
            derived = HKDF(SHA256(), KEY_BYTES, None, f"roundbook {purpose} {self.township}".encode())
            key = self._derived[purpose] = derived.derive(self._hash_key)
        return hmac.digest(key, value.encode(), hashlib.sha256).hex()

    def pad(self, record: str, version: int) -> tuple[int, int]:
        """Two numbers of 32 bits that hide the digest of a record, by which guesses of its values could be tested."""
        both = int(self.hash("digest", f"{record}/{version}")[:16], 16)
        return divmod(both, 2**32)

    def _bound(self, context: str) -> bytes:
        return f"{self.township}/{context}".encode()


def keys_from(
    township: str,
    data: Mapping[int, bytes],
    hash_key: bytes,
    random: Callable[[int], bytes] = secrets.token_bytes,
) -> TownshipKeys:
    """The keys of a township from its unwrapped ones; of the data keys the one with the highest number seals."""
    ciphers = {number: AESGCM(key) for number, key in data.items()}
    return TownshipKeys(township, max(data, default=0), ciphers, hash_key, _random=random)
