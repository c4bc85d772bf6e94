"""Registering at the counter, and taking an old ledger over: one matter each, however often it is tried."""

import asyncio
import io
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from openpyxl import Workbook

from server.declined import Declined
from server.intake import importing, registering
from server.intake.importing import Imported, import_sheet
from server.intake.registering import Registration, register
from server.intake.similar import similar
from server.reach import Caller, Reach
from server.records.views import RecordView
from server.sync import push as pushing
from tests.ledger.desk import CLERK, Desk, desk_of
from tests.server.office_server import GRID, OTHER_TOWN, TOWN, VILLAGE

HEADINGS = ("编号", "标题", "村（社区）", "类别", "日期", "姓名", "电话", "状态", "答复", "备注")


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[Desk]:
    async with desk_of(database_url) as made:
        yield made


async def registered(desk: Desk, who: Caller = CLERK, **given: Any) -> RecordView:
    form = Registration(
        **{"key": "k1", "title": "水渠漏水", "nature": "dispute", "village": VILLAGE, **given}
    )
    return await register(desk.services, who, form, desk.server.now_ms)


# --- the counter ------------------------------------------------------------------------------------


async def test_a_walk_in_is_one_numbered_matter_however_often_the_button_is_pressed(desk: Desk) -> None:
    given = {
        "name": "王某",
        "contact": "13800138000",
        "safe_contact": "白天打",
        "role": "applicant",
        "source": "walk_in",
    }
    made = await asyncio.gather(*(registered(desk, CLERK, **given) for _ in range(3)))
    assert len({one.id for one in made}) == 1
    (view, *_), listed = made, await desk.page()
    assert (view.state, view.number, view.place, listed.count) == (
        "reported",
        f"{TOWN}-2025-00001",
        VILLAGE,
        1,
    )
    assert view.fields["first_contact"] == CLERK.name
    (party,) = view.fields["parties"].values()
    assert (party["safe_contact"], party["contact"]) == ("白天打", "138****8000")
    await registered(desk, key="k2", village=None)
    assert [line.row.village for line in (await desk.page({"place": "none"})).lines] == [None]


async def test_settled_on_the_spot_is_one_form(desk: Desk) -> None:
    view = await registered(desk, settled="已现场疏通")
    again = await registered(desk, settled="已现场疏通")
    assert (view.id, view.state, again.version) == (again.id, "settled", view.version)
    (answer,) = view.fields["answers"].values()
    assert (answer["text"], answer["by"]) == ("已现场疏通", CLERK.name)


async def test_what_does_not_fit_is_declined_and_nothing_is_registered(desk: Desk) -> None:
    officer = msgspec.structs.replace(CLERK, role="village_officer", reach=Reach((TOWN,), places=(VILLAGE,)))
    county = msgspec.structs.replace(CLERK, reach=Reach((TOWN, OTHER_TOWN)))
    refused: Any = (
        (CLERK, {"village": f"{TOWN}999"}),
        (CLERK, {"grid": f"{TOWN}204001"}),
        (CLERK, {"nature": "nothing"}),
        (CLERK, {"title": "长" * 201}),
        (officer, {"village": None}),
        (county, {}),
    )
    for who, given in refused:
        with pytest.raises(Declined):
            await registered(desk, who, **given)
    assert (await desk.page()).count == 0
    assert (await registered(desk, officer, grid=GRID)).place == GRID


async def test_when_the_form_was_opened_cannot_be_made_up(desk: Desk) -> None:
    form = Registration(key="k", title="事", nature="service")
    view = await register(desk.services, CLERK, form, 0)
    late = await register(desk.services, CLERK, msgspec.structs.replace(form, key="l"), 2**62)
    assert view.fields["first_contact_at"] == "2025-06-14T15:06:40Z"
    assert late.fields["first_contact_at"] == "2025-06-15T15:06:40Z"


async def test_matters_about_the_same_are_named_while_typing(desk: Desk) -> None:
    await desk.report("村东头水渠漏水淹了菜地", place=GRID)
    await desk.report("广场舞噪音", place=GRID)
    await desk.report("村东水渠漏水", place=TOWN)
    await desk.report("村东水渠漏水（限制）", place=GRID, restricted=True)
    plain = msgspec.structs.replace(CLERK, reach=Reach((TOWN,)))
    found = await similar(desk.services, plain, "村东水渠漏水", "", VILLAGE, None)
    assert [one.title for one in found] == ["村东头水渠漏水淹了菜地"]
    found = await similar(desk.services, plain, "村东水渠漏水了", "", None, None)
    assert [one.title for one in found] == ["村东水渠漏水", "村东头水渠漏水淹了菜地"]
    assert await similar(desk.services, plain, "水", "", None, None) == []


