"""What an exchange costs, counted instead of timed: statements, rows and bytes.

A statement more for each change, or for each record of the township, shows here on any machine.
"""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage import tables
from server.storage.engine import snapshot
from sync_protocol.changes import Act
from sync_protocol.codec import encode
from tests.statements import asked
from tests.sync.device import Device, enrolled
from tests.sync.town import Town, a_town

REPORT = Act("report", "fresh", "reported")
FRAME = ("BEGIN", "COMMIT", "ROLLBACK")
NEW, EDITS, DIFFERING, NOTHING = 16, 14, 19, 9
"""The most statements of an exchange, push and page: of new reports, of edits, of edits that conflict, of neither."""
PROFILE = 4
"""Once for a device, until its profile is another."""
FRAME_BYTES, OWN_BYTES, RECORD_BYTES = 4_200, 360, 240
"""The most that an answer says, before compression: with a profile and nothing else; of a report, with its verdict and
the number of its matter; of somebody else's with a few words."""


@pytest.fixture
async def town(database_url: str) -> AsyncIterator[Town]:
    async with a_town(database_url) as opened:
        yield opened


async def spent(device: Device) -> tuple[int, int]:
    """Statements of one exchange, and bytes of its answer in JSON."""
    with asked(device.town.server.engine) as statements:
        answer = await device.sync()
    return len([one for one, _ in statements if not one.startswith(FRAME)]), len(encode(answer))


async def rows(town: Town) -> dict[str, int]:
    """How many rows each table of a push has."""

    async def read(connection: AsyncConnection) -> dict[str, int]:
        named = (tables.records, tables.changes, tables.conflicts, tables.receipts, tables.exits)
        return {
            table.name: int((await connection.execute(select(func.count()).select_from(table))).scalar_one())
            for table in named
        }

    return await snapshot(town.server.engine, read)


@pytest.mark.parametrize("count", [1, 20, 200])
async def test_new_records_cost_as_many_statements_however_many_they_are(town: Town, count: int) -> None:
    one, other = await enrolled(town, 1), await enrolled(town, 2)
    await one.sync()
    for at in range(count):
        one.create(subject=f"路灯不亮 {at}", act=REPORT)
    statements, size = await spent(one)
    assert statements <= NEW
    assert size <= FRAME_BYTES + count * OWN_BYTES
    assert await rows(town) == {"records": count, "changes": count, "conflicts": 0, "receipts": 0, "exits": 0}
    statements, size = await spent(other)
    assert statements <= NOTHING + PROFILE
    assert len(other.held) == count
    assert size <= FRAME_BYTES + count * RECORD_BYTES


@pytest.mark.parametrize("count", [1, 20, 100])
async def test_edits_and_conflicts_cost_as_many_statements_however_many_they_are(
    town: Town, count: int
) -> None:
    one, other = await enrolled(town, 1), await enrolled(town, 2)
    for at in range(count):
        one.create(subject=f"路灯不亮 {at}")
    for device in (one, other):
        await device.sync()
    town.server.now += 1_000
    for device in (one, other):
        for record in list(device.held):
            device.edit(record, fields={"subject": f"of {device.number}"})
    statements, _ = await spent(one)
    assert statements <= EDITS
    statements, _ = await spent(other)
    assert statements <= DIFFERING
    told = {"records": count, "changes": 3 * count, "conflicts": count, "receipts": count, "exits": 0}
    assert await rows(town) == told


async def test_an_exchange_costs_the_same_in_a_township_with_many_records(town: Town) -> None:
    one, other = await enrolled(town, 1), await enrolled(town, 2)
    one.create(subject="路灯不亮")
    await one.sync()
    costs = []
    for _ in range(2):
        await other.sync_all()
        one.create(subject="路灯不亮", act=REPORT)
        await one.sync()
        costs.append(await spent(other))
        for _ in range(300):
            one.create(subject="路灯不亮", act=REPORT)
        await one.sync_all()
    (before, small), (after, large) = costs
    assert after <= before <= NOTHING
    assert large <= small + 20, "a number of three digits for one of one"
