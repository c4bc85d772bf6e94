"""A record as the user sees it: an immutable snapshot, which also knows what it showed."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal

import msgspec

from sync_protocol.kinds import Field, Kind
from sync_protocol.overlay import Sight, View
from sync_protocol.state import Values

Delivery = Literal["draft", "waiting", "received", "attention"]
DELIVERY_WORDS: Final[dict[str, tuple[str, str]]] = {
    "draft": ("草稿", "draft"),
    "waiting": ("待上传", "waiting"),
    "received": ("镇里已收到", "received"),
    "attention": ("需处理", "needs attention"),
}


@dataclass(frozen=True, slots=True)
class Record:
    """A snapshot of a record. Edits take the snapshot that the user saw, and give the new one.

    `fields` has every field of the kind, None where nothing was set: aware datetimes and dates as such,
    sets as sorted lists, entries as {entry id: {sub-field: value}}, points as {lat, lon, accuracy_m}.
    `version` is 0 before the first acknowledgement; `number` the registration number, `state` that of the
    workflow. `delivery`: draft (held back), waiting (not sent), received, attention (see `problems()`).
    """

    id: str
    kind: str
    grid: str
    fields: Mapping[str, Any]
    version: int
    delivery: Delivery
    number: str | None
    state: str | None
    _values: Values = field(repr=False, compare=False)
    _sight: Sight = field(repr=False, compare=False)

    def __hash__(self) -> int:
        return hash((self.id, self.version))

    @property
    def values(self) -> Values:
        """The values as they travel. Not to be changed."""
        return self._values

    @property
    def sight(self) -> Sight:
        """What somebody who edits this snapshot has seen."""
        return self._sight


def snapshot(view: View, kind: Kind, delivery: Delivery, number: str | None) -> Record:
    """The snapshot of a view."""
    fields: dict[str, Any] = {
        name: None for name, declared in kind.fields.items() if declared.merge != "workflow"
    }
    for name, value in view.values.items():
        fields[name] = _readable(kind.fields.get(name), value)
    return Record(
        id=view.id,
        kind=view.kind,
        grid=view.place,
        fields=MappingProxyType(fields),
        version=view.sight.version,
        delivery=delivery,
        number=view.number or number,
        state=view.state,
        _values=view.values,
        _sight=view.sight,
    )


def _readable(declared: Field | None, value: Any) -> Any:
    """A value as Python has it. What does not fit its field, or has none, stays as it came."""
    if declared is None or value is None:
        return value
    if declared.type == "entries" and isinstance(value, dict):
        subs = {sub.name: sub for sub in declared.of}
        return {
            entry: {name: _readable(subs.get(name), part) for name, part in values.items()}
            for entry, values in sorted(value.items())
        }
    if declared.type in _PYTHON:
        try:
            return msgspec.convert(value, _PYTHON[declared.type])
        except msgspec.ValidationError:
            return value
    return list(value) if isinstance(value, list) else value


_PYTHON: Final[dict[str, Any]] = {"date": dt.date, "datetime": dt.datetime}
