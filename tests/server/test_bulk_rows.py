"""Rows written in bulk come back as they were given, however their columns travel."""

from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage.dialect import insert_rows
from server.storage.tables import receipts
from tests.sync.town import a_town, id_of

COLUMNS = ("device_id", "n", "body")
ONE, TWO = id_of(1), id_of(2)
ROWS: dict[str, list[tuple[Any, ...]]] = {
    "one row": [(ONE, 7, b"a")],
    "one value agrees, one counts up": [(ONE, 7, b"a"), (ONE, 8, b"b"), (ONE, 9, b"c")],
    "every column agrees or counts up": [(ONE, 7, b"a"), (ONE, 8, b"a"), (ONE, 9, b"a")],
    "counts with a hole": [(ONE, 7, b"a"), (ONE, 9, b"b"), (ONE, 10, b"c")],
    "ends as if it had counted": [(ONE, 7, b"a"), (TWO, 7, b"b"), (ONE, 9, b"c")],
    "counts down": [(ONE, 9, b"a"), (ONE, 8, b"b"), (ONE, 7, b"c")],
    "begins and ends alike": [(ONE, 7, b"a"), (TWO, 7, b"b"), (ONE, 8, b"a")],
}


@pytest.mark.parametrize("rows", ROWS.values(), ids=ROWS.keys())
async def test_rows_come_back_as_given(database_url: str, rows: list[tuple[Any, ...]]) -> None:
    async with a_town(database_url) as town:

        async def write(connection: AsyncConnection) -> None:
            await insert_rows(connection, receipts, town.code, COLUMNS, rows)

        async def read(connection: AsyncConnection) -> list[tuple[Any, ...]]:
            found = select(receipts.c.device_id, receipts.c.n, receipts.c.body).where(
                receipts.c.township_id == town.code
            )
            return [(str(one), n, bytes(body)) for one, n, body in await connection.execute(found)]

        await town.write(write)
        assert sorted(await town.read(read)) == sorted(rows)
