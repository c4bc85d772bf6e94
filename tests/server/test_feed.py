"""GET /v1/changes: every event once and in order, whoever writes meanwhile, and cursors that do not fit."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.feed.cursor import CursorInvalid, Mark, seal, unseal
from server.storage.engine import transact
from server.sync.horizon import trim
from sync_protocol.changes import Act
from tests.server.office_server import GRID, NEXT_GRID, OTHER_TOWN, TOWN, OfficeServer, office_server
from tests.server.test_records_api import PARTIES, PHONE, code_of, made


@pytest.fixture
async def server(database_url: str) -> AsyncIterator[OfficeServer]:
    async with office_server(database_url) as running:
        yield running


async def feed(client: httpx2.AsyncClient, since: str | None = None, **query: Any) -> dict[str, Any]:
    wanted = {**query, **({"since": since} if since is not None else {})}
    answer = await client.get("/v1/changes", params=wanted)
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    return page


async def everything(
    client: httpx2.AsyncClient, since: str | None = None, **query: Any
) -> list[dict[str, Any]]:
    """Every event, going on from the cursor of the last event each time."""
    found: list[dict[str, Any]] = []
    while True:
        page = await feed(client, since, **query)
        if not page["changes"]:
            return found
        found += page["changes"]
        since = page["changes"][-1]["cursor"]


async def test_events_in_a_word_with_their_record(server: OfficeServer) -> None:
    office, reader = await server.client(), await server.client(name="看板")
    one, two = await server.device("李四"), await server.device("王五")
    create = one.create(fields={"title": "漏水"})
    await one.push(create)
    version = (await server.state(create.record)).version
    report = one.change(create.record, base=version, act=Act("report", "draft", "reported", "请看"))
    edit = one.change(create.record, base=version, fields={"people_involved": 5})
    await one.push(report, edit)
    lost = two.change(create.record, base=version, fields={"people_involved": 7})
    quarantined = two.change(create.record, base=version, fields={"source": "no such"})
    await two.push(lost, quarantined)
    path = f"/v1/records/{create.record}"
    await office.patch(path, json={"place": NEXT_GRID}, headers={"if-match": "*"})
    (conflict,) = (await office.get("/v1/conflicts")).json()["conflicts"]
    await office.post(f"/v1/conflicts/{conflict['id']}/resolve", json={"value": 6})
    fixed = {"fields": {"source": None, "narrative": "。"}}
    await office.post(f"/v1/quarantine/{quarantined.id}/replay", json=fixed)
    discarded = two.change(create.record, base=version, fields={"source": "no such"})
    await two.push(discarded)
    bin_it = {"discard": True, "reason": "x"}
    await office.post(f"/v1/quarantine/{discarded.id}/replay", json=bin_it)

    events = await everything(reader)
    words = [(event["action"], event["change"]) for event in events]
    assert words[:4] == [
        ("created", create.id),
        ("acted", report.id),
        ("edited", edit.id),
        ("conflict", lost.id),
    ]
    assert [word for word, _ in words[4:]] == ["moved", "decided", "replayed"]
    acted = events[1]
    assert (acted["transition"], acted["note"]) == ("report", "请看")
    assert acted["who"]["author_name"] == "李四"
    assert {"path": "state", "before": "draft", "after": "reported"} in acted["effects"]
    assert events[5]["decides"] == conflict["id"]
    assert events[6]["origin"] == quarantined.id
    assert events[6]["record"]["place"] == NEXT_GRID
    assert [event["n"] for event in events] == sorted(event["n"] for event in events)


async def test_a_deletion_is_an_event(server: OfficeServer) -> None:
    reader, device = await server.client(), await server.device("李四")
    create = device.create(fields={"title": "误报"})
    await device.push(create, device.change(create.record, after=create.id, do="delete"))
    events = await everything(reader)
    assert [event["action"] for event in events] == ["created", "deleted"]
    assert events[1]["record"]["deleted"]


async def test_own_changes_are_left_out_unless_asked_for(server: OfficeServer) -> None:
    office, other = await server.client(), await server.client(name="别人")
    view = await made(office)
    assert (await feed(office))["changes"] == []
    assert [event["record"]["id"] for event in (await feed(office, own="true"))["changes"]] == [view["id"]]
    assert len((await feed(other))["changes"]) == 1


async def test_contact_is_masked_in_events(server: OfficeServer) -> None:
    office = await server.client()
    view = await made(office, parties=PARTIES)
    (entry,) = view["fields"]["parties"]
    edit = {"entries": {"parties": {"edit": {entry: {"contact": "13900001111"}}}}}
    await office.patch(f"/v1/records/{view['id']}", json=edit, headers={"if-match": "*"})
    blind = await server.client("records:read", name="看板")
    answer = await blind.get("/v1/changes")
    assert PHONE not in answer.text
    assert "13900001111" not in answer.text
    effect = answer.json()["changes"][1]["effects"][0]
    assert (effect["before"], effect["after"]) == ("138****1234", "139****1111")


async def test_the_cursor_of_each_event_goes_on_after_it(server: OfficeServer) -> None:
    office, reader = await server.client(), await server.client(name="看板")
    ids = [(await made(office, key=str(n)))["id"] for n in range(5)]
    page = await feed(reader, limit=2)
    assert [event["record"]["id"] for event in page["changes"]] == ids[:2]
    after_first = await everything(reader, page["changes"][0]["cursor"], limit=2)
    assert [event["record"]["id"] for event in after_first] == ids[1:]
    end = after_first[-1]["cursor"]
    assert (await feed(reader, end))["changes"] == []
    assert (await feed(reader, "now"))["changes"] == []
    head = (await feed(reader, "now"))["cursor"]
    await made(office, key="new")
    assert len((await feed(reader, head))["changes"]) == 1


async def test_each_township_gets_its_share_and_a_position_of_its_own(server: OfficeServer) -> None:
    office = await server.client(townships=(TOWN, OTHER_TOWN))
    reader = await server.client(townships=(TOWN, OTHER_TOWN), name="县平台")
    for n in range(6):
        await made(office, key=f"a{n}", place=TOWN)
    await made(office, key="b", place=OTHER_TOWN)
    page = await feed(reader, limit=4)
    assert [event["township"] for event in page["changes"]] == [TOWN, TOWN, OTHER_TOWN]
    rest = await everything(reader, page["cursor"], limit=4)
    assert [event["township"] for event in rest] == [TOWN] * 4
    one = await server.client(townships=(TOWN,), name="只看一镇")
    assert {event["township"] for event in await everything(one)} == {TOWN}


async def test_waiting_ends_with_the_next_event(server: OfficeServer) -> None:
    office, reader = await server.client(), await server.client(name="看板")
    head = (await feed(reader, "now"))["cursor"]
    began = time.monotonic()
    waiting = asyncio.create_task(feed(reader, head, wait_s=30))
    await asyncio.sleep(0.3)
    assert not waiting.done()
    pool = server.services.engine.pool
    assert getattr(pool, "checkedout")() == 0, "a waiting reader holds no connection"  # noqa: B009 (no type has it)
    view = await made(office)
    page = await asyncio.wait_for(waiting, 10)
    assert [event["record"]["id"] for event in page["changes"]] == [view["id"]]
    assert time.monotonic() - began < 10
    assert (await feed(reader, page["cursor"], wait_s=0.2))["changes"] == []


async def test_row_1_no_event_is_skipped_while_many_write(server: OfficeServer) -> None:
    """Failures, row 1."""
    reader = await server.client(name="看板")
    devices = [await server.device(f"工{n}") for n in range(4)]
    seen: list[str] = []
    done = asyncio.Event()

    async def poll() -> None:
        since: str | None = None
        while True:
            last = done.is_set()
            page = await feed(reader, since, limit=3)
            seen.extend(event["change"] for event in page["changes"])
            since = page["cursor"]
            if last and not page["changes"]:
                return

    async def write(index: int) -> list[str]:
        device, written = devices[index], []
        for _ in range(8):
            create = device.create(fields={"title": "漏水"}, place=GRID)
            await device.push(create)
            written.append(create.id)
        return written

    polling = asyncio.create_task(poll())
    written = await asyncio.gather(*(write(index) for index in range(len(devices))))
    done.set()
    await polling
    assert sorted(seen) == sorted(change for one in written for change in one)


async def test_cursors_that_do_not_fit(server: OfficeServer) -> None:
    office, reader = await server.client(), await server.client(name="看板")
    await made(office)
    cursor = (await feed(reader))["cursor"]
    altered = cursor[:-2] + ("AA" if cursor[-2:] != "AA" else "BB")
    for bad in (altered, "nonsense", "", cursor + ".x", cursor[:10]):
        answer = await reader.get("/v1/changes", params={"since": bad})
        assert code_of(answer, 400) == "cursor_invalid", bad
    assert code_of(await office.get("/v1/changes", params={"since": cursor}), 400) == "cursor_invalid"


async def test_a_cursor_that_is_too_old_says_how_to_read_again(server: OfficeServer) -> None:
    office, reader = await server.client(), await server.client(name="看板")
    await made(office)
    cursor = (await feed(reader))["cursor"]
    await made(office, key="2")

    async def forget(connection: AsyncConnection) -> None:
        await connection.execute(
            text("UPDATE townships SET horizon = counter WHERE township_id = :t"), {"t": TOWN}
        )

    await transact(server.services.engine, forget)
    answer = await reader.get("/v1/changes", params={"since": cursor})
    assert code_of(answer, 410) == "cursor_expired"
    fresh = answer.json()["cursor"]
    assert answer.json()["read"] == "/v1/records"
    assert (await feed(reader, fresh))["changes"] == []


async def test_the_horizon_expires_old_cursors_and_no_others(server: OfficeServer) -> None:
    """Whoever stands at or above it goes on; and a reader that was up to date, however long nothing happened."""
    office, reader = await server.client(), await server.client(name="看板")
    cursors = []
    for key in "123":
        await made(office, key=key)
        cursors.append((await feed(reader))["cursor"])
        server.now_ms += 1_000
    await trim(server.services.engine, TOWN, server.now_ms - 1_000, now_ms=server.now_ms)
    assert code_of(await reader.get("/v1/changes", params={"since": cursors[0]}), 410) == "cursor_expired"
    assert len((await feed(reader, cursors[1]))["changes"]) == 1
    await trim(server.services.engine, TOWN, server.now_ms, now_ms=server.now_ms)
    assert (await feed(reader, cursors[2]))["changes"] == []
    await made(office, key="4")
    assert len((await feed(reader, cursors[2]))["changes"]) == 1


async def test_a_restored_server_is_recognised(server: OfficeServer) -> None:
    office, reader = await server.client(), await server.client(name="看板")
    await made(office)
    cursor = (await feed(reader))["cursor"]

    async def restore(connection: AsyncConnection) -> None:
        await connection.execute(
            text("UPDATE changes SET change_id = :other WHERE township_id = :t"),
            {"t": TOWN, "other": server.new_id()},
        )

    await transact(server.services.engine, restore)
    answer = await reader.get("/v1/changes", params={"since": cursor})
    assert code_of(answer, 410) == "cursor_expired"


def test_a_cursor_is_of_one_reader_and_each_township_s_part_of_its_own_key() -> None:
    keys = {"a": b"1" * 32, "b": b"2" * 32}
    marks = {"a": Mark(5, "x"), "b": Mark(7, "y")}
    sealed = seal(marks, keys, "reader")
    assert unseal(sealed, keys, "reader") == marks
    assert unseal(sealed, {"a": keys["a"]}, "reader") == {"a": marks["a"]}
    for wrong_keys, reader in (({"a": b"3" * 32}, "reader"), (keys, "other")):
        with pytest.raises(CursorInvalid):
            unseal(sealed, wrong_keys, reader)
