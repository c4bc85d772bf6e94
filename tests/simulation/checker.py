"""The guarantees, looked for in what is stored: in the server's database and in the devices' stores.

It reads both with statements of its own and decodes what lies there as plain JSON, so that a mistake of the
server's or the client's reading does not hide itself.
"""

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sync_protocol.changes import decode
from sync_protocol.history import Effect
from tests.protocol.desk import rebuilt
from tests.simulation.witness import Writing
from tests.simulation.world import Device, World

TAKEN_IN: Final = frozenset({"applied", "merged", "conflict"})
SINGLE: Final = frozenset({"subject", "level", "heads", "remark"})


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
    stamp_ms: int
    received_ms: int


@dataclass(frozen=True)
class Ledger:
    """Everything that the server holds of the township."""

    changes: list[Stored]
    records: Mapping[str, Mapping[str, Any]]
    conflicts: Sequence[Mapping[str, Any]]
    register: int


def read(world: World) -> Ledger:
    """The server's database, by plain SQL."""
    with sqlite3.connect(world.servers.path) as connection:
        connection.row_factory = sqlite3.Row
        changes = [_stored(row) for row in connection.execute("SELECT * FROM changes ORDER BY n")]
        records = {row["record_id"]: dict(row) for row in connection.execute("SELECT * FROM records")}
        conflicts = [dict(row) for row in connection.execute("SELECT * FROM conflicts ORDER BY n")]
        register = connection.execute("SELECT coalesce(max(last), 0) FROM registers").fetchone()[0]
    connection.close()
    return Ledger(changes, records, conflicts, register)


def _stored(row: sqlite3.Row) -> Stored:
    try:
        says = json.loads(row["payload"])
    except ValueError:
        says = {}
    effects = [(path, before, after) for path, before, after in json.loads(row["effects"])]
    return Stored(
        row["change_id"], row["n"], row["record_id"] or "", row["author"], row["result"], row["code"],
        bytes(row["payload"]), says, effects, row["stamp_ms"], row["received_ms"],
    )  # fmt: skip


def objections(world: World) -> Iterator[str]:
    """Everything that is wrong once all is quiet; what was found on the way comes first."""
    ledger = read(world)
    yield from world.wrong
    yield from world.servers.wrong
    yield from _accounted(world, ledger)
    yield from _converged(world, ledger)
    yield from _no_silent_winner(world, ledger)
    yield from _honest(ledger)
    yield from _numbered(world, ledger)
    yield from _rebuilt(ledger)


def _accounted(world: World, ledger: Ledger) -> Iterator[str]:
    """G1, G2, G3, G6: every change whose saving came back is on the server, once, and no queue is left."""
    there = {change.id: change for change in ledger.changes}
    for device in world.devices:
        for saved in device.saved:
            found = there.get(saved)
            if found is None and saved not in device.uncertain and not (device.revoked and world.restored):
                yield f"G1: {device.name} saved {saved}, and the server does not have it"
            elif found is not None and found.author != device.enrolled.id:
                yield f"G3: {saved} of {device.name} is stored as of {found.author}"
        left = _store(device, "SELECT id, status FROM changes WHERE status = 'queued'")
        if left and not device.revoked:
            yield f"G6: {device.name} still has to send {left}"
        answered = "SELECT id, status, result FROM changes WHERE status NOT IN ('queued', 'draft')"
        for change, status, result in _store(device, answered):
            first = there.get(change)
            if first is None and not (device.revoked and world.restored):
                yield f"G2: {device.name} holds {change} as {status}, and the server does not know it"
            elif first is not None and first.result not in {result, "quarantined"} and not world.restored:
                yield f"G3: {device.name} was told {result} of {change}, which was {first.result}"
    reused = [change.id for change in ledger.changes if change.code == "change_id_reused"]
    if reused:
        yield f"G3: taken for other content under the same id: {reused}"


def _converged(world: World, ledger: Ledger) -> Iterator[str]:
    """G4, G5: each device holds exactly the server's records of its grids."""
    for device in world.devices:
        if device.revoked or device.client is None:
            continue
        grids = {grid.code for grid in device.client.blocking.grids()}
        ours = {
            record: _content(
                row["kind"], row["place"], row["version"], row["state"], row["number"], row["body"]
            )
            for record, row in ledger.records.items()
            if row["place"] in grids and not row["deleted"] and not row["closed"]
        }
        held = {
            record: _content(*rest)
            for record, *rest in _store(
                device, "SELECT id, kind, place, version, state, number, body FROM records"
            )
        }
        for record in sorted(ours.keys() | held.keys()):
            if ours.get(record) != held.get(record):
                yield f"G4: {device.name} {record}: holds {held.get(record)}, the server has {ours.get(record)}"


def _content(kind: str, place: str, version: int, state: str | None, number: str | None, body: bytes) -> Any:
    values = {name: value for name, value in json.loads(body).items() if value not in (None, [], {})}
    return (
        kind,
        place,
        version,
        state,
        number,
        {k: sorted(v) if isinstance(v, list) else v for k, v in values.items()},
    )


def _store(device: Device, sql: str) -> list[tuple[Any, ...]]:
    assert device.client is not None
    with device.client.blocking._store.read() as tx:
        return tx.rows(sql)


def _no_silent_winner(world: World, ledger: Ledger) -> Iterator[str]:
    """G7: the model of who saw what."""
    kept = defaultdict[tuple[str, str], list[Any]](list)
    for row in ledger.conflicts:
        kept[row["record_id"], row["path"]] += _values_in(json.loads(row["sides"]))
    paths_of = {row["conflict_id"]: row["path"] for row in ledger.conflicts}
    for record, changes in _taken_in(ledger).items():
        found = ledger.records.get(record)
        if found is None:
            yield f"G7: changes of {record} were taken in, and there is no record"
        elif not found["deleted"]:
            body = json.loads(found["body"])
            kept_of = {path: values for (of, path), values in kept.items() if of == record}
            for path, writings in _writings(world, changes, paths_of).items():
                yield from _path(world, record, path, writings, _at(body, path), kept_of.get(path, []))
            yield from _sentences(world, record, changes, body, kept_of, paths_of)


