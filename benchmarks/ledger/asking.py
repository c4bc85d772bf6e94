"""The filters that are measured, and how long the service takes for each."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from benchmarks.ledger.matters import LEADERS, TOWN
from benchmarks.ledger.servers import CLERK, Prepared
from server.ledger import service
from server.ledger.asking import question_of
from server.storage.engine import snapshot

FILTERS: Final[Mapping[str, Mapping[str, str]]] = {
    "none": {},
    "oldest first": {"sort": "oldest"},
    "by number": {"sort": "number"},
    "by date due": {"sort": "due"},
    "village": {"village": f"{TOWN}203"},
    "grid": {"grid": f"{TOWN}203002"},
    "nature, rare": {"nature": "early_sign"},
    "nature, common": {"nature": "dispute"},
    "category": {"category": "08"},
    "state": {"state": "handling"},
    "state, common": {"state": "archived"},
    "open": {"state": "open"},
    "urgency, rare": {"urgency": "same_day"},
    "level, rare": {"level": "county"},
    "source": {"source": "letter"},
    "overdue": {"due": "overdue"},
    "due soon": {"due": "soon"},
    "leader": {"charge": f"leader:{LEADERS[3]}"},
    "unit": {"charge": "unit:司法所"},
    "a month": {"since": "2024-06-01", "until": "2024-06-30"},
    "number": {"number": f"{TOWN}-2024-0001"},
    "words, common": {"words": "纠纷"},
    "words, rare": {"words": "古井"},
    "words, none": {"words": "龙舟"},
    "village, open, overdue": {"village": f"{TOWN}205", "state": "open", "due": "overdue"},
    "village and words": {"village": f"{TOWN}200", "words": "古井 漏水"},
    "open, rare, by number": {"state": "open", "urgency": "same_day", "sort": "number"},
    "a year, rare level": {"since": "2024-01-01", "until": "2024-12-31", "level": "county"},
    "without a place": {"place": "none"},
}
PAGE: Final = 50


class Taken(msgspec.Struct, frozen=True):
    """What calls took, in milliseconds."""

    calls: list[float]
    """Each, from the question to the page, as somebody waits for it."""
    processor: float
    """The mean of the processor's time, ours and the database's, which other work on the machine lengthens little."""


async def times(server: Prepared, given: Mapping[str, str], calls: int) -> Taken:
    """So many calls: by turns the first page with its count, and the next one further on."""
    question = question_of(given)
    onward: str | None = None
    taken = []
    before = time.process_time() + await backend_s(server)
    for nth in range(calls):
        after = onward if nth % 2 else None
        began = time.perf_counter()
        found = await service.listed(server.services, CLERK, question, after, PAGE)
        taken.append((time.perf_counter() - began) * 1_000)
        onward = found.next if nth % 2 or onward is None else onward
    used = time.process_time() + await backend_s(server) - before
    return Taken(taken, used * 1_000 / calls)


async def backend_s(server: Prepared) -> float:
    """Seconds of processor that PostgreSQL's processes of this database have used; SQLite works in ours."""
    engine = server.services.engine
    if engine.dialect.name == "sqlite":
        return 0.0

    async def read(connection: AsyncConnection) -> list[int]:
        rows = await connection.execute(
            text("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
        )
        return [row.pid for row in rows]

    return _used_s(await snapshot(engine, read))


def _used_s(processes: list[int]) -> float:
    ticks = 0
    for process in processes:
        fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def percentile(taken: list[float]) -> float:
    """The ninety-fifth."""
    return sorted(taken)[int(len(taken) * 0.95)]
