"""W5: five changes up and five down, by the SDK itself through a relay that counts bytes, headers included.

Two devices of the same grids. One brings five changes; then the other, which has saved five of its own, syncs: that
exchange is the figure. New whole records first, then edits of two fields; then edits over a new connection, and over
TLS. The time on a slow link is computed from round trips and bytes, so that this machine's noise is not in it.
"""

import random
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from benchmarks import founding, servers, stores
from benchmarks.device import FloorClient
from benchmarks.figures import Seen
from benchmarks.ground import Ground
from benchmarks.relay import Count, relayed
from benchmarks.screening import two_fields, workload
from benchmarks.stores import Connection
from client_sdk import FieldClient
from sync_protocol.session_report import SyncReport
from tests.certificates import Authority

CHANGES: Final = 5
ROUNDS: Final = 8
"""Exchanges of each sort in one run; their medians count."""
_SEED: Final = 13
LINK_BITS_S: Final = 50_000
TRIP_S: Final = 0.6
Save = Callable[["Device", list[dict[str, Any]]], None]


class Cost(msgspec.Struct, frozen=True):
    """What one exchange cost: bytes both ways, round trips, seconds here."""

    bytes: float
    trips: float
    wall_s: float

    @property
    def link_s(self) -> float:
        """On the slow link: as many waits as round trips, and the bytes of both ways one after the other."""
        return self.trips * TRIP_S + self.bytes * 8 / LINK_BITS_S


class Device(msgspec.Struct, frozen=True):
    """A device with its connection. Of the records that both hold, it edits the first ones or the last ones."""

    client: FieldClient
    connection: Connection
    edits: slice


class Pair(msgspec.Struct, frozen=True):
    """Two devices of the same grids; what the second exchanges is counted."""

    other: Device
    counted: Device
    count: Count


def measure(ground: Ground, records: int) -> list[Seen]:
    """One run; `records` changes nothing here."""
    del records
    with ground.both() as both:
        floor = _floor(both.floor)
        with _pair(ground, both.database, both.ours) as pair:
            whole = _median(pair, _create)
            edits = _median(pair, _edit)
            cold = _median(pair, _edit, cold=True)
        tls, tls_cold = _encrypted(ground, both.database)
    return [
        Seen("trips", whole.trips, floor.trips),
        Seen("records", whole.bytes, floor.bytes),
        Seen("records_link", whole.link_s, floor.link_s),
        Seen("records_wall", whole.wall_s * 1e3, floor.wall_s * 1e3),
        Seen("edits_trips", edits.trips),
        Seen("edits", edits.bytes),
        Seen("edits_link", edits.link_s),
        Seen("edits_wall", edits.wall_s * 1e3),
        Seen("cold", cold.bytes),
        Seen("cold_link", msgspec.structs.replace(cold, trips=cold.trips + 1).link_s),
        Seen("tls", tls.bytes),
        Seen("tls_cold", tls_cold.bytes),
        Seen("tls_cold_link", msgspec.structs.replace(tls_cold, trips=tls_cold.trips + 2).link_s),
    ]


def _encrypted(ground: Ground, database: str) -> tuple[Cost, Cost]:
    """Edits over TLS, on a warm connection and on a new one, before a second server of the same database."""
    authority = Authority(ground.folder)
    issued = authority.issue()
    words = ("--certificate", str(issued.certificate), "--certificate-key", str(issued.key))
    with (
        servers.roundbook(database, ground.folder, *words, scheme="https") as (url, _),
        _pair(ground, database, url, authority.file) as pair,
    ):
        _median(pair, _create)
        return _median(pair, _edit), _median(pair, _edit, cold=True)


@contextmanager
def _pair(ground: Ground, database: str, url: str, ca: Path | None = None) -> Iterator[Pair]:
    grids = founding.grids_of(count=3)
    with (
        relayed(url) as (relay, count),
        Connection(url, ca) as direct,
        Connection(relay, ca) as through,
        stores.opened(ground.file("device.rbk"), database, direct, grids) as other,
        stores.opened(ground.file("device.rbk"), database, through, grids) as counted,
    ):
        yield Pair(
            Device(other, direct, slice(None, CHANGES)),
            Device(counted, through, slice(-CHANGES, None)),
            count,
        )


def _median(pair: Pair, save: Save, *, cold: bool = False) -> Cost:
    """The medians of several exchanges."""
    every = workload().records(2 * CHANGES * ROUNDS, seed=_SEED)
    costs = [
        _exchange(pair, save, every[at : at + 2 * CHANGES], cold=cold)
        for at in range(0, len(every), 2 * CHANGES)
    ]
    return Cost(*(statistics.median(each) for each in zip(*map(msgspec.structs.astuple, costs), strict=True)))


def _exchange(pair: Pair, save: Save, records: list[dict[str, Any]], *, cold: bool) -> Cost:
    """Both stand at the head; the other one brings five, then the counted one's exchange is taken."""
    pair.other.client.sync()
    pair.counted.client.sync()
    save(pair.other, records[:CHANGES])
    pair.other.client.sync()
    save(pair.counted, records[CHANGES:])
    if cold:
        pair.counted.connection.renew()
    pair.count.taken()
    start = time.perf_counter()
    report = pair.counted.client.sync()
    wall_s = time.perf_counter() - start
    _require_five(report)
    return Cost(sum(pair.count.taken()), report.round_trips, wall_s)


def _create(device: Device, records: list[dict[str, Any]]) -> None:
    for record in records:
        stores.create(device.client, record, device.client.grids()[0].code)


def _edit(device: Device, records: list[dict[str, Any]]) -> None:
    """Two fields of five records: others than those that the other device edits, so none conflicts."""
    rng = random.Random(records[0]["id"])
    for record in device.client.list()[device.edits]:
        device.client.update(record, **two_fields(rng, record.values))


def _require_five(report: SyncReport) -> None:
    if (report.applied, report.received, report.complete) != (CHANGES, CHANGES, True):
        message = f"expected five applied and five received, got {report}"
        raise SystemExit(message)


def _floor(url: str) -> Cost:
    """The same on the floor: five whole records up, five down, one round trip."""
    counted, other = FloorClient(url), FloorClient(url)
    every = workload().records(2 * CHANGES * ROUNDS, seed=_SEED)
    costs = []
    for at in range(0, len(every), 2 * CHANGES):
        theirs, own = every[at : at + CHANGES], every[at + CHANGES : at + 2 * CHANGES]
        other.push(msgspec.json.encode(theirs), CHANGES)
        before = counted.link.bytes_up + counted.link.bytes_down
        start = time.perf_counter()
        counted.sync(msgspec.json.encode(own))
        wall_s = time.perf_counter() - start
        costs.append(Cost(counted.link.bytes_up + counted.link.bytes_down - before, 1, wall_s))
    return Cost(*(statistics.median(each) for each in zip(*map(msgspec.structs.astuple, costs), strict=True)))
