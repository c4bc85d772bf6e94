"""G7, and what each field may be: what lies on the server held against the model of who saw what."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Final

from tests.simulation.ledger import TAKEN_IN, Ledger, Stored, taken_in
from tests.simulation.rounds import sentences_of
from tests.simulation.town import Town
from tests.simulation.witness import Writing

SINGLE: Final = frozenset({"subject", "level", "heads", "remark"})


def no_silent_winner(town: Town, ledger: Ledger) -> Iterator[str]:
    """G7: the model of who saw what."""
    kept = defaultdict[tuple[str, str], list[Any]](list)
    for row in ledger.conflicts:
        kept[row["record_id"], row["path"]] += _values_in(json.loads(row["sides"]))
    paths_of = {row["conflict_id"]: row["path"] for row in ledger.conflicts}
    waiting = {change.id: change for change in ledger.changes if change.result not in TAKEN_IN}
    for record, changes in taken_in(ledger).items():
        found = ledger.records.get(record)
        if found is None:
            yield f"G7: changes of {record} were taken in, and there is no record"
        elif not found["deleted"]:
            body = json.loads(found["body"])
            kept_of = {path: values for (of, path), values in kept.items() if of == record}
            removed, dropped = _removed(changes, body), _dropped(town, changes)
            begun_anew = _begun_anew(changes)
            for path, writings in _writings(town, changes, paths_of).items():
                if path.rpartition("/")[0] not in removed:
                    # Where nobody decides, an entry comes back with all that it said.
                    comes_back = not any(writing.of for writing in writings) and path not in begun_anew
                    gone = set[Any]() if comes_back else dropped[path]
                    yield from _path(
                        town, record, path, writings, _at(body, path), kept_of.get(path, []), gone
                    )
            yield from _members(town, record, changes, body)
            yield from _entries(town, record, changes, removed)
            yield from _sentences(town, record, changes, body, kept_of, paths_of, waiting)


def _removed(changes: list[Stored], body: Mapping[str, Any]) -> dict[str, list[Stored]]:
    """The entries that are not there, each with the changes that removed it."""
    found = defaultdict[str, list[Stored]](list)
    for change in changes:
        for op in change.says.get("ops", []):
            if op["op"] == "drop" and op["entry"] not in (body.get(op["field"]) or {}):
                found[f"{op['field']}/{op['entry']}"].append(change)
    return found


def _dropped(town: Town, changes: list[Stored]) -> dict[str, set[Any]]:
    """Values of entries by path that somebody took away who may have seen them: nobody lost them unawares."""
    found = defaultdict[str, set[Any]](set)
    for at, change in enumerate(changes):
        for op in change.says.get("ops", []):
            if op["op"] != "drop":
                continue
            for before in changes[:at]:
                own = before.author == change.author
                if own or not town.witness.unseen(before.received_ms, change.id):
                    for path, value in _wanted(before.says):
                        if path.startswith(f"{op['field']}/{op['entry']}/"):
                            found[path].add(value)
    return found


def _begun_anew(changes: list[Stored]) -> set[str]:
    """What was written in an entry by somebody who had seen that it was taken away: it begins with that."""
    found = set[str]()
    for at, change in enumerate(changes):
        for op in change.says.get("ops", []):
            if op["op"] == "drop":
                entry = f"{op['field']}/{op['entry']}/"
                later = [one.says for one in changes[at:] if one.says.get("base", 0) >= change.n]
                found |= {path for says in later for path, _ in _wanted(says) if path.startswith(entry)}
    return found


def _entries(
    town: Town, record: str, changes: list[Stored], removed: Mapping[str, list[Stored]]
) -> Iterator[str]:
    """An entry is not gone by removals alone that had not seen what was written there."""
    for entry, removals in removed.items():
        field, _, id_ = entry.partition("/")
        puts = [
            change
            for change in changes
            for op in change.says.get("ops", [])
            if op["op"] == "put" and (op["field"], op["entry"]) == (field, id_)
        ]
        for put in _unseen_by_all(town, puts, removals):
            yield f"G7: {record} {entry} is gone, and nobody who removed it had seen {put.id}"


def _members(town: Town, record: str, changes: list[Stored], body: Mapping[str, Any]) -> Iterator[str]:
    """A member of a set is not gone by removals alone that had not seen its addition."""
    said = defaultdict[tuple[str, bool], list[Stored]](list)
    for change in changes:
        for path, value in _wanted(change.says):
            if path.startswith("tags/"):
                said[path, value].append(change)
    for path, added in [key for key in said if key[1]]:
        if not _at(body, path):
            for addition in _unseen_by_all(town, said[path, added], said[path, False]):
                yield f"G7: {record} {path} is gone, and nobody who removed it had seen {addition.id}"


def _unseen_by_all(town: Town, writings: list[Stored], removals: list[Stored]) -> Iterator[Stored]:
    """Writings that no removal's author can have seen. What the office took in again later tells no order."""
    if any(change.origin for change in (*writings, *removals)):
        return
    for writing in writings:
        others = [one for one in removals if one.author != writing.author]
        if len(others) == len(removals) and all(
            town.witness.unseen(writing.received_ms, one.id) or town.witness.not_on_screen(writing.n, one.id)
            for one in others
        ):
            yield writing


