"""A device of the examples: it writes requests from fixed parts and applies answers with the real overlay.

It is no second client: it has no store and no retries. It says what a request says, and what a device
holds after the answer.
"""

from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sync_protocol import signing
from sync_protocol.canonical import Digest, canonical, halves, total
from sync_protocol.changes import Change
from sync_protocol.changes import decode as decode_change
from sync_protocol.kinds import Kind
from sync_protocol.messages import Page, PageRecord, SyncAnswer
from sync_protocol.overlay import Base, apply_page_record
from sync_protocol.state import encode_values
from sync_protocol.versions import CURRENT

SYNC: Final = "/v1/sync"


@dataclass
class ScriptedDevice:
    """What a device knows between two requests."""

    name: str
    kind: Kind
    id: str = ""
    township: str = ""
    epoch: str = ""
    serial: int = 0
    cursor: str | None = None
    profile: str | None = None
    contact_ms: int = 0
    clock_ms: int = 0
    """What its own clock showed at that contact."""
    sent: dict[str, Change] = field(default_factory=dict)
    bases: dict[str, Base] = field(default_factory=dict)
    stale: set[str] = field(default_factory=set)
    requests: int = 0

    @property
    def key(self) -> Ed25519PrivateKey:
        """A: 32 times the byte 1; B: 32 times the byte 2."""
        return Ed25519PrivateKey.from_private_bytes(bytes([ord(self.name) - ord("A") + 1]) * 32)

    @property
    def public_key(self) -> str:
        """As it travels."""
        raw = self.key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return signing.encode_bytes(raw)

    def body(self, now_ms: int, changes: list[dict[str, Any]], **more: Any) -> bytes:
        """The plain body of a request."""
        self.requests += 1
        for change in changes:
            self._keep(change)
        frame = {
            "protocol": CURRENT,
            "nonce": f"{self.name.lower()}{self.requests:031x}",
            "epoch": self.epoch,
            "now": now_ms,
            "changes": changes,
            "lowest": 1,
            "queued": len(changes),
            "cursor": self.cursor,
            "profile": self.profile,
            **more,
        }
        return msgspec.json.encode({key: value for key, value in frame.items() if value not in (None, 0, [])})

    def headers(self, body: bytes, serial: int | None = None, path: str = SYNC) -> dict[str, str]:
        """The three headers of a signed request; the next serial unless one is given."""
        if serial is None:
            self.serial += 1
            serial = self.serial
        signature = self.key.sign(signing.signed_bytes("POST", path, serial, body))
        return signing.headers(self.township, self.id, serial, signature)

    def saved(self, at_ms: int) -> dict[str, int]:
        """What a change that is saved now says of the time; `at_ms` is what the device's clock shows."""
        return {"at": at_ms, "mark": self.contact_ms, "since": at_ms - self.clock_ms}

    def take(self, answer: SyncAnswer, clock_ms: int) -> None:
        """Applies an answer, which arrives when the clock shows `clock_ms`; complete pages' digests must fit."""
        self.contact_ms, self.clock_ms = answer.now, clock_ms
        if answer.profile is not None:
            self.profile = answer.profile.tag
        if answer.page is not None:
            self._page(answer.page)

    def holds(self) -> dict[str, Any]:
        """The base of every record, for people to read."""
        return {record: _shown(base) for record, base in sorted(self.bases.items())}

    def _keep(self, change: dict[str, Any]) -> None:
        try:
            self.sent[change["id"]] = decode_change(msgspec.json.encode(change))
        except msgspec.MsgspecError:
            return  # an example of a change that cannot be read

    def _page(self, page: Page) -> None:
        self.stale |= {record for record, base in self.bases.items() if base.place in page.restart}
        for record in [record for record, base in self.bases.items() if base.place in page.drop]:
            del self.bases[record]
        for left in page.exits:
            held = self.bases.get(left.id)
            if held is not None and held.version <= left.n:
                del self.bases[left.id]
        for row in page.records:
            self._record(row)
        for record in [r for r in self.stale if r in self.bases and self.bases[r].place in page.fresh]:
            del self.bases[record]
        self.stale -= {record for record in self.stale if record not in self.bases}
        self.cursor = page.cursor
        if page.complete:
            assert self.digests(tuple(page.digests)) == page.digests

    def _record(self, row: PageRecord) -> None:
        held = self.bases.get(row.id)
        if held is not None and row.n <= held.version and row.id not in self.stale:
            return
        fresh = apply_page_record(held, row, [self.sent[name] for name in row.own], self.kind)
        if fresh is not None:
            self.bases[row.id] = fresh
            if row.whole:
                self.stale.discard(row.id)

    def digests(self, grids: tuple[str, ...]) -> dict[str, Digest]:
        """The digest of what is held of each grid."""
        return {grid: self._digest(grid) for grid in grids}

    def _digest(self, grid: str) -> Digest:
        parts = [halves(canonical_of(base)) for base in self.bases.values() if base.place == grid]
        return total(len(parts), sum(high for high, _ in parts), sum(low for _, low in parts))


def canonical_of(base: Base) -> bytes:
    """The canonical form of a record as a device holds it."""
    body = msgspec.Raw(encode_values(base.values))
    return canonical(base.id, base.kind, base.place, base.state, base.number, body)


def _shown(base: Base) -> dict[str, Any]:
    shown = {"n": base.version, "place": base.place, "state": base.state, "number": base.number}
    return {**{key: value for key, value in shown.items() if value is not None}, "fields": base.values}