# --- the old ledger ---------------------------------------------------------------------------------


def workbook(*rows: tuple[Any, ...], headings: tuple[str, ...] = HEADINGS) -> io.BytesIO:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (("某镇信访台账",), headings, *rows):
        sheet.append(row)
    file = io.BytesIO()
    book.save(file)
    file.seek(0)
    return file


GOOD = (
    ("2019-1", "水渠纠纷", "潘元村", "邻里", "2019-03-01", "王某", 13800138000, "已办结", "已调解"),
    ("2019-2", "土地补偿", "潘元", None, "2019年4月2日", None, None, "办理中", None),
    (20193, "低保", None, None, None, None, None, None, None),
)
BAD = (
    ("2019-1", "重号", None, None, None, None, None, None, None),
    (None, "无号", None, None, None, None, None, None, None),
    ("2019-5", None, None, None, None, None, None, None, None),
    ("2019-6", "他村", "不在村", None, None, None, None, None, None),
    ("2019-7", "类别", None, "天文", None, None, None, None, None),
    ("2019-8", "日期", None, None, "去年", None, None, None, None),
    ("2019-9", "长" * 201, None, None, None, None, None, None, None),
)


async def imported(
    desk: Desk, *rows: tuple[Any, ...], dry_run: bool = False, who: Caller = CLERK
) -> Imported:
    return await import_sheet(desk.services, who, workbook(*rows), dry_run=dry_run)


async def test_an_old_ledger_comes_once_under_its_old_numbers(desk: Desk) -> None:
    said = await imported(desk, *GOOD, *BAD, dry_run=True)
    assert (said.new, said.known, said.dry_run) == (3, 0, True)
    assert [one.line for one in said.refused] == [6, 7, 8, 9, 10, 11, 12]
    assert said.ignored == ["备注"]
    assert (await desk.page()).count == 0, "a trial leaves nothing"
    done = await imported(desk, *GOOD, *BAD)
    assert (done.new, done.refused) == (3, said.refused)
    lines = {line.row.title: line.row for line in (await desk.page()).lines}
    assert {title: row.state for title, row in lines.items()} == {
        "水渠纠纷": "closed", "土地补偿": "reported", "低保": "reported",
    }  # fmt: skip
    assert (lines["水渠纠纷"].village, lines["水渠纠纷"].category) == (VILLAGE, "02")
    assert await desk.titles(number="2019-1") == ["水渠纠纷"]
    assert await desk.titles(number="20193") == ["低保"]
    state = await desk.server.state(lines["水渠纠纷"].record_id)
    assert state.values["first_contact_at"] == "2019-02-28T16:00:00Z"
    assert [one["contact"] for one in state.values["parties"].values()] == ["13800138000"]
    assert [one["text"] for one in state.values["answers"].values()] == ["已调解"]


async def test_a_second_import_changes_nothing_whoever_makes_it(desk: Desk) -> None:
    await imported(desk, *GOOD)
    await desk.follow()
    before = await desk.stored()
    other = msgspec.structs.replace(CLERK, id="01900000-0000-7000-8000-00000000c1e1", name="赵文书")
    again = await imported(desk, *GOOD, *BAD, who=other)
    assert (again.new, again.known, len(again.refused)) == (0, 3, 7)
    await desk.follow()
    assert await desk.stored() == before
    more = await imported(desk, *GOOD, ("2020-1", "新的", None), who=other)
    assert (more.new, more.known) == (1, 3)


async def test_nothing_is_half_applied(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last of several pushes fails: what the earlier ones wrote is taken back."""
    monkeypatch.setattr(importing, "_AT_ONCE", 1)
    count, push = 0, pushing.push

    async def failing(*given: Any) -> Any:
        nonlocal count
        count += 1
        if count == 6:  # three of the trial, then the third in earnest
            raise OSError
        return await push(*given)

    monkeypatch.setattr(pushing, "push", failing)
    monkeypatch.setattr("server.storage.engine.ATTEMPTS", 1)
    with pytest.raises(Exception, match="attempts"):
        await imported(desk, *GOOD)
    assert (await desk.page()).count == 0
    count = -100
    assert (await imported(desk, *GOOD)).new == 3


async def test_what_is_no_old_ledger_is_declined(desk: Desk) -> None:
    for file in (
        io.BytesIO(b"no zip"),
        workbook(headings=("甲", "乙")),
        io.BytesIO(b"PK\x05\x06" + bytes(18)),
    ):
        with pytest.raises(Declined, match="invalid_record"):
            await import_sheet(desk.services, CLERK, file, dry_run=True)


def test_places_have_one_form_of_registering() -> None:
    with pytest.raises(Declined):
        registering.township_of_desk(msgspec.structs.replace(CLERK, reach=Reach(())))
