"""The ledger is what the records are, whatever happens to them; each sees in it what they may see, and no more."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from functools import partial
from typing import Any

import msgspec
import pytest

from server.audit.acts import OPERATOR
from server.deadlines.keeping import keep
from server.declined import Declined
from server.following import follow
from server.joins import service as joins
from server.ledger import making
from server.ledger.making import LEDGER
from server.privacy import matters
from server.reach import Caller, Reach
from server.reckoning.spans import ZONE
from server.records import assigning
from server.records.assigning import Leaders, Units
from server.records.editing import EntriesEdit
from server.records.writing import Target
from server.services import Services
from server.storage import casework, following, ledger, staff
from server.storage.casework import CasePlan
from server.storage.engine import transact
from server.storage.following import Standing
from server.storage.staff import StaffRow
from tests.ledger.desk import CLERK, Desk, desk_of
from tests.server.office_server import GRID, NEXT_GRID, TOWN, VILLAGE

LEADER = "01900000-0000-7000-8000-00000000aaaa"


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[Desk]:
    async with desk_of(database_url) as made:
        yield made


async def test_what_was_just_saved_is_seen_and_what_is_gone_is_not(desk: Desk) -> None:
    record = await desk.report("水渠纠纷", urgency="same_day", point={"lat": 32.1, "lon": 120.0})
    (line,) = (await desk.page()).lines
    row, reported_ms = line.row, desk.server.now_ms
    assert (row.record_id, row.title, row.state, row.urgency) == (record, "水渠纠纷", "reported", "same_day")
    assert (row.village, row.place, row.latitude, row.longitude) == (VILLAGE, GRID, 32.1, 120.0)
    assert (row.reported_ms, row.closed_ms, row.due_ms) == (reported_ms, None, None)
    await desk.edit(record, fields={"title": "水渠漏水", "urgency": None})
    await desk.act(record, "settle", "close")
    closed_ms = desk.server.now_ms
    await desk.act(record, "archive")
    (line,) = (await desk.page()).lines
    assert (line.row.title, line.row.urgency, line.row.state) == ("水渠漏水", None, "archived")
    assert (line.row.reported_ms, line.row.closed_ms) == (reported_ms, closed_ms)
    await desk.act(record, "reopen")
    (line,) = (await desk.page()).lines
    assert line.row.closed_ms is None
    await desk.act(record, "void")
    assert [line.row.state for line in (await desk.page()).lines] == ["void"]


async def test_a_ledger_made_anew_is_the_same(desk: Desk) -> None:
    """Whatever happened, in whatever order it was followed: it depends on records and changes alone."""
    made = [await desk.report(f"事{n}") for n in range(5)]
    await desk.page()
    await add_leader(desk)
    await assigning.assign(desk.services, CLERK, made[0], Units(["司法所", "派出所"]))
    await assigning.take_on(desk.services, CLERK, made[1], Leaders([LEADER]))
    await desk.act(made[2], "settle", "close")
    await desk.edit(made[3], place=NEXT_GRID, fields={"restricted": True})
    await matters.erase_matter(desk.services, CLERK, made[4], "本人申请", by=OPERATOR)
    await keep(desk.services, TOWN)
    await desk.follow()
    kept = await desk.stored()
    assert len(kept["ledger"]) == 4
    by_id = {row["record_id"]: row for row in kept["ledger"]}
    assert by_id[made[0]]["unit"] in {"司法所", "派出所"}
    assert by_id[made[1]]["leader"] == LEADER
    assert by_id[made[1]]["due_ms"] is not None
    await desk.forget()
    await desk.follow()
    assert await desk.stored() == kept


async def test_to_whom_it_was_given_and_when_it_is_due_stand_there_at_once(desk: Desk) -> None:
    """Neither is a change of the record, so nothing would be followed."""
    record = await desk.report()
    assert await desk.titles(charge="unit:司法所") == []
    await assigning.assign(desk.services, CLERK, record, Units(["司法所"]))
    assert await desk.titles(charge="unit:司法所") == ["事"]
    await assigning.assign(desk.services, CLERK, record, Units([]))
    assert await desk.titles(charge="unit:司法所") == []
    assert await desk.titles(due="soon") == []
    await keep(desk.services, TOWN)
    assert await desk.titles(due="soon") == ["事"]
    desk.server.now_ms += 2 * 86_400_000
    assert await desk.titles(due="overdue") == ["事"]
    await desk.act(record, "settle")
    await keep(desk.services, TOWN)
    assert await desk.titles(due="overdue") == []


async def test_the_unit_that_leads_and_a_joined_matter(desk: Desk) -> None:
    one, other = await desk.report("一"), await desk.report("二")
    await assigning.assign(desk.services, CLERK, one, Units(["司法所", "派出所"]))
    for lead in ("派出所", "司法所"):
        put = partial(casework.put_plan, township=TOWN, record=one, plan=CasePlan(lead), by=LEADER, now_ms=1)
        await transact(desk.services.engine, put)
        assert await desk.titles(charge=f"unit:{lead}") == ["一"]
    await assigning.assign(desk.services, CLERK, one, Units(["派出所"]))
    assert await desk.titles(charge="unit:派出所") == ["一"]
    await joins.join(desk.services, CLERK, Target(other, None, "k"), one, "同一件事")
    assert await desk.titles(state="open") == ["一"]
    assert await desk.titles(state="joined") == ["二"]


async def test_a_later_edition_makes_every_row_anew_in_small_steps(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "RECORDS_AT_ONCE", 2)
    for n in range(5):
        await desk.report(f"事{n}")
    await desk.follow()
    made: list[str] = []

    async def other(*given: Any) -> None:
        made.extend(given[-1])
        await making.make(*given)

    later = msgspec.structs.replace(LEDGER, edition=2, make=other)
    assert not await follow(desk.services, TOWN, later, 1)
    assert await follow(desk.services, TOWN, later)
    assert len(made) == len(set(made)) == 5
    made.clear()
    assert await follow(desk.services, TOWN, LEDGER), "an earlier release leaves it alone"
    assert made == []


async def test_no_title_comes_back_that_was_read_before_it_was_erased(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = await desk.report("要抹去的话")
    reading, locking, go_on, put, lock = (
        asyncio.Event(),
        asyncio.Event(),
        asyncio.Event(),
        ledger.put,
        following.lock,
    )

    async def slow(*given: Any) -> None:
        reading.set()
        await go_on.wait()
        await put(*given)

    async def noted(*given: Any) -> Standing:
        if reading.is_set():
            locking.set()
        return await lock(*given)

    monkeypatch.setattr(ledger, "put", slow)
    monkeypatch.setattr(following, "lock", noted)
    made = asyncio.create_task(desk.follow())
    await reading.wait()
    erasing, waiting = asyncio.create_task(erase(desk.services, record)), asyncio.create_task(locking.wait())
    # It waits for the lock, or on SQLite for its turn; or it is through, which is what must not be.
    await asyncio.wait({erasing, waiting}, timeout=2, return_when=asyncio.FIRST_COMPLETED)
    go_on.set()
    await asyncio.gather(made, erasing)
    waiting.cancel()
    assert (await desk.stored())["ledger"] == []


async def erase(services: Services, record: str) -> None:
    await matters.erase_matter(services, CLERK, record, "本人申请", by=OPERATOR)


# --- who sees what ----------------------------------------------------------------------------------


async def test_each_sees_what_they_may_see(desk: Desk) -> None:
    await add_leader(desk)
    await desk.report("本村", place=GRID)
    other = await desk.report("无村", place=TOWN)
    secret = await desk.report("限制", place=GRID, restricted=True)
    await assigning.assign(desk.services, CLERK, other, Units(["司法所"]))
    for one in (other, secret):
        await assigning.take_on(desk.services, CLERK, one, Leaders([LEADER]))
    clerk = Reach((TOWN,))
    assert await desk.titles() == ["限制", "无村", "本村"]
    assert await desk.titles(reaching(clerk)) == ["无村", "本村"]
    assert await desk.titles(reaching(Reach((TOWN,), places=(VILLAGE,)))) == ["本村"]
    assert await desk.titles(reaching(Reach((TOWN,), places=()))) == []
    assert await desk.titles(reaching(Reach((TOWN,), unit="司法所"))) == ["无村"]
    assert await desk.titles(reaching(Reach((TOWN,), leader=LEADER))) == ["无村"]
    assert await desk.titles(reaching(Reach((TOWN,), leader=LEADER, restricted=True))) == ["限制", "无村"]
    assert await desk.titles(reaching(Reach((TOWN,), state="passed_up"))) == []
    # A filter reaches no further than the person.
    officer = reaching(Reach((TOWN,), places=(VILLAGE,)))
    assert await desk.titles(officer, place="none") == []
    assert await desk.titles(officer, words="限制") == []
    assert (await desk.page({"charge": "unit:司法所"}, officer)).count == 0


def reaching(reach: Reach) -> Caller:
    return msgspec.structs.replace(CLERK, reach=reach)


async def add_leader(desk: Desk) -> None:
    row = StaffRow(TOWN, LEADER, "周书记", "leader", desk.server.now_ms, None)
    await transact(desk.services.engine, lambda c: staff.add(c, row))


# --- filters, order, pages --------------------------------------------------------------------------


async def test_filters(desk: Desk) -> None:
    old = EntriesEdit(append=[{"system": "旧台账", "number": "2019-信-37"}])
    first = await desk.report("村东水渠漏水", category="02", source="letter", level="village")
    await desk.report("桥头土地纠纷", place=NEXT_GRID, nature="hazard", urgency="tracked", category="07")
    await desk.report("广场噪音", place=TOWN, service_category="transport", nature="service")
    await desk.edit(first, entries={"references": old})
    await desk.act(first, "settle", "close")
    today = datetime.fromtimestamp(desk.server.now_ms / 1_000, ZONE).date().isoformat()
    water, land, noise = "村东水渠漏水", "桥头土地纠纷", "广场噪音"
    expected = {
        (): [noise, land, water],
        ("sort", "oldest"): [water, land, noise],
        ("sort", "number"): [water, land, noise],
        ("village", VILLAGE): [land, water],
        ("grid", GRID): [water],
        ("nature", "hazard"): [land],
        ("category", "02"): [water],
        ("service", "transport"): [noise],
        ("state", "closed"): [water],
        ("state", "open"): [noise, land],
        ("state", "over"): [water],
        ("urgency", "tracked"): [land],
        ("level", "village"): [water],
        ("source", "letter"): [water],
        ("since", today): [noise, land, water],
        ("until", "2024-01-01"): [],
        ("place", "none"): [noise],
        ("words", "水渠"): [water],
        ("words", "纠纷 土地"): [land],
        ("words", "纠纷 水渠"): [],
        ("words", "%_"): [],
        ("number", "2019-信"): [water],
        ("number", f"{TOWN}-"): [noise, land, water],
        ("number", f"{TOWN}-2025-00002"): [land],
    }
    for asked, titles in expected.items():
        given = {asked[0]: asked[1]} if asked else {}
        assert await _titles(desk, given) == titles, asked
        assert (await desk.page(given)).count == len(titles), asked
    assert await desk.titles(village=VILLAGE, state="open", words="土地") == [land]


async def _titles(desk: Desk, given: dict[str, str]) -> list[str]:
    return [line.row.title for line in (await desk.page(given)).lines]


@pytest.mark.parametrize(
    "given",
    [
        {"state": "nowhere"}, {"nature": "x"}, {"village": "12"}, {"grid": VILLAGE}, {"due": "late"}, {"words": "一"},
        {"since": "yesterday"}, {"charge": "leader:me"}, {"sort": "title"}, {"place": "some"}, {"other": "1"},
        {"number": "1" * 101}, {"words": "啊" * 21}, {"until": "9999-12-31"},
    ],
)  # fmt: skip
async def test_a_filter_that_says_nothing_is_declined(desk: Desk, given: dict[str, str]) -> None:
    with pytest.raises(Declined):
        await desk.page(given)


@pytest.mark.parametrize("sort", ["newest", "oldest", "due", "number"])
async def test_pages_name_each_matter_once(desk: Desk, sort: str) -> None:
    for n in range(11):
        await desk.report(f"事{n}")
        desk.server.now_ms -= 1_000 * (n % 2)  # some at the same time
    await keep(desk.services, TOWN)
    whole = await desk.titles(sort=sort)
    assert len(whole) == 11
    found, after = [], None
    for _ in range(4):
        page = await desk.page({"sort": sort}, after=after, limit=3)
        assert page.count == (11 if after is None else None)
        found += [line.row.title for line in page.lines]
        after = page.next
    assert (found, after) == (whole, None)
    other = "number" if sort != "number" else "newest"
    begun = (await desk.page({"sort": sort}, limit=1)).next
    with pytest.raises(Declined, match="cursor_invalid"):
        await desk.page({"sort": other}, after=begun)
    with pytest.raises(Declined, match="cursor_invalid"):
        await desk.page(after="x" * 9)
