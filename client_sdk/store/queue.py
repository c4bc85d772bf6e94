"""Own changes: drafts, the queue, and what was answered.

    draft -> queued -> acknowledged            the edges: `release`, a verdict,
                    -> quarantined -> acknowledged                     a receipt
    acknowledged, quarantined -> queued        the server asks again (`again_from`, `offer`)

A change leaves the queue by its id alone (failures, row 15): what was saved while a sync ran stays. What
was answered is kept for KEPT_DAYS, because a server restored from a backup may need it again; of a record that
left this device it is sealed (kept.py), lies over nothing, and nobody here reads it.
"""

from collections.abc import Collection, Iterator
from typing import Any, Final

import msgspec

from client_sdk.store import meta
from client_sdk.store.database import Tx
from sync_protocol import kept
from sync_protocol.changes import Change, Increment, decode, encode
from sync_protocol.kept import Kept
from sync_protocol.overlay import Laid, writes
from sync_protocol.registration import Claim

KEPT_DAYS: Final = 30
_DAY_MS: Final = 24 * 3600 * 1000

DRAFT, QUEUED, ACKNOWLEDGED, QUARANTINED = "draft", "queued", "acknowledged", "quarantined"


class Batch(msgspec.Struct, frozen=True):
    """The next changes of the queue, as they travel."""

    ids: tuple[str, ...]
    changes: tuple[msgspec.Raw, ...]
    counter: int
    """The counter of the last one, 0 when there is none."""
    numbers: dict[str, Claim]
    """Record to the registration number that one of them brought it, before the server forgot."""


class Entry(msgspec.Struct, frozen=True):
    """One change that the server has not answered finally: a line of the queue."""

    id: str
    record: str
    kind: str
    do: str
    status: str
    saved_ms: int
    bytes: int


class Standing(msgspec.Struct, frozen=True):
    """How a change stands here, and of what it is."""

    status: str
    record: str
    kind: str
    sealed: bool


def append(tx: Tx, change: Change, *, draft: bool) -> None:
    """Puts a change at the end of the queue, or holds it as a draft."""
    tx.run(
        "INSERT INTO changes (place, id, record, kind, n, status, payload, saved_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        _last_place(tx) + 1,
        change.id,
        change.record,
        change.kind,
        None if draft else _next_counter(tx),
        DRAFT if draft else QUEUED,
        encode(msgspec.structs.replace(change, n=0)),
        change.at,
    )


def append_kept(tx: Tx, one: Kept, at_ms: int) -> None:
    """Puts a sealed change, of a rescue file, at the end of the queue."""
    tx.run(
        "INSERT INTO changes (place, id, record, kind, n, status, laid, payload, saved_ms, sealed)"
        " VALUES (?, ?, ?, ?, ?, 'queued', 0, ?, ?, 1)",
        _last_place(tx) + 1,
        one.id,
        one.record,
        one.kind,
        _next_counter(tx),
        kept.encode(msgspec.structs.replace(one, n=0)),
        at_ms,
    )


def held_back(tx: Tx, record: str) -> bool:
    """Whether the record is a draft, so that its edits are held back with it."""
    return tx.row("SELECT 1 FROM changes WHERE record = ? AND status = 'draft'", record) is not None


def release(tx: Tx, record: str) -> None:
    """Sends a draft on its way: its changes go to the end of the queue, in their order."""
    for (place,) in tx.rows(
        "SELECT place FROM changes WHERE record = ? AND status = 'draft' ORDER BY place", record
    ):
        tx.run(
            "UPDATE changes SET place = ?, n = ?, status = 'queued' WHERE place = ?",
            _last_place(tx) + 1,
            _next_counter(tx),
            place,
        )


def release_all(tx: Tx) -> None:
    """Sends every draft on its way: of a device that was revoked, nobody will come back to them."""
    for (record,) in tx.rows(
        "SELECT record FROM changes WHERE status = 'draft' GROUP BY record ORDER BY min(place)"
    ):
        release(tx, record)


def tear_up(tx: Tx, record: str) -> None:
    """Forgets a draft that was never sent."""
    tx.run("DELETE FROM changes WHERE record = ? AND status = 'draft'", record)