def _taken_in(ledger: Ledger) -> dict[str, list[Stored]]:
    by_record = defaultdict[str, list[Stored]](list)
    for change in ledger.changes:
        if change.result in TAKEN_IN:
            by_record[change.record].append(change)
    return by_record


def _path(
    world: World, record: str, path: str, writings: list[Writing], stands: Any, kept: list[Any]
) -> Iterator[str]:
    found = world.witness.objection(path, writings, stands, kept)
    if found:
        told = "; ".join(_told(world, writing) for writing in writings)
        yield f"G7: {record} {path} {found}. Written there: {told}"


def _told(world: World, writing: Writing) -> str:
    over = f"{writing.value!r} over {world.witness.saw.get(writing.value)!r}"
    return f"{over}, decided among {sorted(writing.of, key=str)}" if writing.of else over


def _sentences(
    world: World,
    record: str,
    changes: list[Stored],
    body: Mapping[str, Any],
    kept: Mapping[str, list[Any]],
    paths_of: Mapping[str, str],
) -> Iterator[str]:
    """A story keeps every sentence, unless somebody decided between two stories."""
    if any(paths_of.get(change.says.get("decides") or "") == "story" for change in changes):
        return
    stories = [change.says.get("fields", {}).get("story") or "" for change in changes]
    texts = [body.get("story") or "", *(text for text in kept.get("story", []) if isinstance(text, str))]
    for sentence in world.witness.lost_sentences(record, stories, texts):
        yield f"G7: {record} story: {sentence!r} is gone; {texts[0]!r} stands"


def _values_in(sides: Any) -> list[Any]:
    """Every plain value anywhere in what a conflict keeps."""
    if isinstance(sides, Mapping):
        return [value for inner in sides.values() for value in _values_in(inner)]
    if isinstance(sides, list):
        return [value for inner in sides for value in _values_in(inner)]
    return [sides]


def _writings(world: World, changes: list[Stored], paths_of: Mapping[str, str]) -> dict[str, list[Writing]]:
    found = defaultdict[str, list[Writing]](list)
    stood: dict[str, Any] = {}
    for change in changes:
        decides = change.says.get("decides")
        of = world.decided.get(decides, frozenset()) if decides else frozenset()
        wanted = dict(_wanted(change.says))
        if decides and paths_of.get(decides) not in {*wanted, None}:
            path = paths_of[decides]
            if _is_single(path):
                found[path].append(Writing(path, stood.get(path), of, change.author))
        for path, value in wanted.items():
            if not _is_single(path) or value is not None or of:
                found[path].append(Writing(path, value, of, change.author))
        stood |= {path: value for path, value in wanted.items() if change.says.get("do") == "create"}
        stood |= {path: after for path, _, after in change.effects}
    return found


def _is_single(path: str) -> bool:
    return path in SINGLE or path.startswith("steps/")


def _wanted(says: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What a change wanted, path by path."""
    for name, value in says.get("fields", {}).items():
        if name in SINGLE or name == "peak":
            yield name, value
    for op in says.get("ops", []):
        if op["op"] in {"add", "remove"}:
            yield f"{op['field']}/{op['value']}", op["op"] == "add"
        elif op["op"] == "increment":
            yield op["field"], op["by"]
        elif op["op"] == "put":
            for sub, value in op["values"].items():
                yield f"{op['field']}/{op['entry']}/{sub}", value


def _at(body: Mapping[str, Any], path: str) -> Any:
    name, _, below = path.partition("/")
    value = body.get(name)
    if not below:
        return value
    if name == "tags":
        return below in (value or [])
    entry, _, sub = below.partition("/")
    return ((value or {}).get(entry) or {}).get(sub)


def _honest(ledger: Ledger) -> Iterator[str]:
    """G8: no stamp lies after receipt, but for the steps of one chain, and receipt is the server's time."""
    for change in ledger.changes:
        if change.stamp_ms > change.received_ms + len(ledger.changes):
            yield f"G8: {change.id} is stamped {change.stamp_ms - change.received_ms} ms after it was received"


def _numbered(world: World, ledger: Ledger) -> Iterator[str]:
    """Registration numbers are given once; without gaps where no restore took some back."""
    numbers = [row["number"] for row in ledger.records.values() if row["number"]]
    double = [number for number, count in Counter(numbers).items() if count > 1]
    if double:
        yield f"numbers given twice: {double}"
    if not world.restored and ledger.register != len(numbers):
        yield f"the register stands at {ledger.register}, and {len(numbers)} records are numbered"


def _rebuilt(ledger: Ledger) -> Iterator[str]:
    """The table of changes says what every record says."""
    for record, changes in _taken_in(ledger).items():
        row = ledger.records.get(record)
        if row is None:
            continue
        again = rebuilt([(decode(c.raw), [Effect(*effect) for effect in c.effects]) for c in changes])
        said = {name: value for name, value in json.loads(row["body"]).items() if value is not None}
        if _plain(again.values) != _plain(said) or again.place != row["place"] or again.state != row["state"]:
            yield f"history: {record} is rebuilt as {again}, and says {said} in {row['place']}, {row['state']}"


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    there = {name: value for name, value in values.items() if value not in (None, [], {})}
    return {name: sorted(value) if isinstance(value, list) else value for name, value in there.items()}
