"""The exchange by file: where there is no network, a request and its answer are carried on a stick.

What is in a file is exactly what would have travelled: the signed request of one sync with its headers, or the
answer to it. Around it is an envelope, sealed (AES-256-GCM, by the drivers) under a key that only this device
and its township have: the township derives it from its own key, the device gets it with its profile.

    magic, then MessagePack of Envelope; `sealed` opens to MessagePack of Carried
"""

import hashlib
import hmac
from typing import Final, Literal

import msgspec

MAGIC: Final = b"roundbook file 1\n"
NONCE_BYTES: Final = 12
What = Literal["request", "answer"]


class Envelope(msgspec.Struct, frozen=True):
    """What can be read of a file without its key."""

    what: What
    township: str
    device: str
    nonce: bytes
    sealed: bytes

    @property
    def bound(self) -> bytes:
        """What the seal covers beside its content, so that no part of one file fits another."""
        return f"{self.what}\0{self.township}\0{self.device}".encode()


class Carried(msgspec.Struct, frozen=True):
    """A message as it would have travelled."""

    headers: dict[str, str]
    body: bytes


class NotAFile(ValueError):  # noqa: N818 (it is no file of ours)
    """The bytes are no file of this sort, or not all of one. The text says what was expected."""


_pack: Final = msgspec.msgpack.Encoder().encode
_envelope: Final = msgspec.msgpack.Decoder(Envelope).decode
_carried: Final = msgspec.msgpack.Decoder(Carried).decode


def key_of(township_key: bytes, device: str) -> bytes:
    """The key of a device's files, 32 bytes."""
    return hmac.digest(township_key, b"roundbook file\0" + device.encode(), hashlib.sha256)


def pack(envelope: Envelope) -> bytes:
    """The bytes of a file."""
    return MAGIC + _pack(envelope)


def unpack(data: bytes, what: What) -> Envelope:
    """The envelope of a file of the sort asked for; raises NotAFile."""
    if not data.startswith(MAGIC):
        message = f"a file of Roundbook begins with {MAGIC.decode().strip()!r}, this one does not"
        raise NotAFile(message)
    try:
        envelope = _envelope(data[len(MAGIC) :])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        message = "the file is not whole: copy it again"
        raise NotAFile(message) from error
    if envelope.what != what or len(envelope.nonce) != NONCE_BYTES:
        message = f"this is the file of an {envelope.what}, expected that of an {what}"
        raise NotAFile(message.replace("an request", "a request"))
    return envelope


def pack_carried(carried: Carried) -> bytes:
    """What is sealed."""
    return _pack(carried)


def unpack_carried(plain: bytes) -> Carried:
    """What was sealed; raises NotAFile."""
    try:
        return _carried(plain)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        message = "the content of the file is not a message"
        raise NotAFile(message) from error
