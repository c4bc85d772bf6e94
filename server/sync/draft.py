"""A change on its way into the table of changes, and the row and the verdict that it ends as."""

import hashlib
from dataclasses import dataclass, field
from typing import Final

import msgspec

from server.storage.changes import Stored
from server.storage.erasing import keyed
from server.sync.judge import Author, Refusal
from server.sync.order import Item
from server.vault.township import TownshipKeys
from sync_protocol.changes import Change, encode
from sync_protocol.clock import Corrected, Reading
from sync_protocol.codec import Unreadable
from sync_protocol.erasing import ERASED
from sync_protocol.kinds import Kind
from sync_protocol.messages import Verdict
from sync_protocol.outcome import Merged

_NO_EFFECTS: Final = b"[]"
APPLIED: Final = "applied"
_encode: Final = msgspec.json.Encoder().encode
_decode_verdict: Final = msgspec.json.Decoder(Verdict).decode


@dataclass(slots=True)
class Draft:
    """A change on its way into the table: how it came, and what became of it."""

    element: Item
    author: Author
    epoch: str | None
    counter: int
    n: int
    at_ms: int
    reading: Reading
    corrected: Corrected
    said: Change | None = None
    """The change with canonical values; None for one that was refused."""
    refused: Refusal | None = None
    merged: Merged = field(default_factory=Merged)
    kind: Kind | None = None
    was: tuple[str, bool] | None = None
    """Place of the record before, and whether devices held it; None for a new one."""
    now: tuple[str, bool] | None = None
    restricted: bool = False
    """Whether its record is for named people only: then the verdict is a bare code."""
    entered: str | None = None
    """The state of the workflow after it."""
    number: str | None = None
    """The registration number that this change brought."""
    carries: "Draft | None" = None
    """The change to a joined record that this one brings to the surviving record; nobody sent it."""
    formerly: str | None = None
    """The number that the record proves to have had in a lost timeline, and does not have now."""
    _verdict: Verdict | None = None

    @property
    def stored_id(self) -> str:
        """The id under which the change is stored."""
        return self.element.key

    @property
    def verdict(self) -> Verdict:
        """The first verdict, which is the verdict for ever; asked for only when `settle` has given numbers."""
        if self._verdict is None:
            self._verdict = self._judged()
        return self._verdict

    def _judged(self) -> Verdict:
        answered = self.element.answers_to or self.stored_id
        if self.refused is not None:
            code, where, reason = self.refused.code, self.refused.field, self.refused.reason
            if code == ERASED:
                return Verdict(answered, ERASED, self.n)
            return Verdict(
                answered,
                "quarantined",
                self.n,
                code,
                where,
                reason,
                number=self.number,
                formerly=self.formerly,
            )
        if self.restricted and self.author.grids is not None:
            return Verdict(answered, APPLIED, self.n)
        differs = tuple(sorted({clash.path for clash in self.merged.clashes}))
        return Verdict(
            answered, self.merged.result, self.n, number=self.number, formerly=self.formerly, differs=differs
        )

    @property
    def erased(self) -> bool:
        """Whether its record is erased, so that nothing of what it says is kept."""
        return self.refused is not None and self.refused.code == ERASED

    def stored(self, keys: TownshipKeys | None = None) -> Stored:
        """The row of the table of changes. The township's keys make the fingerprint of what is not kept."""
        change, verdict = self.element.change, self.verdict
        payload = b"" if self.erased else _payload(self.said or change)
        result = verdict.result if self.refused is not None else self.merged.result
        return Stored(
            change_id=self.stored_id,
            n=self.n,
            record_id=change.record or None,
            author=self.author.id,
            role=self.author.role,
            epoch=self.epoch,
            counter=self.counter,
            at_ms=self.at_ms,
            offset_ms=self.reading.offset_ms,
            uncertainty_ms=self.corrected.uncertainty_ms,
            stamp_ms=self.corrected.stamp_ms,
            received_ms=self.reading.server_ms,
            result=result,
            code=verdict.code,
            origin=self.element.origin,
            fingerprint=keyed(keys, self.element.fingerprint)
            if keys and self.erased
            else self._fingerprint(payload),
            payload=payload,
            effects=_encode(self.merged.effects) if self.merged.effects else _NO_EFFECTS,
            verdict=b"" if self.erased or _is_plain(verdict, self.stored_id, result) else _encode(verdict),
        )

    def _fingerprint(self, payload: bytes) -> bytes:
        """The element's fingerprint; that of the payload where the values travelled in canonical form."""
        change, said = self.element.change, self.said
        if self.element.travelled or said is None or not isinstance(change, Change) or change.ops:
            return self.element.fingerprint
        canonical = bytes(said.fields) == bytes(change.fields)
        return hashlib.sha256(payload).digest() if canonical else self.element.fingerprint


def _plain(change: str, result: str, n: int) -> Verdict:
    """The verdict that says no more than the row of its change."""
    return Verdict(change, result, n)


def _is_plain(verdict: Verdict, change: str, result: str) -> bool:
    """Whether the row says it all: `_plain` gives the same verdict."""
    return (verdict.id, verdict.result) == (change, result) and not (
        verdict.code or verdict.number or verdict.formerly or verdict.differs
    )


def first_verdict(row: Stored, answers_to: str | None = None) -> Verdict:
    """The verdict that a stored change got; `erased` once what it said was erased: then it shall go everywhere.

    An erased row does not say which id it answered to, where that is not its own; whoever asks does.
    """
    if row.erased:
        return Verdict(answers_to or row.change_id, ERASED, row.n)
    return _decode_verdict(row.verdict) if row.verdict else _plain(row.change_id, row.result, row.n)


def _payload(change: Change | Unreadable) -> bytes:
    return encode(change) if isinstance(change, Change) else change.raw