def _path(
    town: Town,
    record: str,
    path: str,
    writings: list[Writing],
    stands: Any,
    kept: list[Any],
    dropped: set[Any],
) -> Iterator[str]:
    found = town.witness.objection(path, writings, stands, kept, dropped)
    if found:
        told = "; ".join(_told(town, writing) for writing in writings)
        yield f"G7: {record} {path} {found}. Written there: {told}"


def _told(town: Town, writing: Writing) -> str:
    over = f"{writing.value!r} over {town.witness.saw.get(writing.value)!r}"
    return f"{over}, decided among {sorted(writing.of, key=str)}" if writing.of else over


def _sentences(
    town: Town,
    record: str,
    changes: list[Stored],
    body: Mapping[str, Any],
    kept: Mapping[str, list[Any]],
    paths_of: Mapping[str, str],
    waiting: Mapping[str, Stored],
) -> Iterator[str]:
    """A story keeps every sentence that nobody took out, and none that was, unless somebody decided."""
    if any(paths_of.get(change.says.get("decides") or "") == "story" for change in changes):
        return
    stories = {
        change.origin or change.id: change.says.get("fields", {}).get("story") or "" for change in changes
    }
    differing = [text for text in kept.get("story", []) if isinstance(text, str)]
    stands = body.get("story") or ""
    built_on = {id_ for change in changes for id_ in _built_on(change, waiting)}
    rewritten = _rewritten(changes) if town.restored else set[str]()
    for sentence in town.witness.lost_sentences(record, stories, [stands, *differing], built_on):
        if sentence in rewritten:
            continue
        yield f"G7: {record} story: {sentence!r} is gone; {stands!r} stands"
    if not differing and not town.restored and not any(change.origin for change in changes):
        for sentence in town.witness.returned_sentences(record, stories, stands):
            yield f"G7: {record} story: {sentence!r} was taken out; {stands!r} stands"


def _rewritten(changes: list[Stored]) -> set[str]:
    """Sentences that their own author left out later: they had seen what became of them, if only in a lost time."""
    found, last = set[str](), dict[str, set[str]]()
    for change in changes:
        if "story" in change.says.get("fields", {}):
            told = sentences_of(change.says["fields"]["story"] or "")
            found |= last.get(change.author, set()) - told
            last[change.author] = told
    return found


def _built_on(change: Stored, waiting: Mapping[str, Stored]) -> Iterator[str]:
    """The changes that were not taken in, but showed on its author's screen: what they took out, this one left out."""
    link: Stored | None = change
    while link is not None and "story" in link.says.get("fields", {}):
        link = waiting.get(link.says.get("on", {}).get("story", ""))
        if link is not None:
            yield link.id


def _values_in(sides: Any) -> list[Any]:
    """Every plain value anywhere in what a conflict keeps."""
    if isinstance(sides, Mapping):
        return [value for inner in sides.values() for value in _values_in(inner)]
    if isinstance(sides, list):
        return [value for inner in sides for value in _values_in(inner)]
    return [sides]


def _writings(town: Town, changes: list[Stored], paths_of: Mapping[str, str]) -> dict[str, list[Writing]]:
    found = defaultdict[str, list[Writing]](list)
    stood: dict[str, Any] = {}
    for change in changes:
        decides = change.says.get("decides")
        of = town.decided.get(decides, frozenset()) if decides else frozenset()
        wanted = dict(_wanted(change.says))
        if decides and paths_of.get(decides) not in {*wanted, None}:
            path = paths_of[decides]
            if is_single(path):
                found[path].append(Writing(path, stood.get(path), of, change.author))
        for path, value in wanted.items():
            if not is_single(path) or value is not None or of:
                found[path].append(Writing(path, value, of, change.author))
        stood |= {path: value for path, value in wanted.items() if change.says.get("do") == "create"}
        stood |= {path: after for path, _, after in change.effects}
    return found


def is_single(path: str) -> bool:
    """Whether a path has one value at a time, of which the model says whose it may be."""
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
