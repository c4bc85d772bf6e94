"""Deadlines through HTTP: lists by reach, what was told, explanations, extensions."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from server.audit.service import listed as audit_listed
from server.deadlines.views import After
from tests.deadlines.desk import DAY_MS, HOUR_MS, Desk, at
from tests.server.office_server import OTHER_TOWN, TOWN, VILLAGE, office_server
from tests.server.people import signed_in

START = at("2026-03-02 10:00")
UNIT = "司法所"
REASON = {"reason": "案情复杂"}


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[Desk]:
    async with office_server(database_url) as server:
        made = Desk(server)
        made.move_to(START)
        await made.keep()
        yield made


async def accepted(desk: Desk, **fields: object) -> str:
    record = await desk.report(source="letter", **fields)
    await desk.push(desk.step(record, "accept"), desk.step(record, "handle"))
    await desk.keep()
    return record


async def extension_of(who: httpx2.AsyncClient, record: str, **says: object) -> httpx2.Response:
    body = {"rule": "statutory_resolve", "amount": 30, **REASON, **says}
    return await who.post(f"/v1/records/{record}/extensions", json=body)


async def test_what_is_due_first_stands_first_and_a_list_goes_on(desk: Desk) -> None:
    records = []
    for _ in range(3):
        records.append(await accepted(desk))
        desk.move_to(desk.server.now_ms + HOUR_MS)
    async with await desk.server.client("records:read", townships=(TOWN, OTHER_TOWN)) as office:
        whole = (await office.get("/v1/deadlines", params={"status": "running"})).json()
        assert [(one["record"]["id"], one["rule"]) for one in whole["deadlines"]] == [
            (record, rule) for rule in ("resolve", "statutory_resolve") for record in records
        ]
        first = whole["deadlines"][0]
        assert first["due_ms"] == START + 30 * DAY_MS
        assert first["title"] == {"zh": "三十日内化解", "en": "Resolved in 30 days"}
        assert first["record"] == {
            "id": records[0], "township": TOWN, "kind": "matter", "place": f"{VILLAGE}001",
            "state": "handling", "number": f"{TOWN}-2026-00001",
        }  # fmt: skip
        paged, after = list[Any](), ""
        while True:
            params: dict[str, str | int] = {
                "status": "running",
                "limit": 2,
                **({"after": after} if after else {}),
            }
            page = (await office.get("/v1/deadlines", params=params)).json()
            paged += page["deadlines"]
            after = page["next"] or ""
            if not after:
                break
        assert paged == whole["deadlines"]


async def test_due_soon_and_overdue(desk: Desk) -> None:
    record = await accepted(desk)
    async with await desk.server.client("records:read") as office:

        async def rules(**asked: str | int) -> list[str]:
            answer = await office.get("/v1/deadlines", params={"record": record, **asked})
            assert answer.status_code == 200, answer.text
            return [one["rule"] for one in answer.json()["deadlines"]]

        assert await rules(status="running", within_h=30 * 24) == []
        desk.move_to(START + HOUR_MS)
        assert await rules(status="running", within_h=30 * 24) == ["resolve"]
        assert await rules(status="running", overdue=True) == []
        desk.move_to(START + 31 * DAY_MS)
        assert await rules(status="running", overdue=True) == ["resolve"]
        assert await rules(rule="statutory_resolve") == ["statutory_resolve"]
        await desk.push(desk.step(record, "resolve"))
        await desk.keep()
        desk.move_to(START + 90 * DAY_MS)
        assert await rules(status="met", overdue=True) == ["resolve"]
        assert await rules(status="running") == []
        for wrong in ({"status": "late"}, {"within_h": -1}, {"within_h": 10**9}):
            assert (await office.get("/v1/deadlines", params=wrong)).status_code == 422
        nothing = After(TOWN, 0, record, "r\0", 0).token()
        for after in ("x", "0" * 7, nothing):
            assert (await office.get("/v1/deadlines", params={"after": after})).json()[
                "code"
            ] == "cursor_invalid"


async def test_everybody_sees_what_lies_within_their_reach(desk: Desk) -> None:
    server = desk.server
    plain, secret = await accepted(desk), await accepted(desk, restricted=True)
    async with await server.client("records:read") as office:
        assert (await office.get(f"/v1/records/{secret}/deadlines")).status_code == 404
        listed = (await office.get("/v1/deadlines")).json()["deadlines"]
        assert {one["record"]["id"] for one in listed} == {plain}
        await desk.keep_at(START + 26 * DAY_MS)
        events = (await office.get("/v1/deadlines/events")).json()
        assert {one["record"]["id"] for one in events["events"]} == {plain}
    officer = await signed_in(server, "village_officer", "赵敏", village=VILLAGE)
    seen = (await officer.browser.get("/v1/deadlines")).json()["deadlines"]
    assert {one["record"]["id"] for one in seen} == {plain}
    handler = await signed_in(server, "unit_handler", "孙办", unit=UNIT)
    assert (await handler.browser.get("/v1/deadlines")).json()["deadlines"] == []
    clerk = await signed_in(server, "clerk", "钱文", sees_restricted=True)
    await clerk.browser.put(f"/v1/records/{plain}/units", json={"units": [UNIT]})
    seen = (await handler.browser.get("/v1/deadlines")).json()["deadlines"]
    assert {one["record"]["id"] for one in seen} == {plain}
    seen = (await clerk.browser.get("/v1/deadlines")).json()["deadlines"]
    assert {one["record"]["id"] for one in seen} == {plain, secret}
    elsewhere = await signed_in(server, "clerk", "外镇", township=OTHER_TOWN)
    assert (await elsewhere.browser.get("/v1/deadlines")).json()["deadlines"] == []
    refused = await elsewhere.browser.get("/v1/deadlines/events", params={"township": TOWN})
    assert refused.json()["cause"] == "unknown_place"


async def test_what_was_told_is_followed_by_number(desk: Desk) -> None:
    record = await accepted(desk)
    async with await desk.server.client("records:read") as office:
        assert (await office.get("/v1/deadlines/events")).json() == {"events": [], "last": 0}
        await desk.keep_at(START + 30 * DAY_MS)
        page = (await office.get("/v1/deadlines/events", params={"limit": 1})).json()
        assert [one["sort"] for one in page["events"]] == ["warning"]
        page = (await office.get("/v1/deadlines/events", params={"since": page["last"]})).json()
        (event,) = page["events"]
        assert (event["sort"], event["rule"], event["at_ms"]) == (
            "explanation",
            "resolve",
            START + 30 * DAY_MS,
        )
        nothing = (await office.get("/v1/deadlines/events", params={"since": page["last"]})).json()
        assert nothing == {"events": [], "last": page["last"]}
        await desk.keep_at(START + 45 * DAY_MS)
        page = (await office.get("/v1/deadlines/events", params={"since": page["last"]})).json()
        (event,) = page["events"]
        assert (event["to"], event["measures"], event["record"]["id"]) == (
            "leader",
            ["circulate", "supervise"],
            record,
        )
        warnings = (await office.get("/v1/deadlines/events", params={"sort": "warning"})).json()
        assert len(warnings["events"]) == 1
        for wrong in ({"sort": "alarm"}, {"since": -1}):
            assert (await office.get("/v1/deadlines/events", params=wrong)).status_code == 422


async def test_an_approved_extension_moves_the_date_and_its_warning(desk: Desk) -> None:
    server = desk.server
    record = await accepted(desk)
    clerk = (await signed_in(server, "clerk", "钱文")).browser
    assert (await extension_of(clerk, record, rule="resolve")).status_code == 422
    assert (await extension_of(clerk, record, amount=31)).status_code == 422
    asked = (await extension_of(clerk, record)).json()
    (entry,) = asked["entries"]
    assert (entry["by_name"], entry["unit"], entry["amount"], entry["approved"]) == ("钱文", "days", 30, None)
    assert (await extension_of(clerk, record)).status_code == 422
    path = f"/v1/records/{record}/extensions/{entry['id']}/decide"
    refused = await clerk.post(path, json={"approved": True, **REASON})
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    await desk.keep_at(START + 51 * DAY_MS)
    leader = await signed_in(server, "leader", "周书记")  # a session does not last so long
    words = {"approved": True, "reason": "同意"}
    done = (await leader.browser.post(path, json=words)).json()
    (entry,) = done["entries"]
    assert (entry["approved"], entry["decided_by_name"], entry["decided_words"]) == (True, "周书记", "同意")
    due = {one["rule"]: one["due_ms"] for one in done["deadlines"] if one["status"] == "running"}
    assert due == {"resolve": START + 30 * DAY_MS, "statutory_resolve": START + 90 * DAY_MS}
    # Once: again is the same, another word comes too late, a further extension is not allowed.
    assert (await leader.browser.post(path, json=words)).status_code == 200
    assert (await leader.browser.post(path, json={"approved": False, **REASON})).json()[
        "code"
    ] == "already_decided"
    acts = [entry.act for entry in await audit_listed(server.services.engine, TOWN)]
    assert acts.count("extension_decided") == 1
    await desk.keep_at(START + 91 * DAY_MS)
    law = [
        (sort, (ms - START) / DAY_MS)
        for rule, sort, ms in await desk.told(record)
        if rule == "statutory_resolve"
    ]
    assert law == [("warning", 50), ("warning", 80), ("escalation", 90), ("explanation", 90)]


async def test_a_refused_extension_moves_nothing_and_another_may_be_asked_for(desk: Desk) -> None:
    record = await accepted(desk)
    clerk = (await signed_in(desk.server, "clerk", "钱文")).browser
    leader = (await signed_in(desk.server, "leader", "周书记")).browser
    entry = (await extension_of(clerk, record)).json()["entries"][0]
    path = f"/v1/records/{record}/extensions/{entry['id']}/decide"
    done = (await leader.post(path, json={"approved": False, "reason": "不同意"})).json()
    assert START + 60 * DAY_MS in {one["due_ms"] for one in done["deadlines"]}
    desk.move_to(desk.server.now_ms + 1_000)
    assert (await extension_of(clerk, record, amount=10)).status_code == 200
    await desk.push(desk.step(record, "resolve"))
    await desk.keep()
    entries = (await clerk.get(f"/v1/records/{record}/deadlines")).json()["entries"]
    path = f"/v1/records/{record}/extensions/{entries[-1]['id']}/decide"
    late = await leader.post(path, json={"approved": True, **REASON})
    assert late.status_code == 422


async def test_two_who_ask_at_once_and_a_double_click_are_one_request(desk: Desk) -> None:
    record = await accepted(desk)
    clerk = (await signed_in(desk.server, "clerk", "钱文")).browser
    clerk.headers["idempotency-key"] = "click-1"
    same = await asyncio.gather(*(extension_of(clerk, record) for _ in range(2)))
    assert [one.status_code for one in same] == [200, 200]
    other = (await signed_in(desk.server, "clerk", "王文")).browser
    assert (await extension_of(other, record)).status_code == 422
    text = {"rule": "resolve", "text": "当事人外出，约定下周调解。"}
    clerk.headers["idempotency-key"] = "click-2"
    for _ in range(2):
        explained = await clerk.post(f"/v1/records/{record}/explanations", json=text)
        assert explained.status_code == 200, explained.text
    entries = (await clerk.get(f"/v1/records/{record}/deadlines")).json()["entries"]
    sorts = [one["sort"] for one in entries]
    assert sorted(sorts) == ["explanation", "extension"]


async def test_what_cannot_be_written(desk: Desk) -> None:
    record = await accepted(desk)
    clerk = (await signed_in(desk.server, "clerk", "钱文")).browser
    path = f"/v1/records/{record}/explanations"
    wrong = [("tracked", "因", 422), *(("resolve", text, 400) for text in ("", "a\0b", "因" * 2_001))]
    for rule, text, status in wrong:
        answer = await clerk.post(path, json={"rule": rule, "text": text})
        assert answer.status_code == status, answer.text
    unknown = await clerk.post(f"/v1/records/{record}/extensions/x/decide", json={"approved": True, **REASON})
    assert unknown.status_code == 404
