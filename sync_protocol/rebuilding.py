"""A record made anew from its history: its create, and what each later change did to it, oldest first."""

from collections.abc import Iterable
from typing import Any

import msgspec

from sync_protocol.changes import Change, fields_of
from sync_protocol.history import DELETED, EXISTENCE, INTO, NUMBER, PLACE, STATE, Effect
from sync_protocol.kinds import Kind


class Rebuilt(msgspec.Struct):
    """What the history says that the record is."""

    values: dict[str, Any]
    place: str
    state: str | None
    number: str | None = None
    into: str | None = None
    deleted: bool = False


def rebuild(create: Change, effects: Iterable[Effect], kind: Kind) -> Rebuilt:
    """The record that these effects leave of its create. Raises LookupError or TypeError for what cannot be done."""
    initial = kind.workflow.initial if kind.workflow is not None else None
    state = create.act.to if create.act is not None else initial
    record = Rebuilt(fields_of(create), create.place or "", state)
    for effect in effects:
        _apply(record, effect, kind)
    record.values = {name: value for name, value in record.values.items() if value not in (None, [], {})}
    return record


def _apply(record: Rebuilt, effect: Effect, kind: Kind) -> None:
    if effect.path == EXISTENCE:
        record.deleted = effect.after == DELETED
    elif effect.path in {STATE, PLACE, NUMBER, INTO}:
        setattr(record, effect.path, effect.after)
    else:
        _set(record.values, effect.path.split("/"), effect.after, kind)


def _set(values: dict[str, Any], path: list[str], after: Any, kind: Kind) -> None:
    *above, name = path
    if above and kind.fields[above[0]].merge == "union":
        members = set(values.get(above[0]) or []) - {name} | ({name} if after else set())
        values[above[0]] = sorted(members)
        return
    inside = values
    for key in above:
        inside = inside.setdefault(key, {})
    inside.pop(name, None)
    if after is not None:
        inside[name] = dict(after) if isinstance(after, dict) else after
