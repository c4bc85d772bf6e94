"""The pass that looks for pairs: it follows a township's changes by number, so a push pays nothing for it.

In bounded transactions, under a lock of its own; several processes may run it at once. Each matter that changed is
compared with the newest matters of its village. A pair that the office has decided is never suggested again.
"""

from collections.abc import Iterable
from typing import Any, Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.duplicates.likeness import DAYS_MAX, Likeness, Point, Subject, likeness
from server.services import Services
from server.storage import deadline_history, duplicates
from server.storage.duplicates import OPEN, Pair, pair_of
from server.storage.engine import snapshot
from sync_protocol.state import RecordState

CHANGES_AT_ONCE: Final = 200
COMPARED_MAX: Final = 300
"""With how many matters of its village one is compared: the newest."""
PAIRS_MAX: Final = 5
"""How many pairs one matter is suggested in at the most: those that are most alike."""
_WINDOW_MS: Final = DAYS_MAX * 86_400_000
_encode: Final = msgspec.json.Encoder().encode
Dated = tuple[RecordState, int]


async def keep(services: Services, township: str, rounds: int | None = None) -> bool:
    """Looks at what changed, in at most `rounds` transactions (None: all of it). Whether anything is left."""

    async def look(connection: AsyncConnection) -> bool:
        return await duplicates.ahead(connection, township)

    async def work(connection: AsyncConnection) -> bool:
        return await _advance(connection, township, services.clock())

    more = await snapshot(services.engine, look)
    while more and rounds != 0:
        more = await services.write(township, work)
        rounds = None if rounds is None else rounds - 1
    return more


async def _advance(connection: AsyncConnection, township: str, now_ms: int) -> bool:
    """One transaction of the pass; whether there is more."""
    reached = await duplicates.lock(connection, township)
    changed = await deadline_history.changed(connection, township, reached, CHANGES_AT_ONCE)
    if not changed:
        return False
    newest = {record: n for n, record in changed if record is not None}
    await _compare(connection, township, newest, now_ms)
    await duplicates.move(connection, township, changed[-1][0])
    return len(changed) == CHANGES_AT_ONCE


async def _compare(connection: AsyncConnection, township: str, newest: dict[str, int], now_ms: int) -> None:
    """Suggests pairs of the records that changed anew, and forgets those that are not alike any more."""
    touched = await duplicates.dated(connection, township, sorted(newest))
    known = await duplicates.of_records(connection, township, sorted(newest))
    decided = {pair.pair_id for pair in known if pair.status != OPEN}
    fresh: dict[str, Pair] = {}
    for village in sorted(
        {state.place[:12] for state, _ in touched if len(state.place) >= len("321283104203")}
    ):
        of_village = [one for one in touched if one[0].place.startswith(village)]
        since_ms = min(at_ms for _, at_ms in of_village) - _WINDOW_MS
        others = await duplicates.recent(connection, township, village, since_ms, COMPARED_MAX)
        for one in of_village:
            for pair in _pairs(one, others, newest[one[0].id], now_ms):
                if pair.pair_id not in decided:
                    fresh[pair.pair_id] = pair
    gone = [pair for pair in known if pair.status == OPEN and pair.pair_id not in fresh]
    await duplicates.forget(connection, township, gone)
    await duplicates.write(connection, township, list(fresh.values()))


def _pairs(one: Dated, others: Iterable[Dated], n: int, now_ms: int) -> list[Pair]:
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
        pair_of(state.id, other, n, now_ms, alike.score, _encode(alike.reasons))
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
