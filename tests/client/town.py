"""A township in memory that speaks the protocol through the transport seam, for tests of the device alone.

It merges with the protocol's own merge and sends every record whole. What the real server does beyond that
(lanes, own changes named instead of sent back, conflicts of the office) is tested against the real server.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from client_sdk.compression import packed, unpacked
from client_sdk.transport import LinkBroken, Response
from sync_protocol import signing
from sync_protocol.canonical import Digest, canonical, halves, total
from sync_protocol.changes import Change, fields_of
from sync_protocol.codec import encode, read_change, read_enrol_request, read_request
from sync_protocol.history import History, Past
from sync_protocol.kinds import Kind, from_json, shipped, to_json
from sync_protocol.merge import merge
from sync_protocol.messages import (
    EnrolAnswer,
    Exit,
    Grid,
    Page,
    PageRecord,
    Person,
    Profile,
    Receipt,
    SyncAnswer,
    SyncRequest,
    Verdict,
)
from sync_protocol.outcome import Arrival
from sync_protocol.state import RecordState, Writer, born, encode_values
from sync_protocol.versions import CURRENT

TOWN = "321283104"
GRIDS = tuple(f"{TOWN}20300{n}" for n in (1, 2, 3))
EPOCH_STEP = 2**40


@dataclass
class Town:
    """The server's side. `before` and `after` may break the link, or replace what is sent."""

    kinds: dict[str, Kind] = field(default_factory=lambda: dict(shipped()))
    grids: tuple[str, ...] = GRIDS[:1]
    role: str = "grid_worker"
    epoch: int = 1
    n: int = EPOCH_STEP
    now: int = 1_760_000_000_000
    before: Callable[[SyncRequest], None] = lambda _: None
    after: Callable[[SyncAnswer], SyncAnswer] = lambda answer: answer
    keys: dict[str, Ed25519PublicKey] = field(default_factory=dict)
    states: dict[str, RecordState] = field(default_factory=dict)
    histories: dict[str, History] = field(default_factory=dict)
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    serials: dict[str, int] = field(default_factory=dict)
    taken: list[Change] = field(default_factory=list)
    exits: list[Exit] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    requests: list[SyncRequest] = field(default_factory=list)
    quarantine: set[str] = field(default_factory=set)
    """Records whose changes are put into quarantine."""
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def exchange(
        self, method: str, path: str, headers: dict[str, str], body: bytes, timeout_s: float = 0
    ) -> Response:
        """The transport seam."""
        del timeout_s  # nothing here is slow
        plain = unpacked(body, headers.get("content-encoding", ""), 2**25)
        if path == "/v1/devices/enrol":
            return self._respond(self._enrol(plain))
        with self._turn:
            return self._respond(self._sync(method, path, headers, body, plain))

    def close(self) -> None:
        """The transport seam."""

    def profile(self, device: str) -> Profile:
        """Who a device is."""
        grids = tuple(Grid(grid, f"网格 {grid[-3:]}", "甲村") for grid in self.grids)
        kinds = tuple(msgspec.Raw(to_json(kind)) for kind in self.kinds.values())
        tag = f"{len(kinds)}-{'-'.join(self.grids)}"
        return Profile(tag, device, TOWN, "元竹镇", Person("p1", "王芳", self.role), grids, kinds)

    def write(self, record: str, values: dict[str, Any], **what: Any) -> None:
        """Somebody else changes a record."""
        state = self.states[record]
        self.n += 2
        change = Change(
            id=f"01920000-0000-7000-8000-{self.n % 10**12:012}",
            record=record,
            kind=state.kind,
            version=1,
            n=0,
            at=self.now,
            base=2**60,
            fields=msgspec.Raw(msgspec.json.encode(values)),
            **what,
        )
        arrival = Arrival(self.n - 1, self.now, "somebody", "clerk")
        merged = merge(state, change, values, self.kinds[state.kind], arrival, History())
        effects = tuple(merged.effects)
        self.histories[record].add(Past(self.n - 1, "somebody", self.now, change, effects))
        state.version = self.n

    def leave(self, record: str, why: str = "moved", state: str | None = None) -> None:
        """A record leaves the grid of the devices."""
        self.n += 1
        self.states[record].place = ""
        self.exits.append(Exit(record, self.n, why, state, self.states[record].number))

    def tell(
        self, change: str, outcome: str, record: str, path: str | None = None, reason: str | None = None
    ) -> None:
        """A receipt for a change."""
        self.n += 1
        self.receipts.append(Receipt(self.n, change, outcome, record, path, "office", reason, self.now))

    def _respond(self, answer: msgspec.Struct) -> Response:
        body, headers = packed(encode(answer))
        return Response(200, {"content-type": "application/json", **headers}, body)

    def _enrol(self, plain: bytes) -> EnrolAnswer:
        request = read_enrol_request(plain)
        device = f"01920000-0000-7000-8000-{len(self.keys) + 1:012}"
        raw = signing.decode_bytes(request.public_key)
        self.keys[device] = Ed25519PublicKey.from_public_bytes(raw)
        return EnrolAnswer(CURRENT, self._server, self.now, self.profile(device))

    @property
    def _server(self) -> str:
        return f"town-1:{self.epoch}"

    def _sync(self, method: str, path: str, headers: dict[str, str], body: bytes, plain: bytes) -> SyncAnswer:
        signed = signing.read_headers(*(headers.get(name) for name in _HEADERS))
        assert signed is not None
        message = signing.signed_bytes(method, path, signed.serial, body)
        self.keys[signed.device].verify(signed.signature, message)
        request = read_request(plain)
        self.requests.append(request)
        self.before(request)
        self.now += 60_000
        old = signed.serial <= self.serials.get(signed.device, 0)
        answer = SyncAnswer(CURRENT, request.nonce, self._server, self.now)
        if old:
            return self.after(msgspec.structs.replace(answer, serial=self.serials[signed.device]))
        self.serials[signed.device] = signed.serial
        verdicts = [self._take(raw, signed.device) for raw in request.changes]
        profile = self.profile(signed.device)
        answer = msgspec.structs.replace(
            answer,
            verdicts=verdicts,
            page=self._page(request),
            profile=profile if profile.tag != request.profile else None,
        )
        return self.after(answer)

    def _take(self, raw: msgspec.Raw, by: str) -> Verdict:
        change = read_change(raw)
        assert isinstance(change, Change), change
        first = self.verdicts.get(change.id)
        if first is not None:
            return msgspec.structs.replace(first, duplicate=True)
        self.taken.append(change)
        self.n += 1
        verdict = self._merge(change, by)
        self.verdicts[change.id] = verdict
        return verdict

    def _merge(self, change: Change, by: str) -> Verdict:
        n, state = self.n, self.states.get(change.record)
        history = self.histories.setdefault(change.record, History())
        if change.record in self.quarantine or (state is None and change.do != "create"):
            return Verdict(change.id, "quarantined", n, "not_in_scope")
        fields, kind, number = fields_of(change), self.kinds[change.kind], None
        if state is None:
            state = self.states[change.record] = born(change, fields, kind, Writer(n, n, change.id, by))
            effects, result = (), "applied"
        else:
            merged = merge(state, change, fields, kind, Arrival(n, self.now + n, by, self.role), history)
            effects, result = tuple(merged.effects), str(merged.result)  # type: ignore[assignment]  # a literal type, from the merge
        entered = kind.workflow.state(state.state or "") if kind.workflow is not None else None
        if entered is not None and entered.numbered and state.number is None:
            number = state.number = f"{TOWN}-2026-{len(self.states):05}"
        history.add(Past(n, by, self.now + n, change, effects))
        self.n += 1
        state.version = self.n
        return Verdict(change.id, result, n, number=number)

    def _page(self, request: SyncRequest) -> Page:
        known, receipts = map(int, request.cursor.split(",")) if request.cursor is not None else (0, 0)
        again = tuple(grid for grid in self.grids if known == 0 or grid in request.reread)
        rows = [
            row_of(state)
            for state in sorted(self.states.values(), key=lambda state: state.version)
            if state.place in self.grids and state.held and (state.version > known or state.place in again)
        ]
        told = [receipt for receipt in self.receipts if receipt.n > receipts]
        exits = [one for one in self.exits if one.n > known]
        cursor = f"{self.n},{told[-1].n if told else receipts}"
        return Page(
            cursor, rows, exits, told, complete=True, restart=again, fresh=again, digests=self.digests()
        )

    def digests(self) -> dict[str, Digest]:
        """Of every grid, by code of its own."""
        found = {}
        for grid in self.grids:
            held = [state for state in self.states.values() if state.place == grid and state.held]
            parts = [halves(canonical(s.id, s.kind, s.place, s.state, s.number, s.values)) for s in held]
            found[grid] = total(len(parts), sum(high for high, _ in parts), sum(low for _, low in parts))
        return found


_HEADERS = (signing.DEVICE_HEADER, signing.SERIAL_HEADER, signing.SIGNATURE_HEADER)


def row_of(state: RecordState) -> PageRecord:
    """A record, whole."""
    body = msgspec.Raw(encode_values(state.values))
    return PageRecord(
        state.id,
        state.version,
        state.kind,
        state.place,
        whole=True,
        fields=body,
        state=state.state,
        number=state.number,
    )


def cut(_: object) -> Any:
    """The link breaks."""
    raise LinkBroken("cut", 100)


def kind_again(kind: Kind) -> Kind:
    """A kind as it arrives."""
    return from_json(to_json(kind))
