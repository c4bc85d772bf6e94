"""What a device's store has not sent, read with its key: the office's view of a file that a device wrote.

The store is copied, with its write-ahead log, and the copy is opened: reading changes nothing on the device. Only
what a hand-over needs is read, and by the names that docs/protocol.md gives (section 23): a device of another make
that keeps them can be recovered as well.
"""

import shutil
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import msgspec
import sqlcipher3
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from server.refused import RefusedError
from sync_protocol.registration import Claim

_LOG: Final = "-wal"
_UNSENT: Final = (
    "SELECT payload, claim, record FROM changes WHERE status IN ('queued', 'draft') "
    "ORDER BY status = 'draft', place"
)
_KNOWN: Final = "SELECT value FROM meta WHERE key = ?"


class _Identity(msgspec.Struct):
    township: str
    device: str


class Unsent(msgspec.Struct, frozen=True):
    """What was not sent: the queue in its order, then the drafts, as they would travel but for their counters."""

    township: str
    device: str
    seed: bytes
    """The private key with which the device signs: who holds it is the device."""
    payloads: tuple[bytes, ...]
    numbers: dict[str, Claim]
    """Record to the registration number that a change of it brought before, with its proof."""

    @property
    def public_key(self) -> bytes:
        """What its server knows the device by."""
        return Ed25519PrivateKey.from_private_bytes(self.seed).public_key().public_bytes_raw()


def read(store: Path, key: bytes) -> Unsent:
    """What the store at `store` has not sent; raises RefusedError when it is not a device's, or damaged."""
    try:
        with TemporaryDirectory(prefix="roundbook-") as folder:
            copy = Path(folder) / "store"
            for suffix in ("", _LOG):
                if (there := store.with_name(store.name + suffix)).exists():
                    shutil.copyfile(there, copy.with_name(copy.name + suffix))
            with closing(sqlcipher3.connect(str(copy))) as opened:
                opened.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
                opened.execute("PRAGMA cipher_log_level = NONE")
                return _read(opened)
    except (sqlcipher3.Error, OSError, msgspec.MsgspecError, TypeError) as error:
        message = (
            f"{store} cannot be read as a device's store: take it from the device with the files beside it."
        )
        raise RefusedError(message) from error


def _read(opened: Any) -> Unsent:
    identity = _known(opened, "identity", _Identity)
    rows = opened.execute(_UNSENT).fetchall()
    claims = {
        record: msgspec.json.decode(claim, type=Claim) for _, claim, record in rows if claim is not None
    }
    seed = _known(opened, "private_key", bytes)
    return Unsent(identity.township, identity.device, seed, tuple(bytes(row[0]) for row in rows), claims)


def _known(opened: Any, name: str, type_: Any) -> Any:
    return msgspec.json.decode(opened.execute(_KNOWN, (name,)).fetchone()[0], type=type_)
