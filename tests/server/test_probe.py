"""Every id of a township, through every route, asked by every role of the next one: each is answered like none at all.

Ids are read from the tables, and routes from the application, so that neither can be forgotten: a route that is
added here is probed the same day. One that needs a body to get as far as looking has it in `BODIES`.
"""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from server.rights import PEOPLE
from server.storage.tables import metadata
from tests.server.office_server import OTHER_TOWN, TOWN, OfficeServer, office_server
from tests.server.people import signed_in, somebody
from tests.server.test_conflicts_api import Round
from tests.server.world import UNIT, routes

UNKNOWN = "01900000-0000-7000-8000-00000000dead"
BODIES: dict[str, Any] = {
    "records.act": {"action": "accept"},
    "assignments.set": {"units": []},
    "leaders.set": {"leaders": []},
    "conflicts.decide": {"value": 1},
    "contact.show": {"reason": "电话回访"},
    "matters.show": {"reason": "本人申请"},
    "matters.erase": {"reason": "本人申请"},
    "matters.hold": {"reason": "法院调取"},
    "matters.lift": {"reason": "案件已结"},
    "deadlines.explain": {"rule": "resolve", "text": "情况复杂"},
    "deadlines.ask": {"rule": "resolve", "amount": 1, "reason": "情况复杂"},
    "deadlines.decide": {"approved": True, "reason": "同意"},
}
FORM = {
    "reason": "电话回访",
    "rule": "resolve",
    "amount": "1",
    "approved": "true",
    "sort": "urge",
    "text": "情况复杂",
    "words": "三日内反馈",
    "place": f"{OTHER_TOWN}203",
    "key": "1",
    "version": "1",
    "survivor": UNKNOWN,
    "what": "请核实",
    "numbers": f"{OTHER_TOWN}-2025-00001",
    "enabled": "true",
}
"""What any form of a page is sent with: it has no fields that ask for more before the address is looked at."""
LIVES_IN = {
    "staff", "devices", "applications", "credentials", "sessions", "links", "records", "changes", "conflicts",
    "assignments", "taken_on",
}  # fmt: skip
"""Tables of which the township has rows."""
NAMES_ITS_OWNER = {"session.begin", "link.read", "link.use", "devices.enrol", "devices.sync"}
"""Routes that take no id of anything, only credentials (test_guessing.py)."""


@pytest.fixture
async def server(database_url: str) -> AsyncIterator[OfficeServer]:
    async with office_server(database_url) as running:
        yield running


async def lived_in(server: OfficeServer) -> None:
    """A township in which everything has happened that leaves an id."""
    one, two, office = await server.device("李四"), await server.device("王五"), await server.client()
    village = Round(server, one, two, office)
    await village.begin(people_involved=3)
    await village.write(one, fields={"people_involved": 5})
    await village.write(two, fields={"people_involved": 7})
    await one.push(one.create(fields={"title": "漏水", "people_involved": "many"}))
    clerk = await signed_in(server, "clerk", "赵敏")
    leader = await somebody(server, "leader", "钱镇长", factor=True)
    path = f"/v1/records/{village.record}"
    assert (await clerk.browser.put(f"{path}/units", json={"units": [UNIT]})).status_code == 200
    given = {"leaders": [leader.row.staff_id]}
    assert (await clerk.browser.put(f"{path}/leaders", json=given)).status_code == 200
    from server.sessions import links

    await links.make(server.services, clerk.row)


NO_IDS = {"township_id", "password_hash"}


async def ids_of(server: OfficeServer, township: str) -> dict[str, set[str]]:
    """Every id, and every hash that stands for one, in the rows of a township, by table."""
    found: dict[str, set[str]] = {}
    async with server.services.engine.connect() as connection:
        for table in metadata.sorted_tables:
            named = [c for c in table.columns if c.name.endswith(("_id", "_hash")) and c.name not in NO_IDS]
            if "township_id" not in table.columns or not named:
                continue
            rows = await connection.execute(select(*named).where(table.c.township_id == township))
            found[table.name] = {str(value) for row in rows for value in row if value is not None}
    return found


