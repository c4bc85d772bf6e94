"""A device as a dictionary: the rules for pages from messages.py, written once more, sharing no code with one."""

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

import msgspec

from sync_protocol.messages import Page, PageRecord


@dataclass
class Held:
    """A record as pages left it."""

    n: int
    kind: str
    place: str
    values: dict[str, Any]
    state: str | None
    number: str | None
    stale: bool = False


@dataclass
class Model:
    """What a device holds, and its cursor."""

    cursor: str | None = None
    held: dict[str, Held] = field(default_factory=dict)

    def apply(self, page: Page) -> None:
        for one in self.held.values():
            one.stale = one.stale or one.place in page.restart
        self._keep(lambda one: one.place not in page.drop)
        for left in page.exits:
            if left.id in self.held and self.held[left.id].n <= left.n:
                del self.held[left.id]
        for row in page.records:
            self._record(row)
        self._keep(lambda one: not (one.stale and one.place in page.fresh))
        self.cursor = page.cursor

    def _keep(self, wanted: Any) -> None:
        self.held = {record: one for record, one in self.held.items() if wanted(one)}

    def _record(self, row: PageRecord) -> None:
        one = self.held.get(row.id)
        if one is not None and row.n <= one.n and not one.stale:
            return
        said = msgspec.json.decode(row.fields)
        if row.whole:
            self.held[row.id] = Held(row.n, row.kind, row.place, said, row.state, row.number)
            return
        assert one is not None, "a part of a record that was never sent whole"
        for name, value in said.items():
            put(one.values, name, value)
        for name, entries in row.entries.items():
            kept = one.values.setdefault(name, {})
            for entry, subs in entries.items():
                put(kept, entry, subs)
            put(one.values, name, kept or None)
        one.n, one.place, one.state, one.number = row.n, row.place or one.place, row.state, row.number

    def digest(self, grid: str) -> tuple[int, str]:
        """Count and sum of a grid, as docs/protocol.md says."""
        parts = []
        for record, one in self.held.items():
            if one.place == grid:
                form = [record, one.kind, one.place, one.state, one.number, one.values]
                text = json.dumps(form, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
                parts.append(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big"))
        return len(parts), f"{sum(parts) % 2**64:016x}"


def put(values: dict[str, Any], name: str, value: Any) -> None:
    if value is None:
        values.pop(name, None)
    else:
        values[name] = value
