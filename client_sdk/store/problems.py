"""What a worker has to know of: values that differ, and changes in quarantine.

`own` of a row maps each path to the value that the worker wrote. Values that differ are a problem only as
long as they do: when the page has come and the own value stands after all, the row goes. A later own edit
of a path replaces what was said about it.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from client_sdk.store import records
from client_sdk.store.database import Tx
from sync_protocol.case import equal
from sync_protocol.changes import Change
from sync_protocol.history import EXISTENCE, PLACE, STATE
from sync_protocol.messages import Receipt, Verdict
from sync_protocol.overlay import Base, writes

DIFFERS: Final = "differs"
QUARANTINED: Final = "quarantined"


class Row(msgspec.Struct, frozen=True):
    """One problem."""

    id: int
    change: str
    record: str
    what: str
    code: str | None
    field: str | None
    reason: str | None
    own: dict[str, Any]
    at_ms: int


def differs(tx: Tx, change: Change, verdict: Verdict, at_ms: int) -> None:
    """A verdict said `conflict`: what the worker wrote there, until the page tells what stands."""
    _add(tx, change, DIFFERS, verdict, at_ms)


def quarantined(tx: Tx, change: Change, verdict: Verdict, at_ms: int) -> None:
    """A verdict said `quarantined`."""
    _add(tx, change, QUARANTINED, verdict, at_ms)


def answered(tx: Tx, receipt: Receipt) -> None:
    """A receipt ends what it answers: the whole problem, or the path that was decided."""
    if receipt.path is None:
        tx.run("DELETE FROM problems WHERE change = ?", receipt.change)
        return
    for row in _rows(tx, "change = ?", receipt.change):
        _without(tx, row, {receipt.path})


def edited(tx: Tx, record: str, written: Iterable[str]) -> None:
    """The worker wrote these paths again: what was said about them is past."""
    gone = set(written)
    for row in _rows(tx, "record = ? AND what = 'differs'", record):
        _without(tx, row, gone)


def end(tx: Tx, problem: int) -> None:
    """The worker has dealt with it."""
    tx.run("DELETE FROM problems WHERE id = ?", problem)


def forget(tx: Tx, change: str) -> None:
    """What was said about a change is past."""
    tx.run("DELETE FROM problems WHERE change = ?", change)


def forget_record(tx: Tx, record: str) -> None:
    """Everything that was said about a record is past."""
    tx.run("DELETE FROM problems WHERE record = ?", record)


def settle(tx: Tx) -> None:
    """Drops problems of values that do not differ (any more), once a page has brought what stands."""
    for row in _rows(tx, "what = 'differs' AND change NOT IN (SELECT id FROM changes WHERE laid)"):
        held = records.base(tx, row.record)
        if held is None:
            end(tx, row.id)
            continue
        _without(tx, row, {path for path, own in row.own.items() if equal(own, standing(held, path))})


def every(tx: Tx) -> Iterator[Row]:
    """All problems, oldest first."""
    yield from _rows(tx, "1")


def troubled(tx: Tx) -> set[str]:
    """The records that have a problem."""
    return {row[0] for row in tx.rows("SELECT DISTINCT record FROM problems")}


def standing(held: Base, path: str) -> Any:
    """What stands on a path of a record; None when nothing does."""
    if path == STATE:
        return held.state
    if path == PLACE:
        return held.place
    if path == EXISTENCE:
        return None
    name, _, below = path.partition("/")
    value = held.values.get(name)
    if not below or value is None:
        return value
    if isinstance(value, list):
        return True if below in value else None
    entry, _, sub = below.partition("/")
    inner = value.get(entry)
    return inner.get(sub) if sub and inner is not None else inner


def _add(tx: Tx, change: Change, what: str, verdict: Verdict, at_ms: int) -> None:
    own = writes(change)
    if verdict.differs:  # the other paths of the change were applied, or merged
        own = {path: value for path, value in own.items() if path in verdict.differs} or own
    tx.run(
        "INSERT OR REPLACE INTO problems (change, record, what, code, field, reason, own, at_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        change.id,
        change.record,
        what,
        verdict.code,
        verdict.field,
        verdict.reason,
        msgspec.json.encode(own),
        at_ms,
    )


def _rows(tx: Tx, condition: str, *values: Any) -> list[Row]:
    columns = "id, change, record, what, code, field, reason, own, at_ms"
    found = tx.rows(f"SELECT {columns} FROM problems WHERE {condition} ORDER BY id", *values)
    return [_row(row) for row in found]


def _row(row: tuple[Any, ...]) -> Row:
    id_, change, record, what, code, field, reason, own, at_ms = row
    return Row(id_, change, record, what, code, field, reason, msgspec.json.decode(own), at_ms)


def _without(tx: Tx, row: Row, gone: set[str]) -> None:
    """The problem without some of its paths; without any it ends."""
    left = {path: value for path, value in row.own.items() if path not in gone}
    if not left:
        end(tx, row.id)
    elif len(left) < len(row.own):
        tx.run("UPDATE problems SET own = ? WHERE id = ?", msgspec.json.encode(left), row.id)
