"""What a device knows of itself, each under its name in the table `meta`.

It is little and asked for often, so a transaction reads all of it at once.
"""

from typing import Final, TypeVar

import msgspec

from client_sdk.store.database import Tx
from sync_protocol.kinds import Kind, from_json
from sync_protocol.messages import Profile

Value = TypeVar("Value")

EPOCH: Final = "epoch"
COUNTER: Final = "counter"
"""The last counter given out in the present epoch."""
SERIAL: Final = "serial"
"""The last serial that signed a request."""
CURSOR: Final = "cursor"
WEIGHED: Final = "weighed"
"""The server's time, in milliseconds, when all records were last weighed against the digests."""
RECEIPTS: Final = "receipts"
"""The number of the last receipt that was taken in."""


class Identity(msgspec.Struct, frozen=True):
    """Which device this is, of which server."""

    url: str
    server: str
    """The server's identity, without its epoch."""
    device: str
    township: str
    authority: str | None = None
    """The certificate authority that was pinned, in PEM; None trusts those of the system."""


class Contact(msgspec.Struct, frozen=True):
    """The last time that the server answered: both clocks, in milliseconds since 1970."""

    server_ms: int
    """The answer's `now`."""
    device_ms: int
    """When the answer arrived: by its way back too late, as a request's `now` is too early (sync_protocol/clock.py)."""


class Asked(msgspec.Struct, frozen=True):
    """A request that was written to a file: what its answer has to fit."""

    nonce: str
    ids: tuple[str, ...]
    """The changes that it carries, in order."""
    cursor: str | None
    """Where the device stood."""


def asked(tx: Tx) -> tuple[Asked, ...]:
    """The requests in files whose answers have not come, the oldest first."""
    return get(tx, "asked", tuple[Asked, ...]) or ()


def put_asked(tx: Tx, value: tuple[Asked, ...]) -> None:
    """Replaces them."""
    put_value(tx, "asked", value)


def reread(tx: Tx) -> tuple[str, ...]:
    """Grids that an answer in a file showed to differ: the next request file asks for them."""
    return get(tx, "reread", tuple[str, ...]) or ()


def put_reread(tx: Tx, value: tuple[str, ...]) -> None:
    """Replaces them."""
    put_value(tx, "reread", value)


def integer(tx: Tx, name: str) -> int:
    """A number, 0 when it was never set."""
    return get(tx, name, int) or 0


def text(tx: Tx, name: str) -> str | None:
    """A text, None when it was never set."""
    return get(tx, name, str)


def put(tx: Tx, name: str, value: int | str) -> None:
    """Sets a number or a text."""
    put_value(tx, name, value)


def forget(tx: Tx, name: str) -> None:
    """Unsets a name."""
    if _named(tx).pop(name, None) is not None:
        tx.run("DELETE FROM meta WHERE key = ?", name)


def identity(tx: Tx) -> Identity | None:
    """Which device this is; None before it was enrolled."""
    return get(tx, "identity", Identity)


def put_identity(tx: Tx, value: Identity) -> None:
    """Binds the store to a device."""
    put_value(tx, "identity", value)


def contact(tx: Tx) -> Contact | None:
    """The last contact."""
    return get(tx, "contact", Contact)


def put_contact(tx: Tx, value: Contact) -> None:
    """Keeps the last contact."""
    put_value(tx, "contact", value)


def profile(tx: Tx) -> Profile | None:
    """Who the device is and its grids; its kinds are in a table of their own."""
    return get(tx, "profile", Profile)


def put_profile(tx: Tx, value: Profile) -> None:
    """Replaces the profile. Kinds of earlier profiles stay readable."""
    put_value(tx, "profile", msgspec.structs.replace(value, kinds=()))
    for raw in value.kinds:
        try:
            kind = from_json(bytes(raw))
        except msgspec.MsgspecError:
            continue  # declared in a way that only a newer program can read
        tx.run(
            "INSERT OR REPLACE INTO kinds (name, version, declaration) VALUES (?, ?, ?)",
            kind.name,
            kind.version,
            bytes(raw),
        )


def kinds(tx: Tx) -> dict[str, Kind]:
    """The newest version of every kind that this device was ever told of, by name."""
    rows = tx.rows("SELECT declaration FROM kinds ORDER BY name, version")
    return {kind.name: kind for kind in map(from_json, (row[0] for row in rows))}


def get(tx: Tx, name: str, type_: type[Value]) -> Value | None:
    """What stands under a name, None when nothing does."""
    value = _named(tx).get(name)
    return msgspec.json.decode(value, type=type_) if value is not None else None


def put_value(tx: Tx, name: str, value: object) -> None:
    """Sets what stands under a name."""
    encoded, named = msgspec.json.encode(value), _named(tx)
    if named.get(name) != encoded:
        tx.run("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", name, encoded)
        named[name] = encoded


def _named(tx: Tx) -> dict[str, bytes]:
    if tx.named is None:
        tx.named = dict(tx.rows("SELECT key, value FROM meta"))
    return tx.named
