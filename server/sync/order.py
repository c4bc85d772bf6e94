"""Which changes of a request are new, which came before, and where something is missing. Pure.

A device numbers its changes densely within an installation epoch and sends them in order. What comes again
gets its first verdict; a counter that goes back with an unknown change is a second copy of the store, which
is told to fork; a gap is answered with the counter to send from, unless the device has said that it no
longer keeps the missing ones: then the gap is released and marked, because waiting would block for ever.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Final

import msgspec

from server.storage.changes import Stored
from sync_protocol.changes import Change, decode, fingerprint, same_content
from sync_protocol.codec import Unreadable
from sync_protocol.ids import uuid8
from sync_protocol.kept import SEALED

REUSED: Final = "change_id_reused"


class Item(msgspec.Struct, frozen=True):
    """One element of a request: the id it is stored under, what it says, and its place in the request."""

    index: int
    key: str
    change: Change | Unreadable
    travelled: bytes = b""
    """The fingerprint of what travelled, where `change` is not that any more, or is not readable."""
    origin: str | None = None
    """The quarantined change that this one is, taken in again under another id."""

    @property
    def answers_to(self) -> str | None:
        """The id that its verdict names; None when not even that could be read."""
        return self.change.id

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of what the element says. Not made before it is asked for: few elements come twice."""
        return (
            fingerprint(self.change)
            if isinstance(self.change, Change) and not self.travelled
            else self.travelled
        )


@dataclass(slots=True)
class Ordered:
    """What to do with a request's elements."""

    take: list[tuple[Item, int]] = field(default_factory=list)
    """New ones, each with its counter, in order."""
    again: list[tuple[Item, str]] = field(default_factory=list)
    """Those that came before, each with the id under which the first is stored."""
    counter: int = 0
    send_from: int | None = None
    fork: bool = False
    gap: tuple[int, int] | None = None


def item(index: int, change: Change | Unreadable, author: str) -> Item:
    """An element with the id that it is stored under: its own, or one derived from its bytes and author."""
    if isinstance(change, Change):
        return Item(index, change.id, change)
    digest = hashlib.sha256(change.raw).digest()
    derived = uuid8(hashlib.sha256(author.encode() + digest).digest())
    return Item(index, change.id or derived, change, digest)


def under_other_id(reused: Item) -> Item:
    """The same element under an id of its own, because its id is taken by other content."""
    key = uuid8(hashlib.sha256(reused.key.encode() + reused.fingerprint).digest())
    raw = msgspec.json.encode(reused.change) if isinstance(reused.change, Change) else reused.change.raw
    record = reused.change.record
    unreadable = Unreadable(
        raw, reused.answers_to, record, reused.change.n, REUSED, "the id has other content"
    )
    return Item(reused.index, key, unreadable, reused.fingerprint)


def is_resend(element: Item, seen: dict[str, Stored]) -> bool:
    """Whether an element says what was stored under its id, byte for byte or in other spelling."""
    stored = seen.get(element.key)
    if stored is not None and (stored.erased or SEALED in {stored.code, _code(element)}):
        # Whatever it says now: of an erased record nothing is taken in, and what is sealed cannot be compared.
        return stored.record_id == element.change.record
    if stored is None or stored.fingerprint == element.fingerprint:
        return stored is not None
    try:
        first = decode(stored.payload)
    except (ValueError, RecursionError):  # it could not be decoded when it came
        return False
    return isinstance(element.change, Change) and same_content(first, element.change)


def _code(element: Item) -> str | None:
    return element.change.code if isinstance(element.change, Unreadable) else None


def order(items: list[Item], seen: dict[str, Stored], counter: int, lowest: int) -> Ordered:
    """Sorts the elements of a request out. `counter` is the epoch's last, `lowest` what the device still keeps."""
    out = Ordered(counter=counter)
    taken: dict[str, Item] = {}
    for element in items:
        n = element.change.n or out.counter + 1
        current = element if _is_itself(element, seen, taken) else under_other_id(element)
        if current.key in seen or current.key in taken:
            out.again.append((current, current.key))
            out.counter = max(out.counter, n) if n == out.counter + 1 else out.counter
            continue
        if n <= out.counter:
            out.fork = True
            break  # what follows may build on it, and comes again with it after the fork
        if n > out.counter + 1 and out.counter + 1 < lowest <= n:
            out.gap = (out.counter + 1, lowest - 1)
            out.counter = lowest - 1
        if n > out.counter + 1:
            out.send_from = out.counter + 1
            break
        out.take.append((current, n))
        out.counter = n
        taken[current.key] = current
    return out


def _is_itself(element: Item, seen: dict[str, Stored], taken: dict[str, Item]) -> bool:
    """Whether nothing else came under the element's id, before or in this very request."""
    earlier = taken.get(element.key)
    if earlier is not None:
        return earlier.fingerprint == element.fingerprint
    return element.key not in seen or is_resend(element, seen)
