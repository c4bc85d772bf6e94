"""Figures over a time, for the office, its county, and programs that may read nothing else.

They tell of the matters that were received in the time: how many, and what has become of them by now. Every
statement names one township; a county's figures are those of its townships, added up.
"""

from collections import Counter
from datetime import UTC, date, datetime, timedelta, timezone
from functools import partial
from typing import Final

import msgspec

from server.declined import invalid
from server.figures.cells import LEAST, Cell, table
from server.reach import Caller
from server.rights import INSIDE
from server.services import Services
from server.storage import directory, figures
from server.storage.engine import snapshot
from server.storage.figures import Counted

MEASURES: Final = ("found", "open", "closed", "answered")
DIMENSIONS: Final = figures.DIMENSIONS
SMALL: Final = INSIDE["figures.small"]
"""Whoever may do this sees small cells and any days; others whole months that are over."""
_SHANGHAI: Final = timezone(timedelta(hours=8))
_PLACES: Final = frozenset({"village", "township"})
_EARLIEST: Final = date(2000, 1, 1)


class Asked(msgspec.Struct, frozen=True):
    """What is to be counted, as it was asked for."""

    measure: str
    by: str | None = None
    since: date | None = None
    until: date | None = None


class Figures(msgspec.Struct, frozen=True):
    """How many matters, in all and by cell. Days are those of Asia/Shanghai."""

    measure: str
    by: str | None
    since: date
    until: date
    """The first day that does not count any more."""
    matters: int | None
    """None: too few to be shown here."""
    cells: tuple[Cell, ...]
    """In the order of their codes; those without a matter are left out."""
    least: int
    """Smaller counts than this are not shown to this reader; 0 shows all."""


async def count(services: Services, caller: Caller, asked: Asked) -> Figures:
    """Counts; declines what is no measure, no dimension, or no time that this reader may ask for."""
    whole = SMALL in caller.scopes
    if asked.measure not in MEASURES:
        raise invalid("measure", f"one of {', '.join(MEASURES)}")
    if asked.by is not None and asked.by not in DIMENSIONS:
        raise invalid("by", f"one of {', '.join(DIMENSIONS)}")
    today = datetime.fromtimestamp(services.clock() / 1_000, UTC).astimezone(_SHANGHAI).date()
    since, until = period(asked, today, whole=whole)
    wanted = Counted(asked.measure, asked.by, _ms(since), _ms(until))
    counts: Counter[str | None] = Counter()
    for township in caller.townships:
        work = partial(figures.counted, township=township, wanted=wanted, reach=caller.reach)
        counts.update(await snapshot(services.engine, work))
    shown = table(
        {} if asked.by is None else counts, await _names(services, asked.by, list(counts)), whole=whole
    )
    total = counts.total()
    matters = shown.matters if asked.by is not None else total if whole or not 0 < total < LEAST else None
    least = 0 if whole else LEAST
    return Figures(asked.measure, asked.by, since, until, matters, shown.cells, least)


def period(asked: Asked, today: date, *, whole: bool) -> tuple[date, date]:
    """The days that count, from `since` up to but without `until`: this year unless something else was asked for.

    Whoever sees no small cells asks for whole months that are over: two times that differ by a day would tell
    what happened on it.
    """
    latest = today + timedelta(days=1) if whole else today.replace(day=1)
    until = asked.until or latest
    if not _EARLIEST < until <= date(today.year + 1, 12, 31):
        raise invalid("until", f"a day after {_EARLIEST}, next year's last at the latest")
    since = asked.since or (until - timedelta(days=1)).replace(month=1, day=1)
    if not _EARLIEST <= since <= until:
        raise invalid("since", f"a day from {_EARLIEST} on that is not after until")
    if not whole and (since.day != 1 or until.day != 1 or until > latest):
        raise invalid("until", f"whole months: the first of a month each, {latest} the latest")
    return since, until


async def _names(services: Services, by: str | None, codes: list[str | None]) -> dict[str, str]:
    places = [code for code in codes if code is not None] if by in _PLACES else []
    found = await snapshot(services.engine, lambda c: directory.places(c, places)) if places else {}
    return {code: place.name for code, place in found.items()}


def _ms(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=_SHANGHAI).timestamp() * 1_000)
