"""Taking a quarantined change in again, or closing it. Inside the caller's transaction.

A replay merges what the device sent, as its own: under its own id, so that receipts, later changes of the
same device and the merge's test for overtaking (failures, row 32) know it; by its own author; with the time
that was estimated when it came. Only its row in the table of changes is a new one, which names it as its
origin. The office's part, who took it in and why, is a row of its own beside it (`close`).
"""

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from server.declined import invalid
from server.quarantine.views import Taken
from server.records.views import Closing
from server.records.writing import Writing, check_place, declined_for, derived_id
from server.recovery.kept import keys_here, opened, sealed_in
from server.storage import changes, stream, townships
from server.storage.changes import Stored
from server.storage.office_changes import DISCARDED
from server.sync.batch import Replay, Upload
from server.sync.judge import Author
from server.sync.push import push
from server.vault.sealing import NOTHING
from sync_protocol.changes import Change, fields_of
from sync_protocol.clock import Corrected, Reading
from sync_protocol.codec import Unreadable, read_change
from sync_protocol.messages import Receipt, Verdict

APPLIED: Final = "applied"
_encode: Final = msgspec.json.Encoder(order="deterministic").encode


class Correction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the office does with a quarantined change: takes it in again, corrected if need be, or closes it."""

    fields: dict[str, Any] = {}
    """Values that replace those of the change; null leaves a field out."""
    place: str | None = None
    """Where the record lies, instead of what the change says."""
    discard: bool = False
    reason: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """What is corrected."""
        return (*sorted(self.fields), *(("place",) if self.place is not None else ()))


@dataclass(frozen=True, slots=True)
class Office:
    """The act of the office: who, why, and the id of the row that says so."""

    by: Author
    reason: str | None
    closing_id: str


async def take_in(writing: Writing, row: Stored, correction: Correction) -> Taken:
    """Judges and merges a quarantined change; declines what cannot be applied even now."""
    change = _corrected(await _readable(writing, row), row, correction)
    if change.place is not None:
        await check_place(writing.connection, writing.township.id, change.place)
    # A later statement sees what an earlier one of this transaction wrote: the counter has moved.
    township = await townships.read(writing.connection, writing.township.id) or writing.township
    upload = Upload(
        Author(row.author, township.id, row.role, None),
        [change],
        Reading(writing.now_ms - row.offset_ms, writing.now_ms),
        replay=Replay(derived_id("replay", row.change_id), Corrected(row.stamp_ms, row.uncertainty_ms)),
    )
    limits = writing.services.limits
    pushed = await push(writing.connection, township, upload, writing.services.registry, limits)
    verdict = pushed.verdicts[0]
    if verdict.result == "quarantined":
        raise _still_refused(verdict)
    key = derived_id("replay", row.change_id)
    return Taken(row.change_id, key, change.record, verdict.result, verdict.n)


async def _readable(writing: Writing, row: Stored) -> Change:
    """The change as this version of the server reads it, with the recovery keys that are here or were brought."""
    limits, township = writing.services.limits, writing.township.id
    change = read_change(row.payload, limits)
    sealed = sealed_in(change)
    if sealed is not None:
        keys = writing.services.recovery or await keys_here(writing.connection, township)
        counted = msgspec.structs.replace(sealed, n=sealed.n or 1)
        change = opened(counted, township, keys, limits)
    if isinstance(change, Unreadable):
        raise invalid(None, change.reason, change.code)
    return change


def _corrected(change: Change, row: Stored, correction: Correction) -> Change:
    """What is taken in. It decides no conflict: that is the office's own to say, not a device's."""
    fields = fields_of(change) | correction.fields
    left_out = {name for name, value in correction.fields.items() if value is None}
    kept = {name: value for name, value in fields.items() if name not in left_out}
    return msgspec.structs.replace(
        change,
        id=row.change_id,  # another than the payload's where a device used one id twice
        n=1,
        decides=None,
        into=None,
        place=correction.place or change.place,
        fields=msgspec.Raw(_encode(kept)) if correction.fields else change.fields,
    )


def _still_refused(verdict: Verdict) -> Exception:
    if verdict.code in {"not_in_scope", "depends_on"}:
        return invalid("record", "its record does not exist; replay the create first", "depends_on")
    return declined_for(verdict)


async def close(
    writing: Writing, row: Stored, office: Office, result: str, corrected: tuple[str, ...] = ()
) -> None:
    """Writes down what the office did with a quarantined change, and tells the device."""
    township = await townships.read(writing.connection, writing.township.id) or writing.township
    n, now_ms = township.counter + 1, writing.now_ms
    payload = _encode(Closing(row.change_id, office.reason, corrected))
    closing = Stored(
        change_id=office.closing_id,
        n=n,
        record_id=row.record_id,
        author=office.by.id,
        role=office.by.role,
        epoch=None,
        counter=0,
        at_ms=now_ms,
        offset_ms=0,
        uncertainty_ms=0,
        stamp_ms=now_ms,
        received_ms=now_ms,
        result=result,
        code=None,
        origin=row.change_id,
        fingerprint=b"",
        payload=payload,
        effects=b"[]",
        verdict=encode_verdict(office.closing_id, n),
    )
    outcome = DISCARDED if result == DISCARDED else APPLIED
    receipt = Receipt(n + 1, row.change_id, outcome, row.record_id, None, office.by.id, office.reason, now_ms)
    await changes.append(writing.connection, township.id, [closing], [NOTHING])
    await stream.write_receipts(writing.connection, township.id, [(row.author, receipt)])
    await townships.bump(writing.connection, township.id, n + 1, n, closing.change_id)


def encode_verdict(change: str, n: int) -> bytes:
    """The verdict of a closing, which nobody asks for: it is done."""
    return msgspec.json.encode(Verdict(change, "applied", n))
