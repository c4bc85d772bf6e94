"""What devices kept sealed for a restored server, opened with the township's recovery key.

A device offers such a change when this server has lost it (sync_protocol/kept.py). Where the office keeps the key, it
waits in quarantine until somebody brings it: `roundbook recovery take-in`.
"""

import asyncio
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from server.storage.engine import snapshot
from server.storage.recovery import PURPOSE
from server.vault.keeping import vault_of
from sync_protocol import kept
from sync_protocol.changes import Change, decode, encode
from sync_protocol.codec import Unreadable, read_change
from sync_protocol.kept import SEALED, Kept, kept_info
from sync_protocol.limits import Limits
from sync_protocol.signing import decode_bytes

_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_OTHER: Final = "what is sealed is another change, or none"
_WAITS: Final = "it waits for the township's recovery key"
Read = Change | Unreadable


class Changes(msgspec.Struct, frozen=True):
    """The changes of a request, read, and the ids of those that were sealed: of them the device knows nothing more."""

    read: list[Read]
    sealed: frozenset[str]


async def read_changes(
    engine: AsyncEngine, township: str, raws: Iterable[msgspec.Raw | bytes], limits: Limits
) -> Changes:
    """Reads every change of a request; those that are sealed with the recovery keys that this server has."""
    found = [read_change(raw, limits) for raw in raws]
    sealed = {at: one for at, change in enumerate(found) if (one := sealed_in(change)) is not None}
    if sealed:
        keys = await snapshot(engine, partial(keys_here, township=township))
        opened = await asyncio.to_thread(_opened, list(sealed.values()), township, keys, limits)
        for at, change in zip(sealed, opened, strict=True):
            found[at] = change
    return Changes(found, frozenset(one.id for one in sealed.values()))


async def keys_here(connection: AsyncConnection, township: str) -> list[bytes]:
    """The private halves that this server has, the newest first."""
    return await vault_of(connection).kept(connection, township, PURPOSE)


def sealed_in(change: Read) -> Kept | None:
    """The sealed change that an element is; None for every other."""
    return kept.read(change.raw) if isinstance(change, Unreadable) and change.id is not None else None


def opened(one: Kept, township: str, keys: Sequence[bytes], limits: Limits) -> Read:
    """The change that is sealed, under the counter that it travelled with."""
    raw = kept.encode(one)
    payload = _unsealed(one, township, keys)
    if payload is None:
        return Unreadable(raw, one.id, one.record, one.n, SEALED, _WAITS)
    try:
        change = read_change(encode(msgspec.structs.replace(decode(payload), n=one.n)), limits)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Unreadable(raw, one.id, one.record, one.n, "unreadable", _OTHER)
    if (change.id, change.record) != (one.id, one.record):
        return Unreadable(raw, one.id, one.record, one.n, "unreadable", _OTHER)
    return change


def _opened(sealed: list[Kept], township: str, keys: list[bytes], limits: Limits) -> list[Read]:
    return [opened(one, township, keys, limits) for one in sealed]


def _unsealed(one: Kept, township: str, keys: Sequence[bytes]) -> bytes | None:
    """What is sealed; None where none of the keys fits."""
    info = kept_info(township, one.id)
    for key in keys:
        try:
            return _SUITE.decrypt(decode_bytes(one.sealed), X25519PrivateKey.from_private_bytes(key), info)
        except (InvalidTag, ValueError):
            continue
    return None
