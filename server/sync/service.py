"""One sync of one device: push, then pull, each in its own transaction, and the answer to both.

The page is read after the push has committed, so an answer only ever tells what is durable (failures, 27).
"""

from typing import Final

import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from server.devices import rotation
from server.devices.profile import profile
from server.recovery.kept import read_changes
from server.services import Services
from server.storage import contact, townships
from server.storage.contact import EPOCHS_MAX, Contact
from server.storage.engine import snapshot, transact
from server.storage.townships import Township
from server.sync.batch import Pushed, Upload
from server.sync.judge import Author
from server.sync.pull import Reader, pull
from server.sync.push import push
from server.sync.timeline import Proof, locked_to_write, saw
from sync_protocol.changes import Change
from sync_protocol.clock import Reading
from sync_protocol.codec import Unreadable
from sync_protocol.cursor import Cursor, CursorInvalid, from_the_beginning, seal, unseal
from sync_protocol.files import key_of
from sync_protocol.ids import is_id
from sync_protocol.messages import Profile, SyncAnswer, SyncRequest
from sync_protocol.rotation import standing
from sync_protocol.signing import encode_bytes
from sync_protocol.versions import CURRENT

_log: Final = structlog.get_logger(__name__)


class UnknownDevice(LookupError):  # noqa: N818 (it is the device that is unknown)
    """The device, or its township, does not exist."""


class Caller(msgspec.Struct, frozen=True):
    """The device whose signature was checked, and the serial that it signed."""

    township: str
    device: str
    serial: int
    key: bytes
    """The key that the signature fits: the device's, or one that it had before."""


class _Taken(msgspec.Struct, frozen=True):
    """What the push left for the pull."""

    pushed: Pushed
    contact: Contact
    cursor: Cursor | None
    cursor_refused: str | None
    revoked: bool
    """The device, or the copy of it that asks, reads nothing."""
    key: str | None
    """The key that was offered and is the device's."""


async def public_key(services: Services, township: str, device: str) -> bytes | None:
    """The key that a device signs with, as far as this process knows; None for one that does not exist."""
    known = services.keys.get((township, device))
    if known is not None:
        return known

    async def read(connection: AsyncConnection) -> bytes | None:
        return await contact.public_key(connection, township, device)

    key = await snapshot(services.engine, read)
    if key is not None:
        services.keys.put((township, device), key)
    return key


async def every_key(services: Services, township: str, device: str) -> list[bytes]:
    """The key that a device signs with now, then its former ones: read anew, since another process may bind one."""

    async def read(connection: AsyncConnection) -> list[bytes]:
        return await contact.every_key(connection, township, device)

    keys = await snapshot(services.engine, read)
    if keys:
        services.keys.put((township, device), keys[0])
    return keys


async def file_key(services: Services, township: str, device: str) -> bytes | None:
    """The key of a device's files; None for a device that does not exist."""
    if not is_id(device) or await public_key(services, township, device) is None:
        return None

    async def read(connection: AsyncConnection) -> Township | None:
        return await townships.read(connection, township)

    found = await snapshot(services.engine, read)
    return key_of(found.cursor_key, device) if found is not None else None


async def sync(services: Services, caller: Caller, request: SyncRequest) -> SyncAnswer:
    """Takes the queue in and reads the next page; raises UnknownDevice."""
    came = await read_changes(services.engine, caller.township, request.changes, services.limits)
    changes = came.read
    await services.registry.ensure({(c.kind, c.version) for c in changes if isinstance(c, Change)})
    now_ms = services.clock()

    async def take(connection: AsyncConnection) -> _Taken:
        return await _take(connection, services, caller, request, changes, now_ms)

    if request.reread:
        # A device's base differed from ours: its storage is damaged, or one of the two programs is wrong.
        _log.warning("digest_differs", township=caller.township, device=caller.device, grids=request.reread)
    async with services.turn(caller.township):
        taken = await transact(services.engine, take)
        _forget_own(taken.pushed, came.sealed)
        return await _answered(services, caller, request, taken, now_ms)


def _forget_own(pushed: Pushed, sealed: frozenset[str]) -> None:
    """Of what a device could not read itself, the page brings the values and not the ids of its own changes."""
    if sealed:
        pushed.own = {r: own for r, own in pushed.own.items() if sealed.isdisjoint(own.changes)}


async def _answered(
    services: Services, caller: Caller, request: SyncRequest, taken: _Taken, now_ms: int
) -> SyncAnswer:
    """The answer to what was taken in, with the next page for whom may read."""
    pushed, known = taken.pushed, taken.contact
    old = caller.serial <= known.serial
    answer = SyncAnswer(
        protocol=CURRENT,
        nonce=request.nonce,
        server=pushed.township.server,
        now=now_ms,
        verdicts=pushed.verdicts,
        unanswered=pushed.unanswered,
        send_from=pushed.ordered.send_from,
        fork=pushed.ordered.fork,
        offer_above=pushed.offer_above,
        serial=known.serial if old else None,
        revoked=taken.revoked,
        key=taken.key,
        cursor_refused=taken.cursor_refused,
    )
    if taken.revoked and pushed.offer_above is not None:
        return await _with_cursor(services, caller, taken, answer)
    return answer if old or taken.revoked else await _with_page(services, caller, request, taken, answer)