async def readers(server: OfficeServer) -> AsyncIterator[tuple[str, httpx2.AsyncClient]]:
    """Somebody of every role, and an application with every scope, of the township next door (or its county)."""
    for role in PEOPLE:
        scope: dict[str, Any] = {"sees_restricted": True}
        scope |= {"village": f"{OTHER_TOWN}203"} if role == "village_officer" else {}
        scope |= {"unit": UNIT} if role == "unit_handler" else {}
        township = {} if role.startswith("county") else {"township": OTHER_TOWN}
        person = await signed_in(server, role, f"隔壁 {role}", **township, **scope)
        if role == "grid_worker":
            await server.device_of(person.row, f"{OTHER_TOWN}203001")
        yield role, person.browser
    async with await server.client(townships=(OTHER_TOWN,)) as token:
        yield "application", token


def with_ids(server: OfficeServer) -> Iterator[tuple[str, str, str]]:
    """Method, path and action of every route that names something in its path."""
    for (method, path), action in sorted(routes(server.app).items()):
        if (
            "{" in path
            and action not in {"schema", *NAMES_ITS_OWNER}
            and not (action or "").startswith("page")
        ):
            yield method, path, action or ""


PATIENCE_MS = 2_100
"""Between two questions: who asks for contact more often is sent away, whatever is asked for."""


def filled(path: str, with_: str) -> str:
    parts = [with_ if part.startswith("{") else part for part in path.split("/")]
    return "/".join(parts)


async def test_no_id_of_another_township_is_answered_otherwise_than_none(server: OfficeServer) -> None:
    await lived_in(server)
    by_table = await ids_of(server, TOWN)
    assert {table for table in LIVES_IN if not by_table[table]} == set()
    ids = sorted(set[str]().union(*by_table.values()))
    # Pages ask the same services, so one id of each table is enough for them.
    few = sorted({min(held) for held in by_table.values() if held})
    asked = 0
    async for role, reader in readers(server):
        for method, path, action in with_ids(server):
            body = None if method in {"GET", "DELETE"} else BODIES.get(action, {})

            async def ask(one: str, m: str = method, p: str = path, b: Any = body) -> httpx2.Response:
                server.now_ms += PATIENCE_MS
                said: Any = {"data": FORM} if m == "POST" and p.startswith("/office") else {"json": b}
                return await reader.request(m, filled(p, one), headers={"if-match": "*"}, **said)  # noqa: B023

            nothing = await ask(UNKNOWN)
            assert nothing.status_code in {403, 404}, (action, role, "give it a body in BODIES", nothing.text)
            known = few if path.startswith("/office") else ids
            for one in known if nothing.status_code == 404 else ids[:1]:
                answer = await ask(one)
                assert (answer.status_code, answer.content) == (nothing.status_code, nothing.content), (
                    action,
                    role,
                    [table for table, held in by_table.items() if one in held],
                )
                asked += 1
    assert asked > 10 * len(ids)


async def test_no_query_tells_an_id_of_another_township_from_none(server: OfficeServer) -> None:
    await lived_in(server)
    ids = sorted(set[str]().union(*(await ids_of(server, TOWN)).values()))
    described = (await server.client_with("").get("/schema/openapi.json")).json()["paths"]
    admin = await signed_in(server, "administrator", "隔壁", township=OTHER_TOWN)
    async with await server.client(
        "records:read", "review", "figures:read", townships=(OTHER_TOWN,)
    ) as token:
        for path, methods in described.items():
            names = [p["name"] for p in methods.get("get", {}).get("parameters", []) if p["in"] == "query"]
            for name in names if "{" not in path else []:
                for reader in (admin.browser, token):
                    nothing = await reader.get(path, params={"measure": "found", name: UNKNOWN})
                    for one in ids[:: max(1, len(ids) // 12)]:
                        answer = await reader.get(path, params={"measure": "found", name: one})
                        told = answer.text.replace(one, UNKNOWN)
                        assert (answer.status_code, told) == (nothing.status_code, nothing.text), (path, name)


async def test_no_body_takes_somebody_of_another_township(server: OfficeServer) -> None:
    theirs = await somebody(server, "leader", "钱镇长")
    clerk = await signed_in(server, "clerk", "隔壁", township=OTHER_TOWN)
    new = {
        "kind": "matter",
        "key": "1",
        "place": OTHER_TOWN,
        "fields": {"title": "漏水", "nature": "service"},
    }
    record = (await clerk.browser.post("/v1/records", json=new)).json()["id"]
    answers = [
        await clerk.browser.put(f"/v1/records/{record}/leaders", json={"leaders": [one]})
        for one in (theirs.row.staff_id, UNKNOWN)
    ]
    assert [answer.status_code for answer in answers] == [422, 422]
    assert answers[0].content == answers[1].content
    assert json.loads(answers[0].content)["field"] == "leaders"
