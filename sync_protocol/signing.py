"""What a device signs, and how a request carries it.

The signature (Ed25519, RFC 8032) covers method, path, serial and the SHA-256 of the body as it travels, so
it is checked before anything is decompressed or decoded. The serial only grows and has nothing to do with
time: a wrong clock must never keep a device out. A serial that is not above the last one seen may be an
honest restored device or a replayed request, so it gets the verdicts of what came before and the last serial
seen, and neither reads nor brings anything new.
"""

import base64
import binascii
import hashlib
from typing import Final

import msgspec

DEVICE_HEADER: Final = "roundbook-device"
SERIAL_HEADER: Final = "roundbook-serial"
SIGNATURE_HEADER: Final = "roundbook-signature"
SERIAL_MAX: Final = 2**53
"""The first serial is 1; above this, a reader of JSON that knows only doubles would take two for the same."""


class Credentials(msgspec.Struct, frozen=True):
    """Who signed, with which serial, and the signature."""

    township: str
    device: str
    serial: int
    signature: bytes


def signed_bytes(method: str, path: str, serial: int, body: bytes) -> bytes:
    """The bytes under the signature: four lines, each ended by a line feed but the last."""
    return f"{method}\n{path}\n{serial}\n{hashlib.sha256(body).hexdigest()}".encode()


def headers(township: str, device: str, serial: int, signature: bytes) -> dict[str, str]:
    """The three headers of a signed request. A device id names its township."""
    return {
        DEVICE_HEADER: f"{township}.{device}",
        SERIAL_HEADER: str(serial),
        SIGNATURE_HEADER: encode_bytes(signature),
    }


def read_headers(device: str | None, serial: str | None, signature: str | None) -> Credentials | None:
    """The credentials of a request, or None when a header is missing or not of its form."""
    if not (
        device
        and serial
        and signature
        and serial.isascii()
        and serial.isdigit()
        and len(serial) <= len(str(SERIAL_MAX))
        and 1 <= int(serial) <= SERIAL_MAX
    ):
        return None
    township, _, device_id = device.partition(".")
    try:
        return Credentials(township, device_id, int(serial), decode_bytes(signature))
    except ValueError:
        return None


def encode_bytes(raw: bytes) -> str:
    """Bytes as base64url without padding (RFC 4648, section 5)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode_bytes(text: str) -> bytes:
    """The inverse; ValueError for anything else."""
    try:
        return base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error