async def _take(
    connection: AsyncConnection,
    services: Services,
    caller: Caller,
    request: SyncRequest,
    changes: list[Change | Unreadable],
    now_ms: int,
) -> _Taken:
    """The push, and what the server remembers of the device after it."""
    township = await locked_to_write(connection, caller.township, services.heads, now_ms)
    known = await contact.read(connection, caller.township, caller.device)
    if township is None or known is None:
        raise UnknownDevice
    cursor, refused = _cursor(request, township.cursor_key, caller.device)
    reading, old = Reading(request.now, now_ms), caller.serial <= known.serial
    offered = rotation.offered(caller.township, caller.device, caller.serial, request.offer)
    shown = standing(caller.key, known.public_key, offered)
    # An old request may have been signed before the key was replaced, and be carried here in a file since.
    revoked = known.revoked or (shown == "copy" and not old)
    upload = Upload(
        Author(caller.device, caller.township, known.role, frozenset(known.grids), revoked),
        changes,
        reading,
        request.epoch,
        known.epochs,
        request.lowest,
        _proof(cursor, known),
        request.numbers,
        known_only=old,
    )
    pushed = await push(connection, township, upload, services.registry, services.limits)
    if pushed.offer_above is not None and cursor is not None:
        cursor = from_the_beginning(cursor, pushed.township.counter)  # it belongs to another timeline
    if not upload.known_only:
        await contact.write(
            connection, caller.township, caller.device, _remembered(caller, request, pushed, upload)
        )
    key = None
    if offered is not None and not revoked and (shown == "told" or (shown == "bind" and not old)):
        key = encode_bytes(offered)
        if shown == "bind":
            await rotation.bind(connection, caller.township, caller.device, offered, now_ms)
    return _Taken(pushed, known, cursor, refused, revoked, key)


def _proof(cursor: Cursor | None, known: Contact) -> Proof:
    """What the cursor proves of the timeline that it was given in; nothing without one."""
    if cursor is None:
        return Proof()
    return Proof(cursor.tip, cursor.tip_change, cursor.head, cursor.register, known.contact_ms or 0)


def _cursor(request: SyncRequest, key: bytes, device: str) -> tuple[Cursor | None, str | None]:
    """The request's cursor; one that this server did not give to this device is refused, and forgotten."""
    if request.cursor is None:
        return None, None
    try:
        return unseal(request.cursor, key, device), None
    except CursorInvalid:
        return None, "cursor_invalid"


def _remembered(caller: Caller, request: SyncRequest, pushed: Pushed, upload: Upload) -> dict[str, object]:
    others = {epoch: n for epoch, n in upload.epochs.items() if epoch != request.epoch}
    kept = dict(list(others.items())[-(EPOCHS_MAX - 1) :])
    answered = len(pushed.verdicts) + len(pushed.unanswered)
    return {
        "serial": caller.serial,
        "epochs": {**kept, request.epoch: pushed.ordered.counter},
        "contact_ms": upload.reading.server_ms,
        "offset_ms": upload.reading.offset_ms,
        "queued": max(request.queued - answered, 0),
        "client": request.client.replace("\0", ""),
    }


async def _with_cursor(services: Services, caller: Caller, taken: _Taken, answer: SyncAnswer) -> SyncAnswer:
    """With the cursor that a page would have brought: the old one would tell of the restore for ever."""

    async def read(connection: AsyncConnection) -> Township | None:
        return await townships.read(connection, caller.township)

    township = await snapshot(services.engine, read)
    if township is None or taken.cursor is None:
        return answer
    now = {"tip": township.tip, "tip_change": township.tip_change, "register": township.register}
    moved = msgspec.structs.replace(taken.cursor, **now)
    return msgspec.structs.replace(answer, cursor=seal(moved, township.cursor_key))


async def _with_page(
    services: Services, caller: Caller, request: SyncRequest, taken: _Taken, answer: SyncAnswer
) -> SyncAnswer:
    reader = Reader(
        caller.township,
        caller.device,
        taken.contact.grids,
        taken.cursor,
        request.reread,
        request.page_bytes,
        taken.pushed.own,
    )

    async def read(connection: AsyncConnection) -> SyncAnswer:
        township, page = await pull(connection, reader, services.limits)
        saw(services.heads, township)
        own = await _profile(connection, services, caller, taken.contact)
        news = own if own.tag != request.profile else None
        return msgspec.structs.replace(answer, server=township.server, page=page, profile=news)

    return await snapshot(services.engine, read)


async def _profile(
    connection: AsyncConnection, services: Services, caller: Caller, known: Contact
) -> Profile:
    """The device's profile, from memory while neither its owner, its grids nor the kinds have changed.

    A new name of a person or a grid is seen a little later, when the memory forgets.
    """
    key = (caller.device, known.staff_id, known.role, known.grids, services.registry.generation)
    remembered = services.profiles.get(key, services.clock())
    if remembered is not None:
        return remembered
    found = await profile(connection, caller.township, caller.device, services.registry, services.lease_days)
    services.profiles.put(key, found, services.clock())
    return found
