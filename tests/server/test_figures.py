"""GET /v1/figures: what is counted, in which order, and what is not shown outside the township."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.declined import Declined
from server.figures.cells import LEAST, table
from server.figures.service import Asked, period
from tests.server.office_server import GRID, NEXT_GRID, OTHER_TOWN, TOWN, VILLAGE, OfficeServer, office_server
from tests.server.people import signed_in

JANUARY_MS = int(datetime(2026, 1, 31, 15, 59, tzinfo=UTC).timestamp() * 1_000)
"""A minute before February in Asia/Shanghai."""
COUNTS = st.dictionaries(st.text("abc", min_size=1, max_size=3), st.integers(1, 20), max_size=6)


@pytest.fixture
async def server(database_url: str) -> AsyncIterator[OfficeServer]:
    async with office_server(database_url) as running:
        running.now_ms = JANUARY_MS
        yield running


async def found(client: httpx2.AsyncClient, place: str, count: int, **fields: object) -> list[str]:
    made = []
    for n in range(count):
        values = {"title": f"{place} {n}", "nature": "dispute", **fields}
        new = {"kind": "matter", "key": f"{place}{n}{fields}", "place": place, "fields": values}
        made.append((await client.post("/v1/records", json=new)).json()["id"])
    return made


def cells(answer: httpx2.Response) -> dict[str | None, int | None]:
    assert answer.status_code == 200, answer.text
    return {one["code"]: one["matters"] for one in answer.json()["cells"]}


async def test_the_township_sees_every_matter_by_village_category_state_and_month(
    server: OfficeServer,
) -> None:
    clerk = await signed_in(server, "clerk", "赵敏")
    server.now_ms = JANUARY_MS
    async with await server.client() as hotline:
        first = (await found(hotline, GRID, 1, category="02"))[0]
        server.now_ms += 60_000  # February
        await found(hotline, NEXT_GRID, 1, category="02")
        await found(hotline, TOWN, 1, nature="service")
        await found(hotline, GRID, 1, restricted=True)
        drafted = await found(hotline, GRID, 1, nature="hazard")
    record = f"/v1/records/{first}"
    answer = {"entries": {"answers": {"append": [{"text": "已答复"}]}}}
    done = await clerk.browser.patch(record, json=answer, headers={"if-match": "*"})
    assert done.status_code == 200, done.text
    for path, action in ((record, "settle"), (record, "close"), (f"/v1/records/{drafted[0]}", "void")):
        says = {"action": action, "reason": "已回访"}
        assert (await clerk.browser.post(f"{path}/actions", json=says)).status_code == 200
    ask = clerk.browser.get
    by_village = await ask("/v1/figures?measure=found&by=village")
    assert cells(by_village) == {TOWN: 1, VILLAGE: 2}
    assert [one["name"] for one in by_village.json()["cells"]] == [f"{TOWN}镇", "潘元村委会"]
    assert (by_village.json()["matters"], by_village.json()["least"]) == (3, 0)
    assert cells(await ask("/v1/figures?measure=found&by=category")) == {"02": 2, None: 1}
    assert cells(await ask("/v1/figures?measure=found&by=state")) == {"closed": 1, "reported": 2}
    assert cells(await ask("/v1/figures?measure=found&by=month")) == {"2026-01": 1, "2026-02": 2}
    assert cells(await ask("/v1/figures?measure=open&by=month")) == {"2026-02": 2}
    assert cells(await ask("/v1/figures?measure=closed&by=month")) == {"2026-01": 1}
    assert cells(await ask("/v1/figures?measure=answered&by=category")) == {"02": 1}
    day = "&since=2026-02-01&until=2026-02-02"
    assert (await ask(f"/v1/figures?measure=found{day}")).json()["matters"] == 2
    named = await signed_in(server, "clerk", "专人", sees_restricted=True)
    assert (await named.browser.get("/v1/figures?measure=found")).json()["matters"] == 4


async def test_outside_the_township_small_cells_days_and_this_month_are_not_shown(
    server: OfficeServer,
) -> None:
    observer = await signed_in(server, "county_observer", "周观察")
    server.now_ms = JANUARY_MS
    async with await server.client(townships=(TOWN, OTHER_TOWN)) as hotline:
        await found(hotline, GRID, 6, category="02")
        await found(hotline, f"{OTHER_TOWN}203001", 2, category="09")
        await found(hotline, OTHER_TOWN, 7)
    async with await server.client("figures:read", townships=(TOWN, OTHER_TOWN)) as board:
        for reader in (observer.browser, board):
            assert (await reader.get("/v1/figures?measure=found")).json()["matters"] == 0, (
                "January is not over"
            )
        server.now_ms = JANUARY_MS + 3 * 86_400_000
        await observer.sign_in()
        for reader in (observer.browser, board):
            by_village = await reader.get("/v1/figures?measure=found&by=village")
            # The 2 are too few, and with the 6 they would be told by the sum.
            told = {VILLAGE: None, OTHER_TOWN: 7, f"{OTHER_TOWN}203": None}
            assert cells(by_village) == told
            assert [one["code"] for one in by_village.json()["cells"]] == sorted(told), (
                "by code, never by count"
            )
            assert (by_village.json()["matters"], by_village.json()["least"]) == (15, LEAST)
            assert cells(await reader.get("/v1/figures?measure=found&by=township")) == {
                TOWN: 6,
                OTHER_TOWN: 9,
            }
            for days in ("since=2026-01-02", "until=2026-01-31", "until=2026-03-01"):
                refused = await reader.get(f"/v1/figures?measure=found&{days}")
                assert (refused.status_code, refused.json()["field"]) == (422, "until")


@pytest.mark.parametrize(
    "query",
    [
        "measure=scores",
        "measure=found&by=name",
        "measure=found&since=1800-01-01",
        "measure=found&until=0001-01-01",
    ],
)
async def test_what_is_not_counted_is_declined(server: OfficeServer, query: str) -> None:
    async with await server.client("figures:read") as board:
        assert (await board.get(f"/v1/figures?{query}")).status_code == 422


@given(COUNTS)
def test_nothing_small_can_be_told_from_what_is_shown(counts: dict[str | None, int]) -> None:
    shown = table(counts, {}, whole=False)
    assert [cell.code for cell in shown.cells] == sorted(counts, key=str)
    seen = {cell.code: cell.matters for cell in shown.cells if cell.matters is not None}
    assert all(counts[code] == count >= LEAST for code, count in seen.items())
    missing = counts.keys() - seen.keys()
    if sum(counts.values()) >= LEAST and missing:
        assert len(missing) > 1, "one alone would be the rest of the sum, which is told without cells"
    assert table(counts, {}, whole=True).matters == sum(counts.values())


def test_a_year_by_itself_and_whole_months_outside() -> None:
    today = date(2026, 1, 15)
    assert period(Asked("found"), today, whole=True) == (date(2026, 1, 1), date(2026, 1, 16))
    assert period(Asked("found"), today, whole=False) == (date(2025, 1, 1), date(2026, 1, 1))
    month = Asked("found", None, date(2025, 3, 1), date(2025, 4, 1))
    assert period(month, today, whole=False) == (month.since, month.until)
    with pytest.raises(Declined):
        period(Asked("found", None, date(2026, 2, 1), date(2026, 1, 1)), today, whole=True)
