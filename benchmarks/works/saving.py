"""A save on a device, durable and encrypted, in turn with a raw one: the same change in plain SQLite.

The raw side is an outbox at its least: one row for the record and one for the queue, write-ahead log, synchronous
FULL. Ours checks the values, keeps kind, place and bases, and encrypts every page.
"""

import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks import founding, servers, stores
from benchmarks.figures import Seen
from benchmarks.ground import Ground
from benchmarks.screening import creates, new_id, workload
from benchmarks.stores import Connection
from benchmarks.turns import percentile99, seconds

_SHARE: Final = 10
"""2,000 saves where W1 uploads 20,000 records."""


def measure(ground: Ground, records: int) -> list[Seen]:
    """One run."""
    every = workload().records(records // _SHARE)
    grid = founding.grids_of()[0]
    payloads = [bytes(change) for change in creates(every, [grid])]
    database = ground.sqlite()
    with (
        servers.roundbook(database, ground.folder) as (url, _),
        Connection(url) as connection,
        stores.opened(ground.file("device.rbk"), database, connection, [grid]) as client,
        closing(_outbox(ground.file("outbox.db"))) as raw,
    ):
        ours, floor = [], []
        for record, payload in zip(every, payloads, strict=True):
            floor.append(seconds(partial(_save, raw, payload)))
            ours.append(seconds(partial(stores.create, client, record, grid)))
        assert len(client.queue()) == len(every)
    return [
        Seen("rate", len(ours) / sum(ours), len(floor) / sum(floor)),
        Seen("p99", percentile99(ours) * 1e3, percentile99(floor) * 1e3),
    ]


def _outbox(file: Path) -> sqlite3.Connection:
    raw = sqlite3.connect(file, isolation_level=None)
    for statement in (
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = FULL",
        "CREATE TABLE records (id TEXT NOT NULL UNIQUE, body BLOB NOT NULL)",
        "CREATE TABLE queue (place INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, body BLOB NOT NULL)",
    ):
        raw.execute(statement).fetchall()
    return raw


def _save(raw: sqlite3.Connection, body: bytes) -> None:
    raw.execute("BEGIN IMMEDIATE")
    raw.execute("INSERT INTO records (id, body) VALUES (?, ?)", (new_id(), body))
    raw.execute("INSERT INTO queue (id, body) VALUES (?, ?)", (new_id(), body))
    raw.execute("COMMIT")
