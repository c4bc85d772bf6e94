"""The tables of a device, and how an older file comes up to date: one step a version, by `user_version`.

    meta       what the device knows of itself, by name (meta.py)
    kinds      every declaration ever received: an own change is read by the one it was made with
    records    the base: each record as the pages left it, with its digest in two halves
    changes    own changes: drafts, the queue, and what was answered, kept for a restored server
    problems   what a worker has to know of: values that differ, changes in quarantine
    reports    own records, to tell what became of them
    news       what became of them, until seen

`changes.place` orders a device's changes for ever; `n` is the counter in the present epoch, given when a
change is queued and null for drafts and for what another epoch sent. `laid` says whether the change still
lies over the base; `claim` is the registration number that it brought, with its proof; `sealed` says that its
payload is a kept change, which only the township reads (sync_protocol/kept.py). Tables are rowid tables
with an index on the random id (failures, row 28).
"""

from typing import Final

from client_sdk.store.database import Database, Tx
from sync_protocol.errors import Incompatible

_FIRST: Final = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL)",
    (
        "CREATE TABLE kinds (name TEXT NOT NULL, version INTEGER NOT NULL, declaration BLOB NOT NULL,"
        " PRIMARY KEY (name, version))"
    ),
    (
        "CREATE TABLE records (id TEXT PRIMARY KEY, kind TEXT NOT NULL, place TEXT NOT NULL,"
        " version INTEGER NOT NULL, state TEXT, number TEXT, body BLOB NOT NULL, stale INTEGER NOT NULL DEFAULT 0,"
        " high INTEGER NOT NULL, low INTEGER NOT NULL)"
    ),
    "CREATE INDEX records_place ON records (place, kind)",
    (
        "CREATE TABLE changes (place INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
        " record TEXT NOT NULL, kind TEXT NOT NULL, n INTEGER UNIQUE, status TEXT NOT NULL,"
        " laid INTEGER NOT NULL DEFAULT 1, payload BLOB NOT NULL, saved_ms INTEGER NOT NULL,"
        " result TEXT, number INTEGER NOT NULL DEFAULT 0, answered_ms INTEGER)"
    ),
    "CREATE INDEX changes_record ON changes (record) WHERE laid",
    "CREATE INDEX changes_queue ON changes (place) WHERE status = 'queued'",
    (
        "CREATE TABLE problems (id INTEGER PRIMARY KEY, change TEXT NOT NULL UNIQUE, record TEXT NOT NULL,"
        " what TEXT NOT NULL, code TEXT, field TEXT, reason TEXT, own BLOB NOT NULL, at_ms INTEGER NOT NULL)"
    ),
    "CREATE TABLE reports (record TEXT PRIMARY KEY, kind TEXT NOT NULL, number TEXT, state TEXT, reason TEXT)",
    (
        "CREATE TABLE news (id INTEGER PRIMARY KEY, record TEXT NOT NULL, what TEXT NOT NULL,"
        " detail BLOB NOT NULL, at_ms INTEGER NOT NULL, seen INTEGER NOT NULL DEFAULT 0)"
    ),
)
_CLAIMS: Final = ("ALTER TABLE changes ADD COLUMN claim BLOB",)
_SEALED: Final = ("ALTER TABLE changes ADD COLUMN sealed INTEGER NOT NULL DEFAULT 0",)
MIGRATIONS: Final = (_FIRST, _CLAIMS, _SEALED)


def migrate(database: Database) -> None:
    """Brings the tables to the newest version, each step in a transaction of its own."""
    with database.read() as tx:
        had = version(tx)
    if had > len(MIGRATIONS):
        message = (
            "数据文件由更新的版本写入，请升级本软件 / the store was written by a newer version of this program; "
            "upgrade it"
        )
        raise Incompatible(message)
    for at in range(had, len(MIGRATIONS)):
        with database.write() as tx:
            if version(tx) == at:  # else another process was faster
                for statement in MIGRATIONS[at]:
                    tx.run(statement)
                tx.run(f"PRAGMA user_version = {at + 1}")


def version(tx: Tx) -> int:
    """How many of the steps the file has had."""
    row = tx.row("PRAGMA user_version")
    return int(row[0]) if row is not None else 0
