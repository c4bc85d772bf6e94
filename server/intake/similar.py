"""Matters that may be about the same affair as what somebody is typing: by the words of their titles.

One function, so that a better judge of likeness may take its place.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import msgspec

from server.ledger.naming import state_title
from server.ledger.service import Line, catch_up, kind_of, lines_of
from server.reach import Caller
from server.services import Services
from server.storage.ledger_lists import Filter
from sync_protocol.kinds import Title

SHOWN_MAX: Final = 5
_LOOKED_AT: Final = 300
"""The newest matters of the village that are compared; without a village, of the township."""
_LEAST: Final = 0.3
_DAYS: Final = 180
_DAY_MS: Final = 86_400_000


class Similar(msgspec.Struct, frozen=True):
    """A matter that may be about the same."""

    record: str
    number: str
    title: str
    state: Title
    reported_ms: int
    score: float
    """From 0 to 1: how much of both titles is the same, in pairs of characters."""


async def similar(
    services: Services, caller: Caller, title: str, narrative: str, village: str | None, category: str | None
) -> list[Similar]:
    """The likeliest matters of the last half year within the caller's reach, at most SHOWN_MAX of them."""
    del narrative, category
    typed = pairs(title)
    if not typed:
        return []
    kind = await kind_of(services)
    await catch_up(services, caller)
    since_ms = services.clock() - _DAYS * _DAY_MS
    wanted = Filter(village=village or None, reported_from_ms=since_ms)
    lines = await lines_of(services, caller, wanted, "newest", None, _LOOKED_AT)
    scored = sorted(_scored(typed, lines), key=lambda one: (-one[0], one[1].row.number))[:SHOWN_MAX]
    return [
        Similar(
            line.row.record_id,
            line.row.number,
            line.row.title,
            state_title(kind, line.row.state),
            line.row.reported_ms,
            score,
        )
        for score, line in scored
    ]


def pairs(words: str) -> frozenset[str]:
    """The pairs of neighbouring letters and digits: for Chinese, which has no spaces, as good as words."""
    plain = [char for char in words.lower() if char.isalnum()]
    return frozenset(f"{one}{next_}" for one, next_ in pairwise(plain))


def _scored(typed: frozenset[str], lines: Sequence[Line]) -> list[tuple[float, Line]]:
    """Those that are like enough, by the coefficient of Dice."""
    found = []
    for line in lines:
        other = pairs(line.row.title)
        score = 2 * len(typed & other) / (len(typed) + len(other)) if other else 0.0
        if score >= _LEAST:
            found.append((round(score, 3), line))
    return found
