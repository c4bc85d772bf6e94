"""200,000 matters of one township, written straight into the tables: by a push each it would take an hour.

Of every record only what the ledger's row needs is made up; values are drawn from a seed, unevenly, as in an office:
most matters are closed, a few are urgent, a few words are rare.
"""

import random
from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from server.storage.dialect import insert_rows
from server.storage.engine import transact
from server.storage.ledger import FIELDS, Row
from server.storage.tables import followers, ledger, records
from sync_protocol.ids import uuid7

TOWN: Final = "321283104"
VILLAGES: Final = 16
START_MS: Final = 1_700_000_000_000
NOW_MS: Final = START_MS + 1_000 * 86_400_000
BATCH: Final = 2_000
LEADERS: Final = tuple(f"01900000-0000-7000-8000-{n:012x}" for n in range(12))
UNITS: Final = ("司法所", "派出所", "人社所", "住建办", "农业农村局", "法律服务所")
_DAY_MS: Final = 86_400_000
_WHAT: Final = ("土地", "邻里", "房屋", "工资", "水渠", "道路", "物业", "医疗", "婚姻", "合同")
_HOW: Final = ("纠纷", "补偿", "积水", "噪音", "占用", "拖欠", "漏水", "丢失", "维修", "争议")
_WHERE: Final = ("村东", "村西", "桥头", "路口", "小学旁", "广场", "河边", "老街")
_STATES: Final = (
    "reported",
    "accepted",
    "assigned",
    "handling",
    "resolved",
    "answered",
    "closed",
    "archived",
)
_WEIGHTS: Final = (2, 2, 3, 5, 2, 2, 44, 40)
_RECORD: Final = (
    "record_id", "version", "placed", "kind", "place", "state", "number", "deleted", "closed", "body", "marks",
    "digest_high", "digest_low", "received_ms",
)  # fmt: skip


def rows(count: int, seed: int = 7) -> Iterator[Row]:
    """So many rows, the oldest first."""
    draw = random.Random(seed)
    for nth in range(1, count + 1):
        yield _row(draw, nth, START_MS + nth * (NOW_MS - START_MS) // (count + 1))


def _row(draw: random.Random, nth: int, reported_ms: int) -> Row:
    village = f"{TOWN}{200 + min(int(draw.expovariate(0.25)), VILLAGES - 1)}"
    state = draw.choices(_STATES, _WEIGHTS)[0]
    is_closed = state in {"closed", "archived"}
    rare = "古井" if nth % 20_011 == 0 else ""
    return Row(
        record_id=uuid7(reported_ms, draw.randbytes(10)),
        version=nth,
        number=f"{TOWN}-{2023 + nth // 80_000}-{nth % 80_000:05}",
        village=village if nth % 997 else None,
        place=f"{village}{draw.randint(1, 6):03}" if nth % 997 else TOWN,
        nature=draw.choices(("dispute", "service", "hazard", "early_sign"), (50, 40, 9, 1))[0],
        category=f"{draw.randint(1, 17):02}",
        service_category=draw.choice((None, None, "education", "traffic")),
        state=state,
        urgency=draw.choices((None, "same_day", "accelerated", "tracked"), (900, 1, 50, 49))[0],
        level=draw.choices((None, "village", "township", "county"), (10, 60, 29, 1))[0],
        source=draw.choices(("walk_in", "letter", "hotline", "grid"), (20, 5, 25, 50))[0],
        restricted=draw.random() < 0.005,
        title=f"{draw.choice(_WHERE)}{rare}{draw.choice(_WHAT)}{draw.choice(_HOW)}（第{nth}件）",
        leader=draw.choices((None, draw.choice(LEADERS)), (97, 3))[0],
        unit=draw.choices((None, draw.choice(UNITS)), (70, 30))[0],
        reported_ms=reported_ms,
        closed_ms=reported_ms + draw.randint(1, 40) * _DAY_MS if is_closed else None,
        due_ms=None if is_closed else reported_ms + draw.randint(1, 60) * _DAY_MS,
        longitude=None,
        latitude=None,
    )


async def fill(engine: AsyncEngine, count: int) -> None:
    """Writes the matters; the follower stands at the end of the changes, since none made them."""
    batch: list[Row] = []
    for row in rows(count):
        batch.append(row)
        if len(batch) == BATCH:
            await _write(engine, batch)
            batch = []
    await _write(engine, batch)

    async def stand(connection: AsyncConnection) -> None:
        await insert_rows(
            connection,
            followers,
            TOWN,
            ("name", "reached", "edition", "renewed"),
            [("ledger", 2**60, 1, None)],
        )

    await transact(engine, stand)


async def tidy(engine: AsyncEngine) -> None:
    """What the databases do by themselves after a while: PostgreSQL's automatic vacuum."""
    if engine.dialect.name == "postgresql":
        async with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            await connection.execute(text("VACUUM ANALYZE ledger"))


async def _write(engine: AsyncEngine, batch: list[Row]) -> None:
    made = [
        (r.record_id, r.version, r.version, "matter", r.place, r.state, r.number, False, r.closed_ms is not None,
         b"{}", b'{"w":[]}', 0, 0, r.reported_ms)
        for r in batch
    ]  # fmt: skip
    values: list[tuple[Any, ...]] = [tuple(getattr(row, name) for name in FIELDS) for row in batch]

    async def work(connection: AsyncConnection) -> None:
        await insert_rows(connection, records, TOWN, _RECORD, made)
        await insert_rows(connection, ledger, TOWN, FIELDS, values)

    await transact(engine, work)
