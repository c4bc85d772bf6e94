"""What the feed says of one change: in a word, and in full."""

from typing import Final

import msgspec

from server.records.veil import Veil
from server.records.views import EffectView, RecordView, WhoWhen, change_of, effects_of, record_view, who_when
from server.storage.changes import Stored
from server.sync.joined import is_carried
from sync_protocol.changes import Change
from sync_protocol.state import RecordState

CREATED: Final = "created"
EDITED: Final = "edited"
ACTED: Final = "acted"
MOVED: Final = "moved"
DELETED: Final = "deleted"
DECIDED: Final = "decided"
REPLAYED: Final = "replayed"
CONFLICT: Final = "conflict"
ERASED: Final = "erased"
JOINED: Final = "joined"
SPLIT: Final = "split"
BROUGHT: Final = "brought"


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One change, with the record that it made."""

    cursor: str
    """To be saved: the feed goes on after this event."""
    township: str
    n: int
    change: str
    action: str
    """created, edited, acted, moved, deleted, decided, replayed, conflict (it changed nothing: see the inbox),
    erased (the record's values are gone for good: whoever holds a copy lets go of it), joined (into the record
    `into`), split (from it again), brought (what came to a record that was joined into this one)."""
    transition: str | None
    """The step of the workflow, if it took one."""
    result: str
    """applied, merged, conflict."""
    who: WhoWhen
    origin: str | None
    """The quarantined change that this is, taken in again; or the change of a joined record that it brings."""
    decides: str | None
    """The conflict that it decided."""
    into: str | None
    """The record that this one was joined into; "" of a split."""
    note: str | None
    reason: str | None
    effects: list[EffectView]
    """From what to what, path by path; a create says it in `record`."""
    record: RecordView
    """The record as it stood when the event was read: at least as new as the event."""


class Feed(msgspec.Struct, frozen=True):
    """Some events in the order of their numbers, township by township, and where the feed goes on."""

    changes: list[Event]
    cursor: str


def event(
    township: str, row: Stored, state: RecordState, names: dict[str, str], veil: Veil, cursor: str
) -> Event:
    """A stored change as an event."""
    change = change_of(row)
    act = change.act if change is not None else None
    effects = effects_of(row, veil)
    return Event(
        cursor=cursor,
        township=township,
        n=row.n,
        change=row.change_id,
        action=_action(row, change, acted=act is not None, effective=bool(effects)),
        transition=act.name if act is not None else None,
        result=row.result,
        who=who_when(row, names),
        origin=row.origin,
        decides=change.decides if change is not None else None,
        into=change.into if change is not None else None,
        note=act.note if act is not None else None,
        reason=change.reason if change is not None else None,
        effects=effects,
        record=record_view(township, state, veil),
    )


def _action(row: Stored, change: Change | None, *, acted: bool, effective: bool) -> str:
    if row.erased:
        return ERASED
    if row.origin is not None:
        return BROUGHT if is_carried(row, change) else REPLAYED
    if change is None:
        return EDITED
    if change.into is not None:
        return JOINED if change.into else SPLIT
    if change.decides is not None:
        return DECIDED
    if change.do == "create":
        return CREATED
    if row.result == "conflict" and not effective:
        return CONFLICT
    if change.do == "delete":
        return DELETED
    moved = change.place is not None
    return ACTED if acted else MOVED if moved else EDITED
