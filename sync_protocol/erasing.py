"""What is left of a record whose values were erased, and of what its changes said.

An erased record keeps its id, kind, place, state and registration number. It is deleted, so no page brings it
and no digest counts it, and every later change of it gets the verdict `erased`. Of a change stay its id, its
number, its times, its outcome, and a fingerprint under a key: without the key nobody can find out by trying
what had been written.
"""

import hashlib
import hmac
from typing import Final

from sync_protocol.state import Marks, RecordState, Writer

ERASED: Final = "erased"
"""The verdict of a change to an erased record, why a record left a device, and the outcome of a receipt."""
EXPIRED: Final = "expired"
"""Why a record left a device whose kind says how many days devices keep it."""
_FINGERPRINTS: Final = b"roundbook erased fingerprints 1"
_LISTED: Final = b"roundbook erased list 1"


def blank(state: RecordState, writer: Writer) -> None:
    """Takes every value out of a record, and whoever wrote one; `writer` is the erasure."""
    state.body, state.marking = {}, Marks([writer])
    state.deleted = state.erased = True


def keyed(key: bytes, fingerprint: bytes) -> bytes:
    """The fingerprint of an erased change: HMAC-SHA-256 under a key made of the township's, 32 bytes."""
    return _hmac(_hmac(key, _FINGERPRINTS), fingerprint)


def vouched(key: bytes, line: bytes) -> str:
    """What vouches for a line of the list of erasures: HMAC-SHA-256 in hexadecimal digits."""
    return _hmac(_hmac(key, _LISTED), line).hex()


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, hashlib.sha256).digest()
