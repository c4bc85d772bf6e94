"""What a store had not sent, taken in as if its device had synced: by the push, under the device's own name.

It is the device's: only the device has its private key, and the store holds it. So its changes get the verdicts
that they would have got, ordinary ones, or quarantine where it was revoked meanwhile; their ids see to it that
nothing counts twice, should the device come back and send them itself.
"""

from typing import Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.audit.acts import OPERATOR, Act, Actor, Value
from server.audit.log import append
from server.directory.working import locked
from server.recovery.kept import read_changes
from server.recovery.stored import Unsent
from server.refused import RefusedError
from server.services import Services
from server.storage import contact
from server.storage.contact import Contact
from server.sync.batch import Pushed, Upload
from server.sync.judge import Author
from server.sync.push import push
from server.sync.timeline import locked_to_write
from sync_protocol import kept
from sync_protocol.changes import Change, decode, encode
from sync_protocol.clock import Reading
from sync_protocol.codec import Unreadable
from sync_protocol.ids import RANDOM_BYTES, uuid7

_STRANGE: Final = (
    "The store is of no device of this server: see `roundbook device list`, and hand it in at the server "
    "where it was enrolled."
)


class Handed(msgspec.Struct, frozen=True):
    """What became of it, in changes."""

    township: str
    device: str
    sent: int
    quarantined: int
    duplicates: int
    """Changes that had come before."""


async def hand_in(services: Services, unsent: Unsent, by: Actor = OPERATOR) -> Handed:
    """Takes in what a store had not sent; raises RefusedError when the store is of no device of this server."""
    raws = [_counted(raw, n) for n, raw in enumerate(unsent.payloads, 1)]
    changes = (await read_changes(services.engine, unsent.township, raws, services.limits)).read
    await services.registry.ensure({(c.kind, c.version) for c in changes if isinstance(c, Change)})
    epoch = uuid7(services.clock(), services.random(RANDOM_BYTES))
    most, pushed = services.limits.changes_max, list[Pushed]()
    for first in range(0, max(len(changes), 1), most):

        async def work(connection: AsyncConnection, first: int = first) -> Pushed:
            return await _take(connection, services, unsent, changes[first : first + most], epoch, first, by)

        pushed.append(await services.write(unsent.township, work))
    verdicts = [verdict for one in pushed for verdict in one.verdicts]
    kept = sum(len(one.unanswered) for one in pushed)
    held = sum(verdict.result == "quarantined" for verdict in verdicts) + kept
    again = sum(verdict.duplicate for verdict in verdicts)
    return Handed(unsent.township, unsent.device, len(verdicts) + kept, held, again)


def _counted(payload: bytes, n: int) -> bytes:
    """A change under the counter that it gets here: the store's own are for the device to use."""
    sealed = kept.read(payload)
    if sealed is not None:
        return kept.encode(msgspec.structs.replace(sealed, n=n))
    try:
        return encode(msgspec.structs.replace(decode(payload), n=n))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return payload  # of another make, or damaged: it waits in quarantine as it is


async def _take(
    connection: AsyncConnection,
    services: Services,
    unsent: Unsent,
    changes: list[Change | Unreadable],
    epoch: str,
    before: int,
    by: Actor,
) -> Pushed:
    """Pushes a part of it; `before` counts what went in before that part. The act is written down with it."""
    now_ms = services.clock()
    township = await locked_to_write(connection, unsent.township, services.heads, now_ms)
    known = await _known(connection, unsent)
    if township is None:
        raise RefusedError(_STRANGE)
    revoked = known.revoked or unsent.public_key != known.public_key
    upload = Upload(
        Author(unsent.device, unsent.township, known.role, frozenset(known.grids), revoked),
        changes,
        Reading(now_ms - known.offset_ms, now_ms),
        epoch,
        {epoch: before},
        before + 1,
        numbers=unsent.numbers,
    )
    pushed = await push(connection, township, upload, services.registry, services.limits)
    told = _told(unsent, known, changes=len(changes))
    await append(connection, Act(unsent.township, "device_recovered", by, now_ms, told))
    return pushed


async def note_passphrase(services: Services, unsent: Unsent, by: Actor = OPERATOR) -> None:
    """Writes down that a store gets another passphrase; raises RefusedError as `hand_in` does."""

    async def work(connection: AsyncConnection) -> None:
        await locked(connection, unsent.township)
        told = _told(unsent, await _known(connection, unsent), passphrase="set")  # noqa: S106 (a word, no passphrase)
        await append(connection, Act(unsent.township, "device_recovered", by, services.clock(), told))

    await services.write(unsent.township, work)


def _told(unsent: Unsent, known: Contact, **more: Value) -> dict[str, Value]:
    return {"device": unsent.device, "staff": known.staff_id, **more}


async def _known(connection: AsyncConnection, unsent: Unsent) -> Contact:
    """The device whose private key the store holds; raises RefusedError where this server knows none such."""
    known = await contact.read(connection, unsent.township, unsent.device)
    keys = await contact.every_key(connection, unsent.township, unsent.device)
    if known is None or unsent.public_key not in keys:
        raise RefusedError(_STRANGE)
    return known
