"""Cadences as they are kept, and daily reports as they came."""

from typing import Final

import msgspec
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage import records
from server.storage.dialect import ID, among, insert_rows, many
from server.storage.tables import screenings
from sync_protocol.state import RecordState


class ScreeningRow(msgspec.Struct, frozen=True):
    """How often a place is screened, as somebody set it."""

    place: str
    cadence: str
    cut_off_hour: int
    duty_phone: str | None
    set_by: str
    set_ms: int


class Came(msgspec.Struct, frozen=True):
    """A daily report, with when it was made (as the server reckons the device's clock) and received."""

    state: RecordState
    made_ms: int
    received_ms: int


_FIELDS: Final = ScreeningRow.__struct_fields__
_FOUND: Final = (
    "WHERE township_id = :t AND kind = 'round_report' AND received_ms >= :since AND received_ms < :until "
    "AND NOT deleted ORDER BY received_ms LIMIT :most"
)


async def screenings_of(connection: AsyncConnection, township: str) -> list[ScreeningRow]:
    """What was set in a township, in the order of places."""
    found = select(*(screenings.c[name] for name in _FIELDS)).where(screenings.c.township_id == township)
    return [ScreeningRow(*row) for row in await connection.execute(found.order_by(screenings.c.place))]


async def put_screening(connection: AsyncConnection, township: str, row: ScreeningRow) -> None:
    """Writes what was set for a place; the caller holds the township's lock."""
    replaced = tuple(name for name in _FIELDS if name != "place")
    await insert_rows(
        connection, screenings, township, _FIELDS, [msgspec.structs.astuple(row)], replace=replaced
    )


_DUTY: Final = text("UPDATE townships SET duty_phone = :phone WHERE township_id = :t")


async def put_duty_phone(connection: AsyncConnection, township: str, phone: str | None) -> None:
    """Writes the telephone that every device of the township shows; the caller holds the township's lock."""
    await connection.execute(_DUTY, {"t": township, "phone": phone})


async def reports(
    connection: AsyncConnection, township: str, since_ms: int, until_ms: int, most: int
) -> list[Came]:
    """At most so many daily reports that were received from `since_ms` up to but without `until_ms`."""
    bound = {"t": township, "since": since_ms, "until": until_ms, "most": most}
    states = await records.selected(connection, _FOUND, bound)
    if not states:
        return []
    statement = (
        "SELECT CAST(record_id AS text) AS record, stamp_ms, received_ms FROM changes WHERE township_id = :t "
        f"AND {among(connection, 'record_id', 'ids', ID)} AND result NOT IN ('quarantined', 'discarded') ORDER BY n"
    )
    ids = many(connection, [state.id for state in states])
    first: dict[str, tuple[int, int]] = {}
    for row in await connection.execute(text(statement), {"t": township, "ids": ids}):
        first.setdefault(row.record, (row.stamp_ms, row.received_ms))
    return [Came(state, *first[state.id]) for state in states if state.id in first]
