"""The recovery key of each township: an X25519 pair, the public half for its devices, the private one wrapped.

An office may take the private half off the server and keep it in a file of its own: then nobody who holds the
server opens a device's store, and a recovery waits for that file.
"""

import secrets
from collections.abc import Callable
from functools import partial
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from server.audit.acts import OPERATOR, Act, Actor, Value
from server.audit.log import append
from server.directory.working import locked
from server.refused import RefusedError
from server.storage import directory, recovery
from server.storage.engine import snapshot, transact
from server.storage.recovery import PURPOSE, RecoveryKey
from server.vault.keeping import vault_of
from sync_protocol import keyfile
from sync_protocol.signing import decode_bytes, encode_bytes

_FILE: Final = "roundbook recovery key"
_KEY_BYTES: Final = 32


class Halves(msgspec.Struct, frozen=True):
    """The private halves of a township's recovery keys, the newest first."""

    township: str
    keys: tuple[bytes, ...]

    def __repr__(self) -> str:
        return f"Halves({self.township!r})"


async def begin(
    connection: AsyncConnection,
    township: str,
    now_ms: int,
    random: Callable[[int], bytes] = secrets.token_bytes,
) -> bytes:
    """Makes a recovery key of 32 random bytes, in the caller's transaction; its public half."""
    private = X25519PrivateKey.from_private_bytes(random(_KEY_BYTES))
    public = private.public_key().public_bytes_raw()
    await vault_of(connection).keep(connection, township, PURPOSE, private.private_bytes_raw(), now_ms)
    await recovery.add(connection, township, public, now_ms)
    return public


async def ensure(engine: AsyncEngine, now_ms: int) -> list[str]:
    """Makes the key of townships that were opened before there were any; their codes."""

    async def find(connection: AsyncConnection) -> list[str]:
        there = {row.township for row in await recovery.everywhere(connection)}
        return [one.township for one in await directory.opened(connection) if one.township not in there]

    bare = await snapshot(engine, find)
    for township in bare:
        await transact(engine, partial(_first, township=township, now_ms=now_ms))
    return bare


async def _first(connection: AsyncConnection, township: str, now_ms: int) -> None:
    """The first key of a township, unless another process that starts at the same time has just made it."""
    await locked(connection, township)
    if not await recovery.of_township(connection, township):
        await begin(connection, township, now_ms)


async def listed(engine: AsyncEngine) -> list[RecoveryKey]:
    """Every recovery key of every township, without its private half."""
    return await snapshot(engine, recovery.everywhere)


async def renew(engine: AsyncEngine, township: str, *, now_ms: int, by: Actor = OPERATOR) -> RecoveryKey:
    """Makes another recovery key, which devices seal to from their next sync on; the former ones are kept."""

    async def work(connection: AsyncConnection) -> RecoveryKey:
        await locked(connection, township)
        public = await begin(connection, township, now_ms)
        told: dict[str, Value] = {"key": encode_bytes(public)}
        await append(connection, Act(township, "recovery_key_made", by, now_ms, told))
        return RecoveryKey(township, public, now_ms, None)

    return await transact(engine, work)


async def halves(engine: AsyncEngine, township: str) -> Halves:
    """The private halves that this server has; raises RefusedError when the office keeps them."""

    async def read(connection: AsyncConnection) -> list[bytes]:
        return await vault_of(connection).kept(connection, township, PURPOSE)

    found = await snapshot(engine, read)
    if not found:
        message = f"The recovery key of {township} is not on this server: name the office's file with --key."
        raise RefusedError(message)
    return Halves(township, tuple(found))


async def noted(
    engine: AsyncEngine, township: str, *, offline: bool, now_ms: int, by: Actor = OPERATOR
) -> None:
    """Writes down that the private halves were exported; with `offline` this server forgets them."""

    async def work(connection: AsyncConnection) -> None:
        await locked(connection, township)
        if offline:
            await recovery.take_offline(connection, township, now_ms)
        await append(connection, Act(township, "recovery_key_exported", by, now_ms, {"offline": offline}))

    await transact(engine, work)


def written(private: Halves) -> bytes:
    """The content of the office's own file."""
    keys = [encode_bytes(key) for key in private.keys]
    return keyfile.written({"what": _FILE, "township": private.township, "keys": keys})


def read(raw: bytes, name: str) -> Halves:
    """What stands in the office's file; raises RefusedError."""
    try:
        content = keyfile.read(raw)
        if content["what"] == _FILE:
            return Halves(content["township"], tuple(decode_bytes(key) for key in content["keys"]))
    except (keyfile.NotWritten, KeyError, TypeError, ValueError, AttributeError):
        pass
    message = (
        f"{name} is no file of a recovery key, or a damaged one: `roundbook recovery export` writes them."
    )
    raise RefusedError(message)
