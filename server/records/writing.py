"""How the office writes: an ordinary change through the ordinary push, or nothing at all.

A device's change that cannot be applied waits in quarantine, because its author is gone. An application is
still there: it gets the refusal, and nothing is stored.
"""

import hashlib
from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.audit.acts import Actor
from server.declined import Declined, invalid, not_found
from server.reach import Caller, Reach
from server.rights import APPLICATION
from server.services import Services
from server.storage import directory, records
from server.storage.townships import Township
from server.sync.batch import Upload
from server.sync.judge import Author
from server.sync.push import push
from server.sync.timeline import locked_to_write
from sync_protocol.changes import Change, encode
from sync_protocol.clock import Reading
from sync_protocol.codec import Unreadable, read_change
from sync_protocol.erasing import ERASED
from sync_protocol.ids import RANDOM_BYTES, place_level, township_of, uuid7, uuid8
from sync_protocol.kinds import Shape, shape
from sync_protocol.messages import Verdict
from sync_protocol.state import RecordState

KEY_CHARS_MAX: Final = 200
_VILLAGE_DIGITS: Final = 12
_CONFLICTING: Final = frozenset({"record_exists", "change_id_reused"})


class Target(msgspec.Struct, frozen=True):
    """Which record or conflict a write is about, what of it was seen, and the key that makes it repeatable."""

    thing: str
    seen: int | None = None
    """The version in If-Match; None for whatever stands."""
    key: str | None = None


class Writing(msgspec.Struct, frozen=True):
    """One write under way: who, into which township (its lock is held), at what time."""

    services: Services
    connection: AsyncConnection
    township: Township
    author: Author
    now_ms: int


def author_of(caller: Caller, township: str) -> Author:
    """A caller as the author of changes."""
    return Author(caller.id, township, caller.role, None)


def actor_of(caller: Caller) -> Actor:
    """The same as the audit names it."""
    return Actor("application" if caller.role == APPLICATION else "person", caller.id)


async def open_writing(
    connection: AsyncConnection, services: Services, caller: Caller, township: str, now_ms: int
) -> Writing:
    """Takes the township's lock, which everything that writes there takes first."""
    found = await locked_to_write(connection, township, services.heads, now_ms)
    if found is None:
        raise not_found()
    return Writing(services, connection, found, author_of(caller, township), now_ms)


async def admit(writing: Writing, change: Change) -> Verdict:
    """Takes one change in; declines what a device's change would be quarantined for."""
    (verdict,) = await admit_all(writing, [change])
    return verdict


async def admit_all(writing: Writing, wanted: Sequence[Change]) -> list[Verdict]:
    """Takes changes in by one push, all or none: the first that is refused declines them all."""
    limits = writing.services.limits
    checked = [
        read_change(encode(msgspec.structs.replace(change, n=at)), limits)
        for at, change in enumerate(wanted, 1)
    ]
    for change in checked:
        if isinstance(change, Unreadable):
            raise invalid(None, change.reason, change.code)
    reading = Reading(writing.now_ms, writing.now_ms)
    upload = Upload(writing.author, checked, reading)
    pushed = await push(writing.connection, writing.township, upload, writing.services.registry, limits)
    for verdict in pushed.verdicts:
        if verdict.result == ERASED:
            raise Declined("erased")
        if verdict.result == "quarantined":
            raise declined_for(verdict)
    return pushed.verdicts


def declined_for(verdict: Verdict) -> Declined:
    """The refusal of a judge in the words of HTTP."""
    cause, reason = verdict.code or "", verdict.reason or ""
    if cause in _CONFLICTING:
        return Declined("key_reused", reason, cause=cause)
    if cause == "not_permitted":
        return Declined("forbidden", reason, field=verdict.field, cause=cause)
    if cause == "not_in_scope":
        return not_found()
    return invalid(verdict.field, reason, cause)


def derived_id(*parts: str) -> str:
    """An id that follows from what it is for, so that the same request means the same change."""
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode()
        digest.update(len(raw).to_bytes(8, "big") + raw)
    return uuid8(digest.digest())


def new_id(services: Services, now_ms: int) -> str:
    """A fresh id."""
    return uuid7(now_ms, services.random(RANDOM_BYTES))


def checked_key(key: str | None) -> str | None:
    """The key that makes a request repeatable; None when the caller gave none."""
    if key is not None and not 1 <= len(key) <= KEY_CHARS_MAX:
        raise Declined("malformed", f"a key has 1 to {KEY_CHARS_MAX} characters")
    return key


async def check_place(
    connection: AsyncConnection, township: str, place: str, field: str = "place", reach: Reach | None = None
) -> None:
    """Declines a place that the township's directory does not have, or that lies outside a reach."""
    known = place_level(place) is not None and township_of(place) == township
    known = known and (reach is None or reach.covers(place))
    if known and await directory.place_exists(connection, township, place):
        return
    if known and len(place) == _VILLAGE_DIGITS:
        found = (await directory.places(connection, [place])).get(place)
        if found is not None and found.level == "village":
            return
    raise invalid(field, "there is no such place within your reach", "unknown_place")


async def record_of(
    connection: AsyncConnection, township: str, record: str, reach: Reach | None = None
) -> RecordState:
    """A record that exists (within a reach, if one is given), a deleted one included."""
    rows = (
        await records.by_ids(connection, township, [record])
        if reach is None
        else await records.reached(connection, township, [record], reach)
    )
    found = rows.get(record)
    if found is None:
        raise not_found()
    return found


def latest_shape(services: Services, kind: str) -> Shape:
    """The checks of the newest version of a kind; declines one that is not installed."""
    found = services.registry.latest(kind)
    if found is None:
        raise invalid("kind", "the kind is not installed here", "unknown_kind")
    return shape(found)


def request_id(services: Services, caller: Caller, target: Target, says: bytes, now_ms: int) -> str:
    """The id of the change that a request makes: with a key, the same for the same request."""
    if target.key is None:
        return new_id(services, now_ms)
    said = says.decode(errors="surrogatepass")
    return derived_id("request", caller.id, target.thing, target.key, str(target.seen), said)
