"""What may be about the affair that somebody is typing in: likely duplicates, and matters from before.

Duplicates are the judgement of server/duplicates: of the same village, in the last days, with reasons. What came
before is found by the titles of half a year, in the village or, while nobody has said where, in the township.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import msgspec

from server.duplicates import service as duplicates
from server.duplicates.likeness import Reason
from server.ledger.naming import state_title
from server.ledger.service import Line, catch_up, kind_of, lines_of
from server.reach import Caller
from server.services import Services
from server.storage.ledger_lists import Filter
from sync_protocol.kinds import Title

SHOWN_MAX: Final = 6
_LOOKED_AT: Final = 300
"""The newest matters of half a year that are compared."""
_LEAST: Final = 30
_DAYS: Final = 180
_DAY_MS: Final = 86_400_000


class Similar(msgspec.Struct, frozen=True):
    """A matter that may be about the same."""

    record: str
    number: str
    title: str
    state: Title
    score: int
    """In hundredths."""
    reasons: tuple[Reason, ...] = ()
    """Why it is likely the very same; none for one from before."""


async def similar(
    services: Services, caller: Caller, title: str, narrative: str, village: str | None, category: str | None
) -> list[Similar]:
    """Likely duplicates first, then matters from before, at most SHOWN_MAX of them within the caller's reach."""
    typed, kind = pairs(title), await kind_of(services)
    if not typed:
        return []
    await catch_up(services, caller)
    likely = await duplicates.similar(services, caller, title, narrative, village or "", category)
    found = {
        one.record: Similar(
            one.record, one.number, one.title, state_title(kind, one.state), one.score, one.reasons
        )
        for one in likely
    }
    since_ms = services.clock() - _DAYS * _DAY_MS
    wanted = Filter(village=village or None, reported_from_ms=since_ms)
    lines = await lines_of(services, caller, wanted, "newest", None, _LOOKED_AT)
    for score, line in sorted(_scored(typed, lines), key=lambda one: (-one[0], one[1].row.number)):
        row = line.row
        before = Similar(row.record_id, row.number, row.title, state_title(kind, row.state), score)
        found.setdefault(row.record_id, before)
    return list(found.values())[:SHOWN_MAX]


def pairs(words: str) -> frozenset[str]:
    """The pairs of neighbouring letters and digits: for Chinese, which has no spaces, as good as words."""
    plain = [char for char in words.lower() if char.isalnum()]
    return frozenset(f"{one}{next_}" for one, next_ in pairwise(plain))


def _scored(typed: frozenset[str], lines: Sequence[Line]) -> list[tuple[int, Line]]:
    """Those that are like enough, by the coefficient of Dice."""
    found = []
    for line in lines:
        other = pairs(line.row.title)
        score = 200 * len(typed & other) // (len(typed) + len(other))
        if score >= _LEAST:
            found.append((score, line))
    return found
