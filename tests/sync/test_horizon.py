"""The horizon moves: old exits are forgotten, and nobody who needed one goes on as if nothing had been (G4, G5)."""

from functools import partial

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.refused import RefusedError
from server.storage import townships
from server.storage.engine import snapshot
from server.storage.tables import exits, receipts
from server.sync.horizon import Trimmed, trim
from tests.server.office_server import GRID, NEXT_GRID, OTHER_TOWN, TOWN, OfficeServer
from tests.sync.phone import Phone, office

TINY = 1_024
LONG = "很长的一段话" * 60


async def trimmed(server: OfficeServer, before_ms: int, *, dry_run: bool = False) -> Trimmed:
    return await trim(server.services.engine, TOWN, before_ms, now_ms=server.now_ms, dry_run=dry_run)


async def kept(server: OfficeServer) -> tuple[int, int, int]:
    """How many exits and receipts there are, and where the horizon stands."""

    async def work(connection: AsyncConnection) -> tuple[int, int, int]:
        found = await townships.read(connection, TOWN)
        assert found is not None
        counts = [
            await connection.scalar(select(func.count()).select_from(table)) for table in (exits, receipts)
        ]
        return int(counts[0] or 0), int(counts[1] or 0), found.horizon

    return await snapshot(server.services.engine, work)


async def made(one: Phone, count: int) -> list[str]:
    changes = [one.matter(fields={"narrative": LONG}) for _ in range(count)]
    await one.send(*changes)
    return [change.record for change in changes]


async def test_old_exits_go_and_the_horizon_stands_where_they_ended(server: OfficeServer, li: Phone) -> None:
    first, second, _ = await made(li, 3)
    old = await office(server, first, place=NEXT_GRID)
    cut = server.now_ms + 500
    await office(server, second, place=NEXT_GRID)
    counted = await trimmed(server, cut, dry_run=True)
    assert counted == Trimmed(TOWN, 1, old.n, moved=True)
    assert (await kept(server))[::2] == (2, 0)
    assert await trimmed(server, cut) == counted
    assert (await kept(server))[::2] == (1, old.n)
    assert await trimmed(server, cut) == Trimmed(TOWN, 0, old.n, moved=False)


async def test_the_horizon_never_moves_back(server: OfficeServer, li: Phone) -> None:
    (record,) = await made(li, 1)
    moved = await office(server, record, place=NEXT_GRID)
    await trimmed(server, server.now_ms + 1)
    for before in (0, -1, server.now_ms - 100):
        assert await trimmed(server, before) == Trimmed(TOWN, 0, moved.n, moved=False)
    assert (await kept(server))[2] == moved.n


async def test_receipts_stay(server: OfficeServer, wang: Phone, li: Phone) -> None:
    (record,) = await made(wang, 1)
    base = (await server.state(record)).version
    await wang.send(wang.edit(record, base, fields={"title": "乙"}))
    server.now_ms += 60_000
    await li.send(li.edit(record, base, fields={"title": "丙"}))
    _, before, _ = await kept(server)
    assert before > 0
    server.now_ms += 1_000
    await trimmed(server, server.now_ms)
    assert (await kept(server))[1] == before
    told = [receipt.change for page in await wang.read() for receipt in page.receipts]
    assert len(told) == before


async def test_a_township_without_a_change_has_nothing_to_forget(server: OfficeServer) -> None:
    done = await trim(server.services.engine, OTHER_TOWN, server.now_ms, now_ms=server.now_ms)
    assert done == Trimmed(OTHER_TOWN, 0, 0, moved=False)
    with pytest.raises(RefusedError, match="not open here"):
        await trim(server.services.engine, "321283999", server.now_ms, now_ms=0)
    with pytest.raises(RefusedError, match="9 digits"):
        await trim(server.services.engine, "x", server.now_ms, now_ms=0)


async def test_whoever_had_read_that_far_goes_on_where_it_was(
    server: OfficeServer, wang: Phone, li: Phone
) -> None:
    """At the number of the newest exit that is gone, exactly, nothing was missed."""
    (record, _) = await made(li, 2)
    await office(server, record, place=NEXT_GRID)
    await wang.read()
    await trimmed(server, server.now_ms + 1)
    (page,) = await wang.read()
    assert (page.restart, page.records, page.complete) == ((), [], True)


async def test_a_first_download_that_began_before_begins_again(
    server: OfficeServer, wang: Phone, li: Phone
) -> None:
    """Its first page brought a record whose exit is forgotten before its second."""
    records = await made(li, 6)
    first = await wang.send(page_bytes=TINY)
    assert first.page is not None
    assert not first.page.complete
    gone = first.page.records[0].id
    await office(server, gone, place=NEXT_GRID)
    await trimmed(server, server.now_ms + 1)
    pages = await wang.read(page_bytes=TINY)
    assert (pages[0].restart, pages[-1].fresh) == ((GRID,), (GRID,))
    assert {row.id for page in pages for row in page.records} == set(records) - {gone}
    assert pages[-1].digests[GRID].count == len(records) - 1


async def test_a_download_that_began_afterwards_is_not_disturbed(
    server: OfficeServer, wang: Phone, li: Phone
) -> None:
    """It stands below the horizon, but whatever left before it began was never sent to it."""
    records = await made(li, 6)
    await office(server, records[-1], place=NEXT_GRID)
    before = server.now_ms + 1
    first = await wang.send(page_bytes=TINY)
    assert first.page is not None
    assert not first.page.complete
    await trimmed(server, before)
    rest = await wang.read(page_bytes=TINY)
    assert {page.restart for page in rest} == {()}
    got = [row.id for page in (first.page, *rest) for row in page.records]
    assert sorted(got) == sorted(records[:-1])


async def test_a_trim_waits_for_a_push_and_a_push_for_a_trim(server: OfficeServer, li: Phone) -> None:
    """Nothing that a running push writes is forgotten unseen: whatever is gone lies at or below the horizon."""
    import asyncio

    records = await made(li, 8)
    work = [office(server, record, place=NEXT_GRID) for record in records]
    far = server.now_ms + 10_000_000
    await asyncio.gather(*work, *(trimmed(server, far) for _ in range(4)))
    left, _, horizon = await kept(server)

    async def numbers(connection: AsyncConnection) -> list[int]:
        return list((await connection.scalars(select(exits.c.n))).all())

    found = await snapshot(server.services.engine, partial(numbers))
    assert all(n > horizon for n in found)
    assert len(found) == left
