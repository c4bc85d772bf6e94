"""Exports say exactly what is filtered, run nothing in a spreadsheet, and are written down; views are one's own."""

import csv
import io
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from openpyxl import load_workbook
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.declined import Declined
from server.ledger import exporting, files, views
from server.ledger.asking import Question, question_of
from server.ledger.exporting import Exported
from server.ledger.files import FORMS
from server.reach import Caller, Reach
from server.rights import Person
from server.storage import staff
from server.storage.engine import snapshot, transact
from server.storage.staff import StaffRow
from server.storage.tables import audit_entries
from tests.ledger.desk import CLERK, Desk, desk_of
from tests.server.office_server import GRID, TOWN, VILLAGE

HOSTILE = (
    '=HYPERLINK("http://x";"y")',
    "+1",
    "-1+1",
    "@SUM(1)",
    "\t=1",
    "<script>alert(1)</script>",
    "\x07铃",
)
PEOPLE = tuple(f"01900000-0000-7000-8000-00000000000{n}" for n in (1, 2))


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[Desk]:
    async with desk_of(database_url) as made:
        yield made


def chinese(zh: str, _: str) -> str:
    return zh


async def exported(desk: Desk, form: str, who: Caller = CLERK, **asked: str) -> Exported:
    return await exporting.export(desk.services, who, question_of(asked), form, chinese)


def body(made: Exported) -> bytes:
    return b"".join(made.chunks())


def rows_in(form: str, content: bytes) -> list[list[str]]:
    """Heading and rows, as a program reads them."""
    if form == "csv":
        return list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
    if form == "xlsx":
        sheet = load_workbook(io.BytesIO(content)).worksheets[0]
        assert {cell.data_type for row in sheet.iter_rows() for cell in row} <= {"s", "n", "inlineStr"}
        return [[str(cell or "") for cell in row] for row in sheet.iter_rows(values_only=True)]
    features = msgspec.json.decode(content)["features"]
    return [list(features[0]["properties"]), *(list(each["properties"].values()) for each in features)]


@pytest.mark.parametrize("form", sorted(FORMS))
async def test_it_says_exactly_what_is_filtered(
    desk: Desk, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "_PAGE", 2)
    for n in range(5):
        await desk.report(f"水渠{n}", urgency="tracked", point={"lat": 32.5, "lon": 120.25} if n else None)
    await desk.report("土地")
    await desk.report("限制的水渠", restricted=True)
    plain = msgspec.structs.replace(CLERK, reach=Reach((TOWN,)))
    made = await exported(desk, form, plain, words="水渠")
    heading, *rows = rows_in(form, body(made))
    assert made.file.closed
    assert (made.count, len(rows)) == (5, 5)
    titles = [row[1] for row in rows]
    assert titles == ["水渠4", "水渠3", "水渠2", "水渠1", "水渠0"]
    said = dict(zip(heading, rows[0], strict=True))
    if form != "geojson":
        assert (said["编号"], said["村（社区）"], said["紧急程度"]) == (
            f"{TOWN}-2025-00005", "潘元村", "跟踪办",
        )  # fmt: skip
        assert (said["状态"], said["登记时间"]) == ("已上报", "2025-06-15 23:06")
    (told,) = await acts(desk, "exported")
    assert (told["form"], told["matters"]) == (form, 5)
    assert "水渠" not in str(told)
    assert told["filter"][0].startswith("words=")


async def test_positions_are_longitude_then_latitude(desk: Desk) -> None:
    await desk.report("有", point={"lat": 32.5, "lon": 120.25})
    await desk.report("无")
    features = msgspec.json.decode(body(await exported(desk, "geojson")))["features"]
    assert [each["geometry"] for each in features] == [None, {"type": "Point", "coordinates": [120.25, 32.5]}]
    assert msgspec.json.decode(body(await exported(desk, "geojson", words="没有")))["features"] == []


@pytest.mark.parametrize("form", sorted(FORMS))
async def test_what_people_typed_runs_nowhere(desk: Desk, form: str) -> None:
    for title in HOSTILE:
        await desk.report(title)
    rows = rows_in(form, body(await exported(desk, form, sort="oldest")))[1:]
    titles = [row[1] for row in rows]
    if form == "csv":
        assert [title[0] for title in titles[:5]] == ["'"] * 5
    else:
        assert titles[0] == HOSTILE[0]
    assert titles[5] == HOSTILE[5]


async def test_numbers_of_people_in_a_title_are_hidden(desk: Desk) -> None:
    await desk.report("请回电 13800138000 王某，2025 年")
    rows = rows_in("csv", body(await exported(desk, "csv")))
    assert rows[1][1] == "请回电 *********** 王某，2025 年"


async def test_more_than_a_form_holds_is_declined_not_cut(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(3):
        await desk.report(f"事{n}")
    small = msgspec.structs.replace(FORMS["csv"], rows_max=2)
    monkeypatch.setitem(files.FORMS, "csv", small)
    with pytest.raises(Declined, match="invalid_record"):
        await exported(desk, "csv")
    with pytest.raises(Declined, match="invalid_record"):
        await exported(desk, "pdf")
    assert await acts(desk, "exported") == []


async def acts(desk: Desk, name: str) -> list[dict[str, Any]]:
    async def read(connection: AsyncConnection) -> list[dict[str, Any]]:
        found = select(audit_entries.c.detail).where(audit_entries.c.act == name)
        return [msgspec.json.decode(bytes(row.detail)) for row in await connection.execute(found)]

    return await snapshot(desk.services.engine, read)


async def test_views_belong_to_who_saved_them(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for nth, one in enumerate(PEOPLE):
        row = StaffRow(TOWN, one, f"文书{nth}", "clerk", 0, None)
        await transact(desk.services.engine, lambda c, row=row: staff.add(c, row))  # type: ignore[misc]
    mine, other = (Person(TOWN, one, "文书", "clerk") for one in PEOPLE)
    overdue = Question(village=VILLAGE, due="overdue", sort="oldest")
    await views.save(desk.services, mine, "  本村 超期 ", overdue)
    await views.save(desk.services, mine, "全部", Question())
    await views.save(desk.services, other, "全部", Question(grid=GRID))
    await views.save(desk.services, mine, "全部", Question(state="open"))
    assert {one.name: one.question for one in await views.saved(desk.services, mine)} == {
        "本村 超期": overdue, "全部": Question(state="open"),
    }  # fmt: skip
    await views.forget(desk.services, other, "本村 超期")
    await views.forget(desk.services, mine, "全部")
    assert [one.name for one in await views.saved(desk.services, mine)] == ["本村 超期"]
    assert len(await views.saved(desk.services, other)) == 1
    monkeypatch.setattr(views, "VIEWS_MAX", 1)
    for name, question in (
        ("二", Question()),
        ("", Question()),
        ("长" * 41, Question()),
        ("三", Question(due="x")),
    ):
        with pytest.raises(Declined):
            await views.save(desk.services, mine, name, question)
    await views.save(desk.services, mine, "本村 超期", Question())
