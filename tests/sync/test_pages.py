"""Pages: nothing is skipped between two of them, and what a device has is not sent to it again (G4)."""

from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage import records as stored
from server.storage.engine import snapshot, transact
from sync_protocol.messages import Page, PageRecord
from tests.server.office_server import GRID, NEXT_GRID, TOWN, OfficeServer
from tests.sync.phone import Phone, office, scope

TINY = 1_024
LONG = "很长的一段话" * 60


def fields_of(row: PageRecord) -> dict[str, Any]:
    decoded: dict[str, Any] = msgspec.json.decode(row.fields)
    return decoded


async def several(one: Phone, count: int) -> list[str]:
    made = [one.matter(fields={"narrative": LONG}) for _ in range(count)]
    await one.send(*made)
    return [change.record for change in made]


async def page_of(one: Phone, **more: Any) -> Page:
    answer = await one.send(**more)
    assert answer.page is not None
    return answer.page


async def test_row_29_a_field_written_twice_between_two_pages_is_not_skipped(
    server: OfficeServer, wang: Phone, li: Phone
) -> None:
    """A record's title is written early and the record again late: its first page lies behind others' numbers.

    And one that a page has brought already changes in another field while the reading is under way.
    """
    early, *others = await several(li, 4)
    await wang.read()
    await office(server, early, fields={"title": "新题目"})
    for record in others:
        await office(server, record, fields={"title": "新题目", "narrative": f"{LONG}。"})
    await office(server, early, fields={"source": "hotline"})
    first = await page_of(wang, page_bytes=TINY)
    assert not first.complete
    passed = first.records[0].id
    await office(server, passed, fields={"place_description": "村东"})
    held: dict[str, dict[str, Any]] = {record: {} for record in (early, *others)}
    for page in [first, *await wang.read(page_bytes=TINY)]:
        for row in page.records:
            held[row.id].update(fields_of(row))
    assert {one["title"] for one in held.values()} == {"新题目"}
    assert {held[record]["narrative"] for record in others} == {f"{LONG}。"}
    assert held[early]["source"] == "hotline"
    assert held[passed]["place_description"] == "村东"


async def test_only_what_is_newer_than_the_last_complete_answer_comes(
    server: OfficeServer, wang: Phone, li: Phone
) -> None:
    (record,) = await several(li, 1)
    (whole,) = (await page_of(wang)).records
    assert whole.whole
    await office(server, record, fields={"title": "新题目"})
    (row,) = (await page_of(wang)).records
    assert (row.whole, row.place, fields_of(row)) == (False, "", {"title": "新题目"})
    assert (await page_of(wang)).records == []


async def test_own_changes_are_named_and_not_sent_back(wang: Phone, li: Phone) -> None:
    made = wang.matter(fields={"narrative": LONG})
    answer = await wang.send(made)
    assert answer.page is not None
    (row,) = answer.page.records
    assert (row.own, row.fields, answer.page.complete) == ((made.id,), msgspec.Raw(b"{}"), True)
    (theirs,) = (await page_of(li)).records
    assert (theirs.own, theirs.whole) == ((), True)


async def test_a_first_download_in_tiny_pages_is_whole(server: OfficeServer, wang: Phone, li: Phone) -> None:
    records = await several(li, 9)
    await office(server, records[0], fields={"title": "先改"})
    pages = await wang.read(page_bytes=TINY)
    assert len(pages) > 3
    assert pages[0].restart == (GRID,)
    assert pages[-1].fresh == (GRID,)
    assert [page.left for page in pages] == sorted((page.left for page in pages), reverse=True)
    rows = {row.id: row for page in pages for row in page.records}
    assert rows.keys() == set(records)
    assert all(row.whole for row in rows.values())
    assert pages[-1].digests[GRID].count == 9


async def test_of_many_grids_no_more_is_read_than_a_page_takes(server: OfficeServer, li: Phone) -> None:
    """Else a first download of a whole township reads all of it for each page (docs/performance.md)."""
    made = await several(li, 6)
    for record in made[::2]:
        await office(server, record, place=NEXT_GRID)
    versions = {record: (await server.state(record)).version for record in made}

    async def read(connection: AsyncConnection) -> list[str]:
        above = min(versions.values())
        return [one.id for one in await stored.page(connection, TOWN, (GRID, NEXT_GRID), above, 3)]

    assert await snapshot(server.services.engine, read) == sorted(made, key=versions.__getitem__)[1:4]


