"""What a device saves: the editing half of FieldClient. All of it works offline, and is durable on return.

Every edit takes the snapshot that the user saw; by bare id it needs `base=`, a snapshot or its version (0 or
above), or raises TypeError. Raises InvalidRecord, with field and reason, for what the kind does not allow, and
for a version below 0: nothing was saved then.
"""

from collections.abc import Callable
from typing import Any

from client_sdk import editing
from client_sdk.record import Record
from client_sdk.saving import Make, Saving, Seen
from sync_protocol.kinds import Kind
from sync_protocol.overlay import Parts


class Edits:
    """The edits of a device."""

    def __init__(self, saving: Saving, new_id: Callable[[], str]) -> None:
        """`new_id` makes the ids of entries."""
        self._saving = saving
        self._new_id = new_id

    def create(self, kind: str, /, *, grid: str | None = None, draft: bool = False, **fields: Any) -> Record:
        """A new record; returns when it is durable. `draft` holds it back until `submit`."""
        return self._saving.create(kind, grid, fields, draft=draft)

    def submit(self, record: Seen) -> Record:
        """Sends a draft on its way."""
        return self._saving.submit(record.id if isinstance(record, Record) else record)

    def update(self, record: Seen, /, *, base: Record | int | None = None, **fields: Any) -> Record:
        """Changes fields; None clears one. Only what differs from the snapshot travels."""
        return self._edit(
            record, base, lambda kind, seen, _: editing.update(kind, seen, fields, self._new_id)
        )

    def append(
        self, record: Seen, field: str, /, *, base: Record | int | None = None, **values: Any
    ) -> Record:
        """Adds an entry to a list."""
        entry = self._new_id()
        return self._edit(
            record, base, lambda kind, seen, _: editing.append(kind, seen, field, values, entry)
        )

    def edit_entry(
        self, record: Seen, field: str, entry: str, /, *, base: Record | int | None = None, **values: Any
    ) -> Record:
        """Changes sub-fields of an entry; None clears one."""
        return self._edit(
            record, base, lambda kind, seen, _: editing.edit_entry(kind, seen, field, entry, values)
        )

    def remove_entry(
        self, record: Seen, field: str, entry: str, *, base: Record | int | None = None
    ) -> Record:
        """Removes an entry."""
        return self._edit(record, base, lambda kind, seen, _: editing.remove_entry(kind, seen, field, entry))

    def add(self, record: Seen, field: str, *members: str, base: Record | int | None = None) -> Record:
        """Adds members to a set."""
        return self._edit(record, base, lambda kind, seen, _: editing.add(kind, seen, field, members))

    def discard(self, record: Seen, field: str, *members: str, base: Record | int | None = None) -> Record:
        """Removes members from a set."""
        return self._edit(record, base, lambda kind, seen, _: editing.discard(kind, seen, field, members))

    def increment(self, record: Seen, field: str, n: float, *, base: Record | int | None = None) -> Record:
        """Adds `n` to a sum."""
        return self._edit(record, base, lambda kind, _, __: editing.increment(kind, field, n))

    def act(
        self,
        record: Seen,
        action: str,
        /,
        *,
        note: str | None = None,
        reason: str | None = None,
        base: Record | int | None = None,
        **fields: Any,
    ) -> Record:
        """Takes a step of the workflow, with the fields that change in the same save."""

        def make(kind: Kind, seen: Record, role: str) -> Parts:
            values = editing.update(kind, seen, fields, self._new_id) if fields else None
            return editing.act(kind, seen, role, action, note, reason, values)

        return self._edit(record, base, make, reason)

    def delete(self, record: Seen, *, base: Record | int | None = None) -> None:
        """Deletes a record that has no number yet; tears up a draft."""
        self._saving.delete(record, base)

    def _edit(self, record: Seen, base: Record | int | None, make: Make, reason: str | None = None) -> Record:
        return self._saving.edit(record, base, make, reason)
