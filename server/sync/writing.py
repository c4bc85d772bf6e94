"""How a push ends: what it did becomes rows, each table at most once, all in its transaction."""

from collections.abc import Mapping
from typing import Final, Protocol

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage import changes, conflicts, records, stream, telephones, townships
from server.storage.changes import Stored
from server.sync.batch import Batch
from server.sync.draft import Draft
from server.sync.judge import Kinds
from server.sync.settle import Settled
from server.vault.keeping import keys_of
from server.vault.sealing import NOTHING, WHOLE, Contact, SealedBody, contact_of
from server.vault.telephones import of_values
from sync_protocol.kinds import Kind

_NO_NUMBERS: Final = frozenset[str]()


class Declared(Kinds, Protocol):
    """The kinds, with the newest declaration of each, which has every field."""

    def latest(self, name: str) -> Kind | None:
        """The newest version of a kind; None when there is none."""


async def write(connection: AsyncConnection, batch: Batch, settled: Settled, kinds: Declared) -> None:
    """Writes records, changes, conflicts and what devices are told, and counts the township up."""
    township, now_ms = batch.township.id, batch.upload.reading.server_ms
    contact = {record: _contact_in(state.kind, kinds) for record, state in batch.records.items()}
    written = [batch.records[record] for record in batch.written]
    bodies = await records.write(connection, township, written, now_ms, contact)
    await telephones.put(connection, township, *_telephones(batch, contact, bodies))
    await changes.append(connection, township, *await _rows(connection, batch, kinds), bodies)
    await conflicts.write(connection, township, settled.conflicts, contact)
    await stream.write_exits(connection, township, settled.exits)
    # Applications and people of the office read the feed and the history; nobody would fetch their receipts.
    listening = await stream.devices_among(connection, township, {author for author, _ in settled.receipts})
    told = [(author, one) for author, one in settled.receipts if author in listening]
    receipts = [(device, msgspec.structs.replace(one, n=batch.number())) for device, one in told]
    await stream.write_receipts(connection, township, receipts)
    if batch.drafts:
        newest = batch.drafts[-1]
        await townships.bump(connection, township, batch.head, newest.n, newest.stored_id)
    gap = batch.ordered.gap
    if gap is not None and batch.upload.epoch is not None:
        author, epoch = batch.upload.author.id, batch.upload.epoch
        await stream.write_gap(connection, township, author, epoch, *gap, now_ms)


async def _rows(
    connection: AsyncConnection, batch: Batch, kinds: Declared
) -> tuple[list[Stored], list[Contact]]:
    """The rows of the table of changes, and what of each is sealed; of erased ones nothing is left to be."""
    drafts = batch.drafts
    erased = any(draft.erased for draft in drafts)
    keys = await keys_of(connection, batch.township.id) if erased else None
    contact = [
        NOTHING if draft.erased else _contact_in(draft.kind.name, kinds) if draft.kind else WHOLE
        for draft in drafts
    ]
    return [draft.stored(keys) for draft in drafts], contact


def _contact_in(name: str, kinds: Declared) -> Contact:
    """What is sealed of a kind; all of one that is not installed any more."""
    kind = kinds.latest(name)
    return contact_of(kind) if kind is not None else WHOLE


def _telephones(
    batch: Batch, contact: Mapping[str, Contact], bodies: Mapping[str, SealedBody]
) -> tuple[dict[str, frozenset[str]], list[str]]:
    """The telephone numbers of the records whose contact was written, and which of those are not new."""
    touched = [
        r for r, drafts in batch.written.items() if _touches(drafts, contact[r]) or not batch.before[r]
    ]
    found = {
        r: of_values(bodies[r].values) if r in bodies else _NO_NUMBERS for r in touched if not contact[r].none
    }
    return found, [record for record in found if batch.before[record]]


def _touches(drafts: list[Draft], contact: Contact) -> bool:
    """Whether any of these changes did something to a field with contact."""
    names = {effect.path.partition("/")[0] for draft in drafts for effect in draft.merged.effects}
    return not names.isdisjoint((*contact.fields, *contact.subs))