def batch(tx: Tx, changes_max: int, bytes_max: int) -> Batch:
    """The next changes within the limits, at least one if any waits."""
    ids: list[str] = []
    changes: list[msgspec.Raw] = []
    numbers: dict[str, Claim] = {}
    size, counter = 0, 0
    rows = tx.rows(
        "SELECT id, n, payload, record, claim, sealed FROM changes WHERE status = 'queued' ORDER BY place LIMIT ?",
        changes_max,
    )
    for id_, n, payload, record, claim, sealed in rows:
        if ids and size + len(payload) > bytes_max:
            break
        ids.append(id_)
        changes.append(msgspec.Raw(_counted(payload, n, sealed=sealed)))
        size, counter = size + len(payload), n
        if claim is not None:
            numbers[record] = msgspec.json.decode(claim, type=Claim)
    return Batch(tuple(ids), tuple(changes), counter, numbers)


def waiting(tx: Tx, through: int | None = None) -> tuple[int, int]:
    """How many changes wait, and their bytes: all, or those up to a place."""
    row = tx.row(
        "SELECT count(*), coalesce(sum(length(payload)), 0) FROM changes"
        " WHERE status = 'queued' AND place <= ?",
        _last_place(tx) if through is None else through,
    )
    return (int(row[0]), int(row[1])) if row is not None else (0, 0)


def unsent(tx: Tx) -> int:
    """Changes that would be lost with the store: drafts and the queue."""
    row = tx.row("SELECT count(*) FROM changes WHERE status IN ('draft', 'queued')")
    return int(row[0]) if row is not None else 0


def payloads(tx: Tx, *, answered: bool) -> list[tuple[bytes, Claim | None]]:
    """Drafts and the queue, as they will travel but for their counters; with what was `answered` and is still kept.

    Each with the registration number that it brought.
    """
    which = "" if answered else "WHERE status IN ('draft', 'queued')"
    rows = tx.rows(f"SELECT payload, claim FROM changes {which} ORDER BY place")
    return [
        (payload, msgspec.json.decode(claim, type=Claim) if claim is not None else None)
        for payload, claim in rows
    ]


def last_place(tx: Tx) -> int:
    """The place of the last change."""
    return _last_place(tx)


def lowest(tx: Tx) -> int:
    """The lowest counter of the present epoch that is still kept; the next one when none is."""
    row = tx.row("SELECT min(n) FROM changes WHERE n IS NOT NULL")
    return int(row[0]) if row is not None and row[0] is not None else meta.integer(tx, meta.COUNTER) + 1


def entries(tx: Tx) -> Iterator[Entry]:
    """Drafts, the queue, and what is in quarantine, in the order of saving."""
    rows = tx.rows(
        "SELECT id, record, kind, status, payload, saved_ms, sealed FROM changes"
        " WHERE status IN ('draft', 'queued', 'quarantined') ORDER BY place"
    )
    for id_, record, kind, status, payload, saved_ms, sealed in rows:
        do = "offer" if sealed else decode(payload).do
        yield Entry(id_, record, kind, do, status, saved_ms, len(payload))


def get(tx: Tx, change: str) -> tuple[Change, str] | None:
    """A change and its status; None also for one that is sealed."""
    row = tx.row("SELECT payload, status FROM changes WHERE id = ? AND NOT sealed", change)
    return (decode(row[0]), row[1]) if row is not None else None


def standing(tx: Tx, change: str) -> Standing | None:
    """How a change stands; None when it is not here."""
    row = tx.row("SELECT status, record, kind, sealed FROM changes WHERE id = ?", change)
    return Standing(row[0], row[1], row[2], bool(row[3])) if row is not None else None


def laid(tx: Tx, record: str) -> list[Laid]:
    """The own changes that lie over the base of a record."""
    rows = tx.rows(
        "SELECT payload, status, result, number FROM changes WHERE record = ? AND laid ORDER BY place", record
    )
    return [one for row in rows if (one := _laid(*row)) is not None]


