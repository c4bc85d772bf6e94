"""What an application can do, each operation once, as a flow (see office_exchange.py)."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, Final

from msgspec import UNSET, UnsetType

from client_sdk.office_answers import (
    Actions,
    Conflict,
    ConflictPage,
    FeedPage,
    Figures,
    HistoryEntry,
    HistoryPage,
    OfficeAction,
    OfficeChange,
    OfficeRecord,
    Quarantined,
    QuarantinePage,
    RecordPage,
    Replayed,
    Side,
)
from client_sdk.office_exchange import TIMEOUT_S, Call, Flow, Item, Random, Stream, ask, encoded
from client_sdk.office_requests import (
    json_headers,
    names,
    plain,
    query_of,
    quoted,
    record_path,
    seen,
    seen_or_any,
    take_place,
    wire,
)
from sync_protocol.ids import RANDOM_BYTES, uuid7

PAGE: Final = 500
WAIT_S_MAX: Final = 30.0
"""How long one request waits; a longer wait is several."""
_KEY_BYTES: Final = 16


class Operations:
    """The operations of one application. `clock` gives milliseconds, for the ids of entries."""

    def __init__(self, random: Random, clock: Callable[[], int]) -> None:
        """Both are parameters, so that a simulation is reproducible."""
        self._random = random
        self._clock = clock

    def create(self, /, kind: str, *, key: str, **fields: Any) -> Flow[OfficeRecord]:
        """Hands a record in, and gives it back as it stands; the same key gives the same record.

        One of `grid`, `village` or `township` says where it lies. Entries may be given as lists. Raises
        InvalidRecord, Refused (`key_reused` when the key was used for something else), Forbidden.
        """
        place = take_place(fields)
        if place is None:
            message = "a new record needs grid=, village= or township="
            raise TypeError(message)
        body = {"kind": kind, "key": key, "place": place, "fields": wire(fields)}
        call = Call("POST", "/v1/records", json_headers(), encoded(body))
        return (yield from ask(call, OfficeRecord, self._random))

    def get(self, record: str, *, fields: Sequence[str] | None = None) -> Flow[OfficeRecord]:
        """One record, a deleted one too; `fields` leaves out all other values. Raises NotFound."""
        query = query_of({"fields": names(fields)})
        return (yield from ask(Call("GET", f"{record_path(record)}{query}"), OfficeRecord, self._random))

    def records(
        self,
        /,
        kind: str | None = None,
        *,
        fields: Sequence[str] | None = None,
        page: int = PAGE,
        **filters: Any,
    ) -> Stream[OfficeRecord]:
        """Every record that fits, in the order of their ids, read page by page.

        Filters: grid, village, township, state, number, closed, deleted (tombstones too), since (a version).
        """
        wanted = {"kind": kind, "fields": names(fields), "limit": page, **filters}
        after: str | None = None
        while True:
            call = Call("GET", f"/v1/records{query_of({**wanted, 'after': after})}")
            found = yield from ask(call, RecordPage, self._random)
            for record in found.records:
                yield Item(record)
            after = found.next
            if after is None:
                return

    def update(
        self, /, record: OfficeRecord | str, *, base: OfficeRecord | int | None = None, **fields: Any
    ) -> Flow[OfficeRecord]:
        """Changes fields (None clears one); `grid=` or `village=` moves the record.

        What others changed meanwhile merges; a field of these that somebody changed since the snapshot
        raises VersionConflict. A bare id needs `base=`, the version that was shown.
        """
        place = take_place(fields)
        body = {"fields": wire(fields), **({"place": place} if place is not None else {})}
        return (yield from self._edit(record, seen(record, base), body))

    def append(self, /, record: OfficeRecord | str, field: str, **values: Any) -> Flow[OfficeRecord]:
        """Adds an entry to a list; its id is made here, so that a repeated request adds it once."""
        entry = uuid7(self._clock(), self._random(RANDOM_BYTES))
        body = {"entries": {field: {"append": [{"id": entry, **plain(values)}]}}}
        return (yield from self._edit(record, seen_or_any(record), body))

    def edit_entry(
        self, /, record: OfficeRecord, field: str, entry: str, **values: Any
    ) -> Flow[OfficeRecord]:
        """Changes sub-fields of an entry. Raises VersionConflict as `update` does."""
        body = {"entries": {field: {"edit": {entry: plain(values)}}}}
        return (yield from self._edit(record, seen(record, None), body))

    def remove_entry(self, record: OfficeRecord, field: str, entry: str) -> Flow[OfficeRecord]:
        """Removes an entry. Raises VersionConflict when somebody changed it since the snapshot."""
        body = {"entries": {field: {"remove": [entry]}}}
        return (yield from self._edit(record, seen(record, None), body))

    def act(
        self,
        record: OfficeRecord | str,
        action: str,
        /,
        *,
        note: str | None = None,
        reason: str | None = None,
        **fields: Any,
    ) -> Flow[OfficeRecord]:
        """A step of the workflow, with fields that belong to it.

        Raises Forbidden when it is not open to applications or does not start from the record's state,
        VersionConflict when the state has changed since the snapshot.
        """
        body = {"action": action, "note": note, "reason": reason, "fields": wire(fields)}
        headers = {**json_headers(), **self._key(), **seen_or_any(record)}
        call = Call("POST", f"{record_path(record)}/actions", headers, encoded(body))
        return (yield from ask(call, OfficeRecord, self._random))

    def actions(self, record: OfficeRecord | str) -> Flow[list[OfficeAction]]:
        """The steps that are open now."""
        found = yield from ask(Call("GET", f"{record_path(record)}/actions"), Actions, self._random)
        return found.actions

    def history(self, record: OfficeRecord | str) -> Flow[list[HistoryEntry]]:
        """Everything that happened to a record, oldest first."""
        entries: list[HistoryEntry] = []
        after: str | None = None
        while True:
            call = Call("GET", f"{record_path(record)}/history{query_of({'after': after, 'limit': PAGE})}")
            page = yield from ask(call, HistoryPage, self._random)
            entries += page.changes
            after = page.next
            if after is None:
                return entries

    def conflicts(self, status: str = "open", *, record: str | None = None) -> Flow[list[Conflict]]:
        """What differs: "open" waits for a decision, "by_rule" was chosen by a rule, "decided" is past."""
        found: list[Conflict] = []
        after: str | None = None
        while True:
            query = {"status": status, "record": record, "after": after, "limit": PAGE}
            page = yield from ask(Call("GET", f"/v1/conflicts{query_of(query)}"), ConflictPage, self._random)
            found += page.conflicts
            after = page.next
            if after is None:
                return found

    def conflict(self, conflict: str) -> Flow[Conflict]:
        """One conflict, with the rest of its record."""
        return (yield from ask(Call("GET", f"/v1/conflicts/{quoted(conflict)}"), Conflict, self._random))

    def resolve(
        self,
        conflict: Conflict | str,
        *,
        value: Any = UNSET,
        pick: Side | str | UnsetType = UNSET,
        reason: str | None = None,
    ) -> Flow[Conflict]:
        """Decides for a value, or picks one of those that differ.

        Raises Refused (`already_decided`) when somebody was faster, VersionConflict when another value
        stands, or has joined, since the conflict was read.
        """
        body: dict[str, Any] = {"reason": reason}
        if value is not UNSET:
            body["value"] = plain({"value": value})["value"]
        if not isinstance(pick, UnsetType):
            body["pick"] = pick.change if isinstance(pick, Side) else pick
        shown = {"if-match": f'"{conflict.version}"'} if isinstance(conflict, Conflict) else {}
        name = conflict.id if isinstance(conflict, Conflict) else conflict
        headers = {**json_headers(), **self._key(), **shown}
        call = Call("POST", f"/v1/conflicts/{quoted(name)}/resolve", headers, encoded(body))
        return (yield from ask(call, Conflict, self._random))

    def quarantine(self) -> Flow[list[Quarantined]]:
        """The changes that wait because they could not be applied, oldest first."""
        found: list[Quarantined] = []
        after: str | None = None
        while True:
            call = Call("GET", f"/v1/quarantine{query_of({'after': after, 'limit': PAGE})}")
            page = yield from ask(call, QuarantinePage, self._random)
            found += page.changes
            after = page.next
            if after is None:
                return found

    def replay(
        self,
        change: Quarantined | str,
        *,
        fields: Mapping[str, Any] | None = None,
        place: str | None = None,
        discard: bool = False,
        reason: str | None = None,
    ) -> Flow[Replayed]:
        """Takes a change in again, with corrections (None leaves a field out), or discards it with a reason.

        Raises InvalidRecord when it cannot be applied even so, Refused (`already_decided`) when somebody
        was faster.
        """
        name = change.id if isinstance(change, Quarantined) else change
        body = {"fields": wire(fields or {}), "place": place, "discard": discard, "reason": reason}
        call = Call(
            "POST", f"/v1/quarantine/{quoted(name)}/replay", {**json_headers(), **self._key()}, encoded(body)
        )
        return (yield from ask(call, Replayed, self._random))

    def figures(
        self,
        measure: str,
        /,
        *,
        by: str | None = None,
        since: date | str | None = None,
        until: date | str | None = None,
    ) -> Flow[Figures]:
        """How many matters were found in a time, or are open, closed, answered of those; this year's by itself.

        `by` is village, township, state, month, or a choice such as category. An application asks for whole months,
        `until` being the first day that does not count, and sees no small counts. Raises InvalidRecord.
        """
        query = query_of({"measure": measure, "by": by, "since": since, "until": until})
        return (yield from ask(Call("GET", f"/v1/figures{query}"), Figures, self._random))

    def position(self) -> Flow[str]:
        """A cursor at the newest change: take it, read `records()`, then follow `changes(since=it)`."""
        page = yield from ask(Call("GET", "/v1/changes?since=now"), FeedPage, self._random)
        return page.cursor

    def changes(
        self, since: str | None = None, *, wait_s: float = 0, own: bool = False, limit: int = 100
    ) -> Stream[OfficeChange]:
        """What happened since a cursor (None: from the beginning), own changes left out unless asked for.

        Ends when nothing new came for `wait_s` seconds; 0 reads what is there. Raises CursorExpired, whose
        text says how to read again.
        """
        cursor, left_s = since, wait_s
        while True:
            waiting = min(max(left_s, 0.0), WAIT_S_MAX)
            query = query_of({"since": cursor, "wait_s": waiting, "own": own or None, "limit": limit})
            call = Call("GET", f"/v1/changes{query}", timeout_s=TIMEOUT_S + waiting)
            page = yield from ask(call, FeedPage, self._random)
            for change in page.changes:
                yield Item(change)
            cursor = page.cursor
            left_s = wait_s if page.changes else left_s - waiting
            if not page.changes and left_s <= 0:
                return

    def _edit(
        self, record: OfficeRecord | str, shown: dict[str, str], body: dict[str, Any]
    ) -> Flow[OfficeRecord]:
        call = Call("PATCH", record_path(record), {**json_headers(), **self._key(), **shown}, encoded(body))
        return (yield from ask(call, OfficeRecord, self._random))

    def _key(self) -> dict[str, str]:
        return {"idempotency-key": self._random(_KEY_BYTES).hex()}
