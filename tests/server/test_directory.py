"""The directory: lists of divisions, good and hostile, and townships that are opened."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from server.directory import reading, service
from server.directory.encoding import decode
from server.directory.reading import COLUMNS, Listed
from server.directory.service import Imported
from server.directory.shipped import LIST_YEAR, shipped_list
from server.refused import RefusedError
from server.storage import directory, townships
from server.storage.engine import snapshot
from tests.server.conftest import GRID, START_MS, TOWNSHIP, VILLAGE

HEADER = ",".join(COLUMNS)


@dataclass
class Village:
    """One row of a list."""

    code: str = "321283104203"
    name: str = "潘元村委会"
    town: str = "元竹镇"
    county: str = "泰兴市"

    def __str__(self) -> str:
        return (
            f"{self.code},{self.name},{self.code[:9]},{self.town},{self.code[:6]},{self.county},泰州市,江苏省"
        )


def _listed(*rows: Village | str) -> Listed:
    return reading.read("\n".join([HEADER, *map(str, rows)]))


def _reasons(listed: Listed) -> list[tuple[int, str]]:
    return [(refusal.line, refusal.reason) for refusal in listed.refused]


# --- reading ---------------------------------------------------------------------------------------


def test_the_shipped_list_is_the_real_one() -> None:
    listed = reading.read(decode(shipped_list()))
    assert (len(listed.rows), listed.refused) == (863, [])
    by_county = [
        sum(row.divisions[2].code == code for row in listed.rows) for code in ("321283", "340181", "371321")
    ]
    assert by_county == [371, 187, 305]


@pytest.mark.shared_data
def test_the_shipped_list_is_that_of_the_source(shared_data: Path) -> None:
    assert shipped_list() == (shared_data / "divisions" / "villages_3_counties.csv").read_bytes()


def test_a_row_stands_for_five_places() -> None:
    (row,) = _listed(Village()).rows
    assert [(place.code, place.parent, place.name) for place in row.divisions] == [
        ("32", None, "江苏省"),
        ("3212", "32", "泰州市"),
        ("321283", "3212", "泰兴市"),
        ("321283104", "321283", "元竹镇"),
        ("321283104203", "321283104", "潘元村委会"),
    ]


def test_columns_come_in_any_order_with_others_beside_them_and_a_byte_order_mark() -> None:
    names = ("note", *reversed(COLUMNS), "village_name")
    cells = dict(zip(COLUMNS, str(Village()).split(","), strict=True)) | {"note": "x"}
    content = "\ufeff" + ",".join(names) + "\r\n" + ",".join(cells[name] for name in names) + "\r\n"
    listed = reading.read(decode(content.encode()))
    assert listed.refused == []
    assert listed.rows[0].divisions == _listed(Village()).rows[0].divisions


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("321283104203,潘元村委会", "8 cells expected, got 2"),
        (Village(code="32128310420"), "village_code takes 12 digits, got '32128310420'"),
        (Village(code="３２１２８３１０４２０３"), "county_code takes 6 digits, got '３２１２８３'"),
        (Village(code="-21283104203"), "county_code takes 6 digits, got '-21283'"),
        (Village(name=""), "village_name is empty"),
        (Village(name="   "), "village_name is empty"),
        (Village(name="村" * 61), "village_name takes 60 characters, got 61"),
        (Village(name="潘元\x00村"), "village_name holds a control character"),
        (Village(name="潘元\u202e村"), None),
        (str(Village()).replace("321283104,", "321283105,"), "'321283104203' does not lie in '321283105'"),
        ("=cmd|' /C calc'!A0,x,y,z,1,2,3,4", "county_code takes 6 digits"),
    ],
)
def test_a_row_that_cannot_be_used_is_refused_by_itself(row: Village | str, reason: str | None) -> None:
    good = Village(code="321283104999", name="别的村委会")
    listed = _listed(row, good)
    if reason is None:
        assert listed.refused == []
        return
    assert [line for line, _ in _reasons(listed)] == [2]
    assert reason in listed.refused[0].reason
    assert [kept.divisions[-1].code for kept in listed.rows] == [good.code]


def test_a_row_that_contradicts_an_earlier_one_is_refused() -> None:
    listed = _listed(
        Village(),
        Village(),
        Village(code="321283104204", town="圆竹镇"),
        Village(code="321283104205", name="别的村"),
    )
    assert _reasons(listed) == [
        (3, "321283104203 stands in line 2 already"),
        (4, "321283104 is '圆竹镇' here and '元竹镇' in line 2"),
    ]
    assert len(listed.rows) == 2


def test_a_refused_row_teaches_nothing_about_names() -> None:
    listed = _listed(Village(code="3212831042", town="错镇"), Village())
    assert len(listed.rows) == 1


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "The first line names the columns, parted by commas: village_code, village_name"),
        (HEADER.replace(",", ";").encode(), "missing, got village_code;village_name"),
        (HEADER.replace("town_code,", "").encode(), ": town_code missing"),
        ((HEADER + '\n"321283104203,潘元').encode(), "cannot be read as CSV"),
        ((HEADER + "\n" + '"' + "x" * 200_000 + '"').encode(), "cannot be read as CSV"),
        ((HEADER + "\n" + str(Village())).encode("gb18030"), "written in GBK"),
        ((HEADER + "\n" + str(Village())).encode("utf-16"), "written in UTF-16"),
        (b"\x89PNG\r\n\x1a\n\xff\xff\xff\xff", "not text in UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_whole(content: bytes, says: str) -> None:
    with pytest.raises(RefusedError, match=r"\w") as caught:
        reading.read(decode(content))
    assert says in str(caught.value)


def test_another_encoding_may_be_named() -> None:
    content = (HEADER + "\n" + str(Village())).encode("gb18030")
    assert len(reading.read(decode(content, "gb18030")).rows) == 1
    with pytest.raises(RefusedError, match="There is no encoding 'klingon'"):
        decode(content, "klingon")


def test_a_list_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "ROWS_MAX", 2)
    rows = [Village(code=f"32128310420{n}") for n in range(3)]
    with pytest.raises(RefusedError, match="at most 2 rows"):
        _listed(*rows)


@given(st.text())
def test_whatever_comes_is_read_or_refused(content: str) -> None:
    for text_of_a_file in (content, HEADER + "\n" + content):
        try:
            listed = reading.read(text_of_a_file)
        except RefusedError:
            continue
        assert all(row.line > 1 for row in listed.rows)
        assert all(refusal.line > 1 for refusal in listed.refused)


@given(st.binary())
def test_whatever_bytes_come_are_decoded_or_refused(content: bytes) -> None:
    with suppress(RefusedError):
        assert isinstance(decode(content), str)


# --- importing ---------------------------------------------------------------------------------------


async def _import(engine: AsyncEngine, *rows: Village | str, year: int = 2023) -> Imported:
    return await service.import_divisions(engine, _listed(*rows), list_year=year, now_ms=START_MS)


def _counts(done: Imported) -> tuple[int, int, int, int]:
    return done.new, done.changed, done.unchanged, len(done.refused)


async def test_an_import_counts_what_it_did_and_may_be_repeated(engine: AsyncEngine) -> None:
    other = Village(code="321283104204", name="申庄村委会")
    assert _counts(await _import(engine, Village(), other, "broken")) == (2, 0, 0, 1)
    assert _counts(await _import(engine, Village(), other)) == (0, 0, 2, 0)
    renamed = Village(name="潘园村委会")
    assert _counts(await _import(engine, renamed, other, year=2024)) == (0, 1, 1, 0)
    places = await snapshot(engine, lambda c: directory.places(c, [VILLAGE, "321283104204"]))
    assert (places[VILLAGE].name, places[VILLAGE].list_year) == ("潘园村委会", 2024)
    # The year moves on for what has not changed, too: it is still in the newer list.
    assert places["321283104204"].list_year == 2024


async def test_a_renamed_town_changes_the_rows_of_all_its_villages_in_every_chunk(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "CHUNK", 2)
    rows = [Village(code=f"32128310420{n}", name=f"{n}村") for n in range(5)]
    assert _counts(await _import(engine, *rows)) == (5, 0, 0, 0)
    renamed = [Village(row.code, row.name, town="新镇") for row in rows]
    assert _counts(await _import(engine, *renamed)) == (0, 5, 0, 0)


async def test_an_older_list_does_not_overwrite_a_newer_one(engine: AsyncEngine) -> None:
    await _import(engine, Village(name="新名村"), year=2024)
    done = await _import(
        engine, Village(name="旧名村"), Village(code="321284001001", county="别市"), year=2020
    )
    assert _counts(done) == (0, 0, 0, 2)
    assert done.refused[0].reason == "known from the list of 2024, and this is one of 2020"
    places = await snapshot(engine, lambda c: directory.places(c, [VILLAGE, "321284"]))
    assert list(places) == [VILLAGE]


async def test_progress_reaches_the_end(engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "CHUNK", 400)
    heard: list[int] = []
    listed = reading.read(decode(shipped_list()))
    await service.import_divisions(
        engine, listed, list_year=LIST_YEAR, now_ms=START_MS, progress=heard.append
    )
    assert heard == [400, 800, 863]


# --- townships -----------------------------------------------------------------------------------------


async def _counter(engine: AsyncEngine) -> townships.Township:
    found = await snapshot(engine, lambda c: townships.read(c, TOWNSHIP))
    assert found is not None
    return found


async def test_an_opened_township_has_its_counter_at_the_first_epoch_and_its_grids(
    engine: AsyncEngine, township: str
) -> None:
    found = await _counter(engine)
    assert found.counter == 1 << 40
    assert found.server == f"{found.identity}:1"
    assert len(found.cursor_key) == 32
    grids = await service.grids(engine, township)
    assert len(grids) == 36
    assert [row.name for row in grids if row.village == VILLAGE] == [f"潘元村 00{n}网格" for n in (1, 2, 3)]
    (opened,) = await service.opened(engine)
    assert (opened.name, opened.villages, opened.grids) == ("元竹镇", 12, 36)


async def test_opening_again_adds_what_is_missing_and_leaves_the_rest(
    engine: AsyncEngine, township: str, randomness: Callable[[int], bytes]
) -> None:
    before = await _counter(engine)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE townships SET counter = counter + 7"))
    more = await service.open_township(engine, township, grids=5, now_ms=START_MS, random=randomness)
    assert (more.new, more.grids, more.grids_added) == (False, 60, 24)
    fewer = await service.open_township(engine, township, grids=1, now_ms=START_MS, random=randomness)
    assert (fewer.grids, fewer.grids_added) == (60, 0)
    after = await _counter(engine)
    assert (after.identity, after.cursor_key, after.counter) == (
        before.identity,
        before.cursor_key,
        before.counter + 7,
    )


async def test_a_new_and_a_renamed_village_reach_an_open_township(
    engine: AsyncEngine, township: str, randomness: Callable[[int], bytes]
) -> None:
    await _import(
        engine, Village(name="潘园村委会"), Village(code="321283104299", name="新村委会"), year=2024
    )
    done = await service.open_township(engine, township, grids=3, now_ms=START_MS, random=randomness)
    assert (done.villages, done.grids_added) == (13, 3)
    names = {row.grid: row.name for row in await service.grids(engine, township)}
    assert names[GRID] == "潘园村 001网格"
    assert names["321283104299003"] == "新村 003网格"


@pytest.mark.parametrize("code", ["321283999", "321283", "321283104203", "", "元竹镇", "321283104 "])
async def test_a_township_that_the_directory_lacks_says_what_to_do(
    engine: AsyncEngine, township: str, code: str, randomness: Callable[[int], bytes]
) -> None:
    with pytest.raises(RefusedError, match=r"9 digits|import a list"):
        await service.open_township(engine, code, grids=3, now_ms=START_MS, random=randomness)
    assert [one.township for one in await service.opened(engine)] == [township]


@pytest.mark.parametrize("grids", [0, -1, 1000])
async def test_a_village_has_1_to_999_grids(
    engine: AsyncEngine, grids: int, randomness: Callable[[int], bytes]
) -> None:
    with pytest.raises(RefusedError, match="1 to 999 grids"):
        await service.open_township(engine, TOWNSHIP, grids=grids, now_ms=START_MS, random=randomness)


async def test_places_exist_or_do_not(engine: AsyncEngine, township: str) -> None:
    async def ask(connection: AsyncConnection) -> list[str]:
        asked = (TOWNSHIP, VILLAGE, GRID, "321283104203004", "321283104999", "321283105", "", "x")
        return [place for place in asked if await directory.place_exists(connection, township, place)]

    assert await snapshot(engine, ask) == [TOWNSHIP, VILLAGE, GRID]
    everything = await snapshot(engine, lambda c: directory.all_places(c, township))
    assert len(everything) == 1 + 12 + 36
    assert {TOWNSHIP, VILLAGE, GRID} <= everything


@pytest.mark.parametrize(
    ("listed", "called"),
    [
        ("潘元村委会", "潘元村"),
        ("商井社区居民委员会", "商井社区"),
        ("东村村民委员会", "东村"),
        ("前进村民委员会", "前进村"),
        ("双赵居委会", "双赵居委会"),
        ("城区科技工业园社区", "城区科技工业园社区"),
        ("村委会", "村委会"),
    ],
)
def test_villages_are_called_as_people_call_them(listed: str, called: str) -> None:
    assert service.short_name(listed) == called