def all_laid(tx: Tx) -> dict[str, tuple[str, list[Laid]]]:
    """The same for every record that has any: its kind, and its changes."""
    found: dict[str, tuple[str, list[Laid]]] = {}
    for record, kind, *row in tx.rows(
        "SELECT record, kind, payload, status, result, number FROM changes WHERE laid ORDER BY place"
    ):
        own = found.setdefault(record, (kind, []))[1]
        one = _laid(*row)
        if one is not None:
            own.append(one)
    return found


def statuses(tx: Tx) -> dict[str, set[str]]:
    """Record to the statuses of its changes that are not finally answered."""
    found: dict[str, set[str]] = {}
    for record, status in tx.rows(
        "SELECT DISTINCT record, status FROM changes WHERE status IN ('draft', 'queued', 'quarantined')"
    ):
        found.setdefault(record, set()).add(status)
    return found


def statuses_of(tx: Tx, record: str) -> set[str]:
    """The same of one record."""
    rows = tx.rows(
        "SELECT DISTINCT status FROM changes WHERE record = ? AND laid"
        " AND status IN ('draft', 'queued', 'quarantined')",
        record,
    )
    return {status for (status,) in rows}


def answered(tx: Tx, change: str, status: str, result: str, number: int, at_ms: int, *, lies: bool) -> bool:
    """Takes a verdict; False when the change is not in the queue (any more). What is sealed lies over nothing."""
    return bool(
        tx.run(
            "UPDATE changes SET status = ?, result = ?, number = ?, answered_ms = ?, laid = (? AND NOT sealed)"
            " WHERE id = ? AND status = 'queued'",
            status,
            result,
            number,
            at_ms,
            int(lies),
            change,
        )
    )


def registered(tx: Tx, change: str, claim: Claim) -> None:
    """Keeps the registration number that a change brought, with its proof, for a server that forgets it."""
    tx.run("UPDATE changes SET claim = ? WHERE id = ?", msgspec.json.encode(claim), change)


def out_of_quarantine(tx: Tx, change: str, number: int) -> None:
    """A receipt ended the quarantine; the overlay ends when a page has brought what became of it."""
    tx.run(
        "UPDATE changes SET status = 'acknowledged', result = 'merged', number = ?"
        " WHERE id = ? AND status = 'quarantined'",
        number,
        change,
    )


def cover(tx: Tx) -> None:
    """Ends the overlay of what the base has reached."""
    tx.run(
        "UPDATE changes SET laid = 0 WHERE laid AND status = 'acknowledged'"
        " AND number <= (SELECT version FROM records WHERE records.id = changes.record)"
    )


def cover_all(tx: Tx) -> None:
    """Ends the overlay of everything acknowledged: a complete page has brought all that was made of it."""
    tx.run("UPDATE changes SET laid = 0 WHERE laid AND status = 'acknowledged'")


def cover_record(tx: Tx, record: str, number: int | None = None) -> None:
    """Ends the overlay of a record that left, up to a number."""
    tx.run(
        "UPDATE changes SET laid = 0 WHERE record = ? AND laid AND status = 'acknowledged'"
        " AND (? IS NULL OR number <= ?)",
        record,
        number,
        number,
    )


def give_way(tx: Tx) -> None:
    """Ends the overlay of what waits in quarantine once the base has what its author wrote there later.

    Laid over that, it would take back on the screen what its author has replaced since, or taken out.
    """
    for (record,) in tx.rows(
        "SELECT DISTINCT record FROM changes WHERE laid AND status = 'quarantined'"
        " AND record IN (SELECT id FROM records)"
    ):
        reached = set[str]()
        for change, status, laid, payload in tx.rows(
            "SELECT id, status, laid, payload FROM changes WHERE record = ? AND NOT sealed ORDER BY place DESC",
            record,
        ):
            if status == ACKNOWLEDGED and not laid:
                reached |= writes(decode(payload)).keys()
            elif status == QUARANTINED and laid and _is_replaced(decode(payload), reached):
                tx.run("UPDATE changes SET laid = 0 WHERE id = ?", change)


