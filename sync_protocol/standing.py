"""What stands on a path of a record, and who wrote it: how a conflict, which names a path, finds its value."""

from typing import Any

from sync_protocol.history import DELETED, EXISTENCE, KEPT, PLACE, STATE
from sync_protocol.state import CREATE, RecordState, Writer


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
    if not below:
        return max((marks.writers[at] for at in _positions(state, name)), key=_number)
    if below[0] in marks.removed.get(name, {}):
        return marks.writers[marks.removed[name][below[0]].writer]
    known = marks.entries.get(name, {}).get(below[0])
    if known is not None and len(below) > 1:
        return marks.writers[known.get(below[1], CREATE)]
    members = marks.members.get(name, {}).get(below[0], [])
    ats = [*members, *(known.values() if known is not None else ())] or [CREATE]
    return max((marks.writers[at] for at in ats), key=_number)


def _positions(state: RecordState, name: str) -> set[int]:
    marks = state.marks
    found = {marks.fields.get(name, CREATE), marks.sets.get(name, CREATE)}
    for subs in marks.entries.get(name, {}).values():
        found.update(subs.values())
    found.update(gone.writer for gone in marks.removed.get(name, {}).values())
    return found


def _number(writer: Writer) -> int:
    return writer.n
