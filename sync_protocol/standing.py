"""What stands on a path of a record, and who wrote it: how a conflict, which names a path, finds its value."""

from typing import Any

from sync_protocol.history import DELETED, EXISTENCE, KEPT, PLACE, STATE
from sync_protocol.state import CREATE, Marks, RecordState, Writer


def value_at(state: RecordState, path: str) -> Any:
    """The value on `path`: "kept" or "deleted" for the record itself, None where nothing stands."""
    if path == EXISTENCE:
        return DELETED if state.deleted else KEPT
    if path == STATE:
        return state.state
    if path == PLACE:
        return state.place
    name, *below = path.split("/")
    value = state.values.get(name)
    if isinstance(value, list) and below:
        return True if below[0] in value else None
    for key in below:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def writer_at(state: RecordState, path: str) -> Writer:
    """Who wrote what stands on `path`; for a set or a list of entries, whoever wrote into it last."""
    marks = state.marks
    name, *below = path.split("/")
    positions = _inside(marks, name, below) if below else _of_field(marks, name)
    return max((marks.writers[at] for at in positions), key=_number)


def _inside(marks: Marks, name: str, below: list[str]) -> set[int]:
    """Positions of the writers of a member, an entry or a sub-field."""
    gone = marks.removed.get(name, {}).get(below[0])
    if gone is not None:
        return {gone.writer}
    known = marks.entries.get(name, {}).get(below[0], {})
    if len(below) > 1:
        return {known.get(below[1], CREATE)}
    return {*marks.members.get(name, {}).get(below[0], ()), *known.values()} or {CREATE}


def _of_field(marks: Marks, name: str) -> set[int]:
    """Positions of everybody who wrote into a field."""
    found = {marks.fields.get(name, CREATE), marks.sets.get(name, CREATE)}
    for subs in marks.entries.get(name, {}).values():
        found.update(subs.values())
    found.update(gone.writer for gone in marks.removed.get(name, {}).values())
    return found


def _number(writer: Writer) -> int:
    return writer.n