async def test_a_newly_granted_grid_is_read_beside_the_others(wang: Phone, li: Phone) -> None:
    await scope(li, GRID, NEXT_GRID)
    await wang.read()
    there = [li.matter(place=NEXT_GRID, fields={"narrative": LONG}) for _ in range(4)]
    await li.send(*there)
    await scope(wang, GRID, NEXT_GRID)
    first = await page_of(wang, page_bytes=TINY)
    here = li.matter()
    await li.send(here)
    pages = [first, *await wang.read(page_bytes=TINY)]
    assert {row.id for page in pages for row in page.records} == {here.record, *(c.record for c in there)}
    assert {grid for page in pages for grid in page.fresh} == {NEXT_GRID}
    assert pages[-1].digests.keys() == {GRID, NEXT_GRID}


async def test_a_page_whose_answer_was_lost_comes_again(wang: Phone, li: Phone) -> None:
    records = await several(li, 5)
    cursor = wang.cursor
    lost = await page_of(wang, page_bytes=TINY)
    again = await page_of(wang, page_bytes=TINY, cursor=cursor)
    assert [row.id for row in again.records] == [row.id for row in lost.records]
    rest = await wang.read(page_bytes=TINY)
    assert {row.id for page in (again, *rest) for row in page.records} == set(records)


async def test_a_receipt_never_runs_ahead_of_the_record_it_speaks_of(
    server: OfficeServer, wang: Phone, li: Phone
) -> None:
    await several(li, 6)
    made = wang.matter(fields={"title": "甲"})
    await wang.send(made, cursor=None, page_bytes=TINY)
    base = (await server.state(made.record)).version
    mine = wang.edit(made.record, base, fields={"title": "乙"})
    await wang.send(mine, page_bytes=TINY)
    server.now_ms += 60_000
    (verdict,) = (await li.send(li.edit(made.record, base, fields={"title": "丙"}))).verdicts
    assert verdict.result == "conflict"
    seen: set[str] = set()
    told: list[tuple[str, bool]] = []
    wang.cursor = None
    for page in await wang.read(page_bytes=TINY):
        seen |= {row.id for row in page.records}
        told += [(receipt.outcome, receipt.record in seen) for receipt in page.receipts]
    assert told == [("not_kept", True)]


async def test_what_another_wrote_comes_beside_the_own_change(
    server: OfficeServer, wang: Phone, li: Phone
) -> None:
    """Both write one record in different fields; the page must not take the record for the device's own work."""
    (record,) = await several(wang, 1)
    base = (await server.state(record)).version
    await li.read()
    await li.send(li.edit(record, base, fields={"title": "别人的题目"}))
    mine = wang.edit(record, base, fields={"place_description": "村东"})
    answer = await wang.send(mine)
    assert [v.result for v in answer.verdicts] == ["applied"]
    assert answer.page is not None
    (row,) = answer.page.records
    assert fields_of(row)["title"] == "别人的题目"


async def test_whoever_is_below_the_horizon_begins_anew(server: OfficeServer, wang: Phone, li: Phone) -> None:
    """Failures, row 13: the exits that this device would have to read are forgotten, so its grids come again."""
    gone, stays = await several(li, 2)
    await wang.read()
    await office(server, gone, place=NEXT_GRID)

    async def forget(connection: AsyncConnection) -> None:
        await connection.execute(text("DELETE FROM exits WHERE township_id = :t"), {"t": TOWN})
        horizon = "UPDATE townships SET horizon = counter WHERE township_id = :t"
        await connection.execute(text(horizon), {"t": TOWN})

    await transact(server.services.engine, forget)
    (page,) = await wang.read()
    assert (page.restart, page.fresh, page.exits) == ((GRID,), (GRID,), [])
    assert [(row.id, row.whole) for row in page.records] == [(stays, True)]
