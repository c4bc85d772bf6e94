"""The follower that looks for pairs (server/following.py): a push pays nothing for it.

Each matter that changed is compared with the newest matters of its village. A pair that the office has decided is
never suggested again; one that is not alike any more is forgotten.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.duplicates.likeness import DAYS_MAX, Likeness, Point, Subject, likeness, subject
from server.following import Follower
from server.kinds.registry import Registry
from server.storage import duplicates
from server.storage.duplicates import OPEN, Pair, pair_of
from sync_protocol.state import RecordState

COMPARED_MAX: Final = 300
"""With how many matters of its village one is compared: the newest."""
PAIRS_MAX: Final = 5
"""How many pairs one matter is suggested in at the most: those that are most alike."""
_WINDOW_MS: Final = DAYS_MAX * 86_400_000
_VILLAGE_DIGITS: Final = 12
_encode: Final = msgspec.json.Encoder().encode
Known = tuple[RecordState, Subject]


async def make(connection: AsyncConnection, _: Registry, township: str, ids: Sequence[str]) -> None:
    """Suggests pairs of these records anew; the follower's lock is held."""
    if not ids:
        return
    touched = [
        (state, subject_of(state, at_ms))
        for state, at_ms in await duplicates.dated(connection, township, ids)
    ]
    known = await duplicates.of_records(connection, township, ids)
    decided = {pair.pair_id for pair in known if pair.status != OPEN}
    fresh: dict[str, Pair] = {}
    for village, of_village in sorted(_by_village(touched).items()):
        since_ms = min(mine.at_ms for _, mine in of_village) - _WINDOW_MS
        recent = await duplicates.recent(connection, township, village, since_ms, COMPARED_MAX)
        others = [(state, subject_of(state, at_ms)) for state, at_ms in recent]
        for one in of_village:
            fresh |= {pair.pair_id: pair for pair in _pairs(one, others) if pair.pair_id not in decided}
    gone = [pair for pair in known if pair.status == OPEN and pair.pair_id not in fresh]
    await duplicates.forget(connection, township, gone)
    await duplicates.write(connection, township, list(fresh.values()))


PAIRS: Final = Follower(duplicates.NAME, 1, (duplicates.KIND,), make)


def subject_of(state: RecordState, at_ms: int) -> Subject:
    """What is compared of a matter that was received then."""
    values = state.values
    category = values.get("category") or values.get("service_category")
    title, narrative = values.get("title") or "", values.get("narrative") or ""
    return subject(title, narrative, state.place, category, at_ms, _point(values.get("point")))


def _point(value: Any) -> Point | None:
    return Point(value["lat"], value["lon"]) if isinstance(value, dict) else None


def _by_village(touched: Iterable[Known]) -> dict[str, list[Known]]:
    found: dict[str, list[Known]] = {}
    for state, mine in touched:
        if len(state.place) >= _VILLAGE_DIGITS:
            found.setdefault(state.place[:_VILLAGE_DIGITS], []).append((state, mine))
    return found


def _pairs(one: Known, others: Iterable[Known]) -> list[Pair]:
    """The most alike of `others`, as suggestions; the later of both dates them."""
    state, mine = one
    found: list[tuple[Likeness, RecordState, int]] = []
    for other, theirs in others:
        alike = likeness(mine, theirs) if other.id != state.id else None
        if alike is not None:
            found.append((alike, other, max(mine.at_ms, theirs.at_ms)))
    found.sort(key=lambda each: (-each[0].score, each[1].id))
    return [
        pair_of(
            state.id, other.id, max(state.version, other.version), at_ms, alike.score, _encode(alike.reasons)
        )
        for alike, other, at_ms in found[:PAIRS_MAX]
    ]
