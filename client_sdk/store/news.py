"""News: what became of the worker's own records, until seen.

numbered    registered, with the number         state       moved on, with the state before and after
renumbered  given another number after the server was restored
left        no longer on this device, and why   a receipt   replayed, kept, not_kept, superseded, discarded
erased      the township erased it for good; nothing else of it is left here
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from client_sdk.store.database import Tx
from sync_protocol.messages import Exit, Receipt
from sync_protocol.overlay import Base


class Item(msgspec.Struct, frozen=True):
    """One piece of news, in order of arrival."""

    id: int
    record: str
    what: str
    detail: dict[str, Any]
    at_ms: int
    """The server's clock."""


def watch(tx: Tx, record: str, kind: str) -> None:
    """A record was created here: its author wants to hear of it."""
    tx.run("INSERT OR IGNORE INTO reports (record, kind) VALUES (?, ?)", record, kind)


def unwatch(tx: Tx, record: str) -> None:
    """A draft was torn up."""
    tx.run("DELETE FROM reports WHERE record = ?", record)


def watched(tx: Tx, record: str) -> bool:
    """Whether the record was created here."""
    return tx.row("SELECT 1 FROM reports WHERE record = ?", record) is not None


def kind_of(tx: Tx, record: str) -> str | None:
    """The kind of a record that was created here."""
    row = tx.row("SELECT kind FROM reports WHERE record = ?", record)
    return row[0] if row is not None else None


def number_of(tx: Tx, record: str) -> str | None:
    """The registration number that a verdict told, before a page brings it."""
    row = tx.row("SELECT number FROM reports WHERE record = ?", record)
    return row[0] if row is not None else None


def numbers(tx: Tx) -> dict[str, str]:
    """The same of every record that was told one."""
    return dict(tx.rows("SELECT record, number FROM reports WHERE number IS NOT NULL"))


def numbered(tx: Tx, record: str, number: str, at_ms: int, formerly: str | None = None) -> None:
    """The record was registered; told once, and once more when a restored server had to give it another number."""
    if formerly is not None:
        detail = {"number": number, "formerly": formerly}
        tx.run("UPDATE reports SET number = ? WHERE record = ?", number, record)
        _add(tx, record, "renumbered", detail, at_ms)
    elif tx.run("UPDATE reports SET number = ? WHERE record = ? AND number IS NULL", number, record):
        _add(tx, record, "numbered", {"number": number}, at_ms)


def moved(tx: Tx, fresh: Base, shown: str | None, at_ms: int) -> None:
    """A page brought an own record: its number, and a state other than the one shown before."""
    if fresh.number is not None:
        numbered(tx, fresh.id, fresh.number, at_ms)
    if fresh.state is not None and shown is not None and fresh.state != shown:
        _add(tx, fresh.id, "state", {"from": shown, "to": fresh.state, "number": fresh.number}, at_ms)


def left(tx: Tx, exit_: Exit, at_ms: int) -> None:
    """An own record left this device."""
    if not watched(tx, exit_.id):
        return
    if exit_.number is not None:
        numbered(tx, exit_.id, exit_.number, at_ms)
    _add(tx, exit_.id, "left", {"why": exit_.why, "state": exit_.state, "number": exit_.number}, at_ms)


def erased(tx: Tx, record: str, at_ms: int) -> None:
    """What was told of a record goes; its author is told that it was erased, once."""
    tx.run("DELETE FROM news WHERE record = ? AND what <> 'erased'", record)
    if tx.run("DELETE FROM reports WHERE record = ?", record):
        _add(tx, record, "erased", {}, at_ms)


def receipt(tx: Tx, one: Receipt) -> None:
    """What became of an own change."""
    detail = {"change": one.change, "path": one.path, "by": one.by, "reason": one.reason}
    _add(tx, one.record or "", one.outcome, detail, one.at)


def reason(tx: Tx, record: str, what: str) -> str | None:
    """The reason that came with the latest news of a sort about a record."""
    row = tx.row(
        "SELECT detail FROM news WHERE record = ? AND what = ? ORDER BY id DESC LIMIT 1", record, what
    )
    found = msgspec.json.decode(row[0]).get("reason") if row is not None else None
    return found if isinstance(found, str) else None


def unseen(tx: Tx) -> Iterator[Item]:
    """What has not been seen, oldest first."""
    for id_, record, what, detail, at_ms in tx.rows(
        "SELECT id, record, what, detail, at_ms FROM news WHERE NOT seen ORDER BY id"
    ):
        yield Item(id_, record, what, msgspec.json.decode(detail), at_ms)


def seen(tx: Tx, last: int) -> None:
    """Everything up to an item was shown."""
    tx.run("UPDATE news SET seen = 1 WHERE id <= ?", last)


def _add(tx: Tx, record: str, what: str, detail: dict[str, Any], at_ms: int) -> None:
    tx.run(
        "INSERT INTO news (record, what, detail, at_ms) VALUES (?, ?, ?, ?)",
        record,
        what,
        msgspec.json.encode(detail),
        at_ms,
    )
