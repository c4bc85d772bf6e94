"""Contact in full for a stated reason, and the one lookup by contact: who, how far, recorded, bounded."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage.engine import snapshot
from server.vault.telephones import telephones
from tests.server.office_server import GRID, TOWN, OfficeServer, office_server
from tests.server.people import Somebody, signed_in

pytestmark = pytest.mark.anyio
PHONE, OTHER = "13800138000", "0523-8688 1234"
WHY = {"reason": "通知听证时间"}


@pytest.fixture
async def server(database_url: str) -> AsyncIterator[OfficeServer]:
    async with office_server(database_url) as running:
        yield running


async def matter(server: OfficeServer, key: str, phone: str, **fields: Any) -> dict[str, Any]:
    party = {"role": "applicant", "name": "钱多多", "contact": phone, "safe_contact": "晚上不要打"}
    given = {"title": key, "nature": "dispute", "parties": [party], **fields}
    async with await server.client() as hotline:
        answer = await hotline.post(
            "/v1/records", json={"kind": "matter", "key": key, "place": GRID, "fields": given}
        )
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made


async def audited(server: OfficeServer) -> list[tuple[str, str, dict[str, Any]]]:
    async def read(connection: AsyncConnection) -> list[Any]:
        rows = "SELECT act, actor, detail FROM audit_entries WHERE act LIKE 'contact%' ORDER BY n"
        return list(await connection.execute(text(rows)))

    rows = await snapshot(server.services.engine, read)
    return [(row.act, row.actor, json.loads(bytes(row.detail))) for row in rows]


async def look_up(somebody: Somebody, contact: str) -> list[str]:
    answer = await somebody.browser.post("/v1/contact-lookup", json={"contact": contact, **WHY})
    assert answer.status_code == 200, answer.text
    found: list[str] = answer.json()["numbers"]
    return found


async def test_contact_is_shown_for_a_reason_until_a_time_and_recorded(server: OfficeServer) -> None:
    made = await matter(server, "a", PHONE)
    clerk = await signed_in(server, "clerk", "陈静")
    path = f"/v1/records/{made['id']}"
    for shown in (await clerk.browser.get(path), await clerk.browser.get(f"{path}/history")):
        assert PHONE not in shown.text
        assert "钱多多" not in shown.text
    answer = await clerk.browser.post(f"{path}/contact", json=WHY)
    assert answer.status_code == 200
    said = answer.json()
    (party,) = said["fields"]["parties"].values()
    assert (party["name"], party["contact"], party["safe_contact"]) == ("钱多多", PHONE, "晚上不要打")
    assert set(said["fields"]) == {"parties"}  # nothing that is shown anyway
    assert said["until_ms"] == server.now_ms + 10 * 60_000
    assert PHONE not in (await clerk.browser.get(path)).text  # the next look needs a reason again
    told = {"record": made["id"], "reason": WHY["reason"]}
    assert await audited(server) == [("contact_shown", f"person:{clerk.row.staff_id}", told)]


@pytest.mark.parametrize("reason", ["", "  a ", "x" * 201, "打给13800138000", "a\x00bcde"])
async def test_without_a_fit_reason_nothing_is_shown_and_nothing_recorded(
    server: OfficeServer, reason: str
) -> None:
    made = await matter(server, "a", PHONE)
    clerk = await signed_in(server, "clerk", "陈静")
    for path, more in ((f"/v1/records/{made['id']}/contact", {}), ("/v1/contact-lookup", {"contact": PHONE})):
        refused = await clerk.browser.post(path, json={"reason": reason, **more})
        assert (refused.status_code, refused.json()["field"]) == (422, "reason")
        assert PHONE not in refused.text
    assert await audited(server) == []


async def test_the_lookup_finds_exactly_and_tells_numbers_only(server: OfficeServer) -> None:
    first, second = (
        await matter(server, "a", PHONE),
        await matter(server, "b", f"+86 138-0013 8000 / {OTHER}"),
    )
    hidden = await matter(server, "c", PHONE, restricted=True)
    clerk = await signed_in(server, "clerk", "陈静")
    assert hidden["number"] not in await look_up(clerk, PHONE)
    assert await look_up(clerk, "86 13800138000") == sorted([first["number"], second["number"]])
    assert await look_up(clerk, "052386881234") == [second["number"]]
    for near in ("1380013800", "138001380001", "13800138001", "8688123"):
        assert await look_up(clerk, near) == []
    answer = await clerk.browser.post("/v1/contact-lookup", json={"contact": PHONE, **WHY})
    assert set(answer.json()) == {"numbers"}
    named = await signed_in(server, "clerk", "有权", sees_restricted=True)
    assert hidden["number"] in await look_up(named, PHONE)
    entries = await audited(server)
    assert len(entries) == 9
    assert {act for act, _, _ in entries} == {"contact_looked_up"}
    assert all(set(detail) == {"found", "reason"} for _, _, detail in entries)


@pytest.mark.parametrize("contact", ["", "钱多多", "123456", "1" * 16, f"{PHONE} {OTHER}"])
async def test_what_is_no_one_number_is_not_looked_for(server: OfficeServer, contact: str) -> None:
    clerk = await signed_in(server, "clerk", "陈静")
    refused = await clerk.browser.post("/v1/contact-lookup", json={"contact": contact, **WHY})
    assert (refused.status_code, refused.json()["field"]) == (422, "contact")


async def test_the_index_follows_edits_and_removals(server: OfficeServer) -> None:
    made = await matter(server, "a", PHONE)
    clerk = await signed_in(server, "clerk", "陈静")
    (party,) = made["fields"]["parties"]
    path, any_version = f"/v1/records/{made['id']}", {"if-match": "*"}
    edit = {"entries": {"parties": {"edit": {party: {"contact": OTHER}}}}}
    assert (await clerk.browser.patch(path, json=edit, headers=any_version)).status_code == 200
    assert await look_up(clerk, PHONE) == []
    assert await look_up(clerk, OTHER) == [made["number"]]
    await clerk.browser.patch(path, json={"fields": {"title": "改"}}, headers=any_version)
    assert await look_up(clerk, OTHER) == [made["number"]]
    gone = {"entries": {"parties": {"remove": [party]}}}
    assert (await clerk.browser.patch(path, json=gone, headers=any_version)).status_code == 200
    assert await look_up(clerk, OTHER) == []


async def test_no_number_can_be_told_from_the_index(server: OfficeServer) -> None:
    await matter(server, "a", PHONE)

    async def read(connection: AsyncConnection) -> list[Any]:
        return list(await connection.execute(text("SELECT township_id, telephone_hash FROM telephones")))

    (row,) = await snapshot(server.services.engine, read)
    assert (row.township_id, len(row.telephone_hash)) == (TOWN, 64)


async def test_nobody_asks_for_contact_all_day(server: OfficeServer) -> None:
    made = await matter(server, "a", PHONE)
    clerk, other = await signed_in(server, "clerk", "陈静"), await signed_in(server, "clerk", "李四")
    path = f"/v1/records/{made['id']}/contact"
    answers = [(await clerk.browser.post(path, json=WHY)).status_code for _ in range(31)]
    assert answers == [200] * 30 + [429]
    assert (await clerk.browser.post("/v1/contact-lookup", json={"contact": PHONE, **WHY})).status_code == 429
    assert (await other.browser.post(path, json=WHY)).status_code == 200
    server.now_ms += 60_001
    assert (await clerk.browser.post(path, json=WHY)).status_code == 200


def test_numbers_are_found_in_what_people_write() -> None:
    assert telephones("电话 138 0013 8000，或 0523-86881234；住3号楼201") == {PHONE, "052386881234"}
    assert telephones("+8613800138000") == telephones("008613800138000") == {PHONE}
    assert telephones("钱多多") == telephones("321283199001011234") == frozenset()
