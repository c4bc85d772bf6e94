"""Which pairs are suggested: each matter that changed is compared with the newest matters of its village.

Made by following the township's changes (server/following.py), so a push pays nothing for it. A pair that the office
has decided is never suggested again.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.duplicates.likeness import DAYS_MAX, Likeness, Point, Subject, likeness
from server.following import Follower
from server.kinds.registry import Registry
from server.storage import duplicates
from server.storage.duplicates import OPEN, Pair, pair_of
from sync_protocol.state import RecordState

VILLAGE_DIGITS: Final = 12
COMPARED_MAX: Final = 300
"""With how many matters of its village one is compared: the newest."""
PAIRS_MAX: Final = 5
"""How many pairs one matter is suggested in at the most: those that are most alike."""
_WINDOW_MS: Final = DAYS_MAX * 86_400_000
_encode: Final = msgspec.json.Encoder().encode
Dated = tuple[RecordState, int]


async def make(connection: AsyncConnection, registry: Registry, township: str, ids: Sequence[str]) -> None:
    """Suggests pairs of these records anew, and forgets those that are not alike any more."""
    del registry
    touched = await duplicates.dated(connection, township, ids)
    known = await duplicates.of_records(connection, township, ids)
    decided = {pair.pair_id for pair in known if pair.status != OPEN}
    fresh: dict[str, Pair] = {}
    for village in sorted({state.place[:VILLAGE_DIGITS] for state, _ in touched}):
        of_village = [one for one in touched if one[0].place.startswith(village)]
        since_ms = min(at_ms for _, at_ms in of_village) - _WINDOW_MS
        # What lies in no village yet is compared with nothing.
        placed = len(village) == VILLAGE_DIGITS
        others = (
            await duplicates.recent(connection, township, village, since_ms, COMPARED_MAX) if placed else []
        )
        for one in of_village:
            fresh |= {pair.pair_id: pair for pair in _pairs(one, others) if pair.pair_id not in decided}
    gone = [pair for pair in known if pair.status == OPEN and pair.pair_id not in fresh]
    await duplicates.forget(connection, township, gone)
    await duplicates.write(connection, township, list(fresh.values()))


PAIRS: Final = Follower("duplicates", 1, ("matter",), make)


def _pairs(one: Dated, others: Iterable[Dated]) -> list[Pair]:
    """The most alike of `others`, as suggestions."""
    state, at_ms = one
    subject = subject_of(state, at_ms)
    found: list[tuple[Likeness, str]] = []
    for other, other_ms in others:
        alike = likeness(subject, subject_of(other, other_ms)) if other.id != state.id else None
        if alike is not None:
            found.append((alike, other.id))
    found.sort(key=lambda each: (-each[0].score, each[1]))
    return [
        pair_of(state.id, other, state.version, at_ms, alike.score, _encode(alike.reasons))
        for alike, other in found[:PAIRS_MAX]
    ]


def subject_of(state: RecordState, at_ms: int) -> Subject:
    """What is compared of a matter."""
    values = state.values
    return Subject(
        title=values.get("title") or "",
        narrative=values.get("narrative") or "",
        place=state.place,
        category=values.get("category") or values.get("service_category"),
        at_ms=at_ms,
        point=_point(values.get("point")),
    )


def _point(value: Any) -> Point | None:
    return Point(value["lat"], value["lon"]) if isinstance(value, dict) else None