def _is_replaced(change: Change, reached: set[str]) -> bool:
    """Whether every path that an edit writes, or the entry that it is in, was written once more; no sum is."""
    if change.do != "edit" or any(isinstance(op, Increment) for op in change.ops):
        return False
    return all(path in reached or path.rpartition("/")[0] in reached for path in writes(change))


def forget_answered(tx: Tx, record: str) -> None:
    """Forgets what was answered of a record; what waits, or is a draft, stays."""
    tx.run("DELETE FROM changes WHERE record = ? AND status IN ('acknowledged', 'quarantined')", record)


def of_records_that_left(tx: Tx) -> list[tuple[str, str, str, bytes]]:
    """Id, record, kind and payload of what was acknowledged, is not sealed, and can be seen nowhere here."""
    rows = tx.rows(
        "SELECT id, record, kind, payload FROM changes WHERE status = 'acknowledged' AND NOT laid AND NOT sealed"
        " AND record NOT IN (SELECT id FROM records) ORDER BY place"
    )
    return [(id_, record, kind, bytes(payload)) for id_, record, kind, payload in rows]


def seal(tx: Tx, change: str, payload: bytes) -> None:
    """Puts the sealed form of an answered change in its place."""
    tx.run("UPDATE changes SET payload = ?, sealed = 1 WHERE id = ?", payload, change)


def again_from(tx: Tx, counter: int) -> bool:
    """A gap: what is kept from `counter` on goes into the queue again, as it was numbered.

    False when it begins with one that is kept no more: what was erased leaves holes, and a restored server would wait
    for it for ever. Then all of this has to be numbered anew.
    """
    tx.run(
        "UPDATE changes SET status = 'queued', laid = NOT sealed WHERE n >= ? AND status NOT IN ('draft', 'queued')",
        counter,
    )
    return tx.row("SELECT 1 FROM changes WHERE n = ?", counter) is not None


def offer(tx: Tx, above: int, but: Collection[str]) -> int:
    """The server was restored: what it acknowledged above that number waits again. How many that are."""
    rows = tx.rows(
        "SELECT id FROM changes WHERE status IN ('acknowledged', 'quarantined') AND number > ?", above
    )
    offered = [id_ for (id_,) in rows if id_ not in but]
    for id_ in offered:
        tx.run("UPDATE changes SET status = 'queued', laid = NOT sealed WHERE id = ?", id_)
    return len(offered)


def renumber(tx: Tx) -> None:
    """A new epoch: the queue is counted from 1, in its order; the ids stay, so nothing counts twice."""
    tx.run("UPDATE changes SET n = NULL")
    rows: list[tuple[Any, ...]] = tx.rows("SELECT place FROM changes WHERE status = 'queued' ORDER BY place")
    for n, (place,) in enumerate(rows, 1):
        tx.run("UPDATE changes SET n = ? WHERE place = ?", n, place)
    meta.put(tx, meta.COUNTER, len(rows))


def expire(tx: Tx, now_ms: int) -> None:
    """Forgets what was acknowledged KEPT_DAYS ago, by the server's clock."""
    tx.run(
        "DELETE FROM changes WHERE status = 'acknowledged' AND NOT laid AND answered_ms < ?",
        now_ms - KEPT_DAYS * _DAY_MS,
    )


def _counted(payload: bytes, n: int, *, sealed: bool) -> bytes:
    """A payload as it travels, with its counter."""
    if sealed and (found := kept.read(payload)) is not None:
        return kept.encode(msgspec.structs.replace(found, n=n))
    return encode(msgspec.structs.replace(decode(payload), n=n))


def _laid(payload: bytes, status: str, result: str | None, number: int) -> Laid | None:
    """How a change lies over its base. A removal that the server would not take hides nothing."""
    change = decode(payload)
    if status == QUARANTINED and change.do == "delete":
        return None
    return Laid(change, number if result == "applied" and status == ACKNOWLEDGED else 0)


def _last_place(tx: Tx) -> int:
    row = tx.row("SELECT max(place) FROM changes")
    return int(row[0] or 0) if row is not None else 0


def _next_counter(tx: Tx) -> int:
    counter = meta.integer(tx, meta.COUNTER) + 1
    meta.put(tx, meta.COUNTER, counter)
    return counter
