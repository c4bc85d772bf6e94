"""What the office notes beside a matter: who leads, team and plan; urgings; and a village's defaults."""

from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.reach import Reach
from server.storage import ledger
from server.storage.dialect import ID, among, many
from server.storage.tables import case_plans, urgings, village_defaults
from server.storage.within import of_record as within_record


class CasePlan(msgspec.Struct, frozen=True):
    """Which unit leads, who works on it, and how; empty where nobody said so."""

    lead: str = ""
    team: str = ""
    plan: str = ""


class Urging(msgspec.Struct, frozen=True):
    """Somebody was urged (催办) or supervised (督办); it stands until it is answered."""

    urging_id: str
    record_id: str
    sort: str
    words: str
    made_by: str
    made_ms: int
    answered_by: str | None = None
    answered_ms: int | None = None
    answer: str | None = None


_COLUMNS: Final = (
    "CAST(urging_id AS text) AS urging_id, CAST(record_id AS text) AS record_id, sort, words, "
    "CAST(made_by AS text) AS made_by, made_ms, CAST(answered_by AS text) AS answered_by, answered_ms, answer"
)
_OF_RECORD: Final = text(
    f"SELECT {_COLUMNS} FROM urgings WHERE township_id = :t AND record_id = :record ORDER BY made_ms, urging_id"
)


async def plan_of(connection: AsyncConnection, township: str, record: str) -> CasePlan:
    """How a matter is handled."""
    at = case_plans.c
    found = select(at.lead, at.team, at.plan).where(at.township_id == township, at.record_id == record)
    row = (await connection.execute(found)).one_or_none()
    return CasePlan(*row) if row is not None else CasePlan()


async def put_plan(
    connection: AsyncConnection, township: str, record: str, plan: CasePlan, by: str, now_ms: int
) -> None:
    """Writes how a matter is handled, in the place of what was said before; the caller holds the township's lock."""
    mine = (case_plans.c.township_id == township) & (case_plans.c.record_id == record)
    await connection.execute(delete(case_plans).where(mine))
    values = {"township_id": township, "record_id": record, "set_by": by, "set_ms": now_ms}
    await connection.execute(insert(case_plans).values(**values, **msgspec.structs.asdict(plan)))
    await ledger.note_given(connection, township, record)


async def urgings_of(connection: AsyncConnection, township: str, record: str) -> list[Urging]:
    """The urgings of a matter, the oldest first."""
    rows = await connection.execute(_OF_RECORD, {"t": township, "record": record})
    return [Urging(*row) for row in rows]


async def unanswered(connection: AsyncConnection, township: str, most: int, reach: Reach) -> list[Urging]:
    """Urgings within a reach that nobody has answered, the oldest first."""
    inside, parameters = within_record(reach, "urgings.record_id")
    statement = text(
        f"SELECT {_COLUMNS} FROM urgings WHERE township_id = :t AND answered_ms IS NULL AND {inside} "
        "ORDER BY made_ms, urging_id LIMIT :most"
    )
    rows = await connection.execute(statement, {**parameters, "t": township, "most": most})
    return [Urging(*row) for row in rows]


async def add_urging(connection: AsyncConnection, township: str, urging: Urging) -> None:
    """Writes a new urging."""
    await connection.execute(insert(urgings).values(township_id=township, **msgspec.structs.asdict(urging)))


async def answer_urging(
    connection: AsyncConnection, township: str, urging: str, by: str, answer: str, now_ms: int
) -> None:
    """Writes the answer to one that has none."""
    at = urgings.c
    mine = (at.township_id == township) & (at.urging_id == urging) & at.answered_ms.is_(None)
    answered = update(urgings).where(mine).values(answered_by=by, answered_ms=now_ms, answer=answer)
    await connection.execute(answered)


async def defaults(connection: AsyncConnection, township: str) -> dict[str, bytes]:
    """What each village's matters start with, encoded as the service has written it."""
    at = village_defaults.c
    rows = await connection.execute(select(at.village, at.body).where(at.township_id == township))
    return {row.village: bytes(row.body) for row in rows}


async def put_defaults(
    connection: AsyncConnection, township: str, village: str, body: bytes, by: str, now_ms: int
) -> None:
    """Writes a village's defaults, in the place of those before; the caller holds the township's lock."""
    mine = (village_defaults.c.township_id == township) & (village_defaults.c.village == village)
    await connection.execute(delete(village_defaults).where(mine))
    values = {"township_id": township, "village": village, "body": body, "set_by": by, "set_ms": now_ms}
    await connection.execute(insert(village_defaults).values(values))


async def blank(connection: AsyncConnection, township: str, records: Sequence[str]) -> None:
    """Takes out what was said of these records: part of erasing them."""
    parameters = {"t": township, "ids": many(connection, records)}
    mine = f"WHERE township_id = :t AND {among(connection, 'record_id', 'ids', ID)}"
    await connection.execute(text(f"DELETE FROM case_plans {mine}"), parameters)
    await connection.execute(text(f"UPDATE urgings SET words = '', answer = NULL {mine}"), parameters)
