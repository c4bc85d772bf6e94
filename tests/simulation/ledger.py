"""What a server holds, read by statements of its own and decoded as plain JSON.

So a mistake of the server's reading does not hide itself. The database may be simulated or real (tests/chaos).
"""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from server.vault.sealing import opened
from server.vault.township import TownshipKeys
from tests.vaults import keys_in

TAKEN_IN: Final = frozenset({"applied", "merged", "conflict"})


@dataclass(frozen=True)
class Stored:
    """A row of the server's table of changes, decoded."""

    id: str
    n: int
    record: str
    author: str
    result: str
    code: str | None
    raw: bytes
    says: Mapping[str, Any]
    effects: list[tuple[str, Any, Any]]
    origin: str | None
    stamp_ms: int
    uncertainty_ms: int
    received_ms: int
    verdict: Mapping[str, Any]


@dataclass(frozen=True)
class Ledger:
    """Everything that the server holds of the township."""

    changes: list[Stored]
    records: Mapping[str, Mapping[str, Any]]
    conflicts: Sequence[Mapping[str, Any]]
    register: int


def read(path: Path) -> Ledger:
    """What an SQLite database holds."""
    with sqlite3.connect(path) as connection:
        connection.row_factory = sqlite3.Row
        found = ledger(lambda statement: map(dict, connection.execute(statement)))
    connection.close()
    return found


def ledger(rows: Callable[[str], Iterable[Mapping[str, Any]]]) -> Ledger:
    """What a database holds; `rows` gives those of a statement, ids as texts."""
    keys = keys_in(rows("SELECT * FROM township_keys"))
    changes = [_stored(row, keys) for row in rows("SELECT * FROM changes ORDER BY n")]
    records = {row["record_id"]: row for row in rows("SELECT * FROM records")}
    conflicts = list(rows("SELECT * FROM conflicts ORDER BY n"))
    register = max((row["last"] for row in rows("SELECT last FROM registers")), default=0)
    return Ledger(changes, records, conflicts, register)


def _stored(row: Mapping[str, Any], keys: Mapping[str, TownshipKeys]) -> Stored:
    payload, done = (
        opened(bytes(row[name]), keys[row["township_id"]], row["record_id"])
        for name in ("payload", "effects")
    )
    try:
        says = json.loads(payload)
    except ValueError:
        says = {}
    effects = [(path, before, after) for path, before, after in json.loads(done)]
    return Stored(
        row["change_id"], row["n"], row["record_id"] or "", row["author"], row["result"], row["code"],
        payload, says, effects, row["origin"], row["stamp_ms"], row["uncertainty_ms"],
        row["received_ms"], json.loads(row["verdict"] or "{}"),
    )  # fmt: skip


def taken_in(ledger: Ledger) -> dict[str, list[Stored]]:
    """The changes that count, by record, in the order of the server."""
    by_record = defaultdict[str, list[Stored]](list)
    for change in ledger.changes:
        if change.result in TAKEN_IN:
            by_record[change.record].append(change)
    return by_record
