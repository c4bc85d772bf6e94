"""What people do about their own way in is in the audit, and a password-guessing attacker does not fill it."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import select

from server.audit.service import verify
from server.sessions import links
from server.sessions.noted import is_told
from server.staff import service as staff
from server.storage.tables import audit_entries
from tests.server.office_server import TOWN, OfficeServer, office_server
from tests.server.people import PASSWORD, Somebody, browser, signed_in, somebody

HOUR_MS = 3_600_000
OTHER_PASSWORD = PASSWORD + "-zwei"


@pytest.fixture
async def server(database_url: str) -> AsyncIterator[OfficeServer]:
    async with office_server(database_url) as running:
        yield running


async def chain(server: OfficeServer, township: str = TOWN) -> list[tuple[str, str, dict[str, Any]]]:
    """Act, by whom, about what, of a chain that is whole."""
    assert not any(one.faults for one in await verify(server.services.engine))
    async with server.services.engine.connect() as connection:
        rows = await connection.execute(select(audit_entries).order_by(audit_entries.c.n))
        return [(r.act, r.actor, json.loads(r.detail)) for r in rows if r.township_id == township]


async def since(server: OfficeServer, before: int) -> list[tuple[str, str, dict[str, Any]]]:
    """The entries after so many."""
    return (await chain(server))[before:]


def me(one: Somebody) -> str:
    return f"person:{one.row.staff_id}"


async def test_from_the_link_to_the_way_out(server: OfficeServer) -> None:
    before = len(await chain(server))
    chief = await signed_in(server, "administrator", "钱主任")
    assert (await chief.browser.delete("/v1/session")).status_code == 204
    assert (await chief.browser.delete("/v1/session")).status_code == 401
    added, made, *rest = await since(server, before)
    assert (added[0], made[0], made[1]) == ("staff_added", "link_made", "operator")
    assert made[2]["staff"] == chief.row.staff_id
    assert rest == [
        ("link_used", me(chief), {}),
        ("second_factor_set", me(chief), {"replaced": False}),
        ("signed_in", me(chief), {}),
        ("signed_out", me(chief), {}),
    ]


async def test_another_password_another_factor_and_a_recovery_code(server: OfficeServer) -> None:
    chief = await signed_in(server, "administrator", "钱主任")
    before = len(await chain(server))
    assert (await chief.sign_in(code=chief.recovery[0])).status_code == 200
    wanted = {"old": PASSWORD, "new": OTHER_PASSWORD}
    assert (await chief.browser.post("/v1/session/password", json=wanted)).status_code == 204
    zhao = await somebody(server, "clerk", "赵敏", factor=True)
    link = await links.make(server.services, zhao.row)
    plain = {"link": link, "password": OTHER_PASSWORD}
    assert (await zhao.browser.post("/v1/link/password", json=plain)).status_code == 200
    told = [one for one in await since(server, before) if one[0] not in {"staff_added", "link_made"}]
    assert told == [
        ("recovery_code_used", me(chief), {"left": 9}),
        ("signed_in", me(chief), {}),
        ("password_changed", me(chief), {}),
        ("link_used", me(zhao), {}),
        ("second_factor_set", me(zhao), {"replaced": False}),
        ("link_used", me(zhao), {}),
        ("second_factor_removed", me(zhao), {}),
    ]


async def test_an_act_that_fails_or_changes_nothing_leaves_no_entry(server: OfficeServer) -> None:
    chief, zhao = await signed_in(server, "administrator", "钱主任"), await signed_in(server, "clerk", "赵敏")
    before = len(await chain(server))
    wrong = {"old": "no no no no no", "new": OTHER_PASSWORD}
    assert (await zhao.browser.post("/v1/session/password", json=wrong)).status_code == 401
    assert (await zhao.browser.post("/v1/link/password", json={"link": "x", "password": PASSWORD})).is_error
    for _ in range(2):
        assert (await chief.browser.post(f"/v1/staff/{zhao.row.staff_id}/sign-out")).status_code == 204
    ended = {"staff": zhao.row.staff_id, "sessions": 1}
    assert await since(server, before) == [("sessions_ended", me(chief), ended)]
    for _ in range(2):
        await staff.set_scope(
            server.services.engine, zhao.row.staff_id, TOWN, sees_restricted=True, now_ms=server.now_ms
        )
    (scope,) = (await since(server, before))[1:]
    told = {"staff": zhao.row.staff_id, "sees_restricted": True, "sees_restricted_before": None}
    assert scope == ("staff_scope_changed", "operator", told)


async def test_a_guessed_account_is_told_at_the_first_wait_and_by_doublings(server: OfficeServer) -> None:
    zhao = await somebody(server, "clerk", "赵敏")
    before = len(await chain(server))
    for _ in range(24):
        server.now_ms += 16 * 60_000  # a patient attacker, who waits as long as it takes
        assert (await zhao.sign_in(password="wrong wrong wrong")).status_code == 401
    told = await since(server, before)
    assert {(act, by, about["staff"]) for act, by, about in told} == {
        ("sign_ins_failed", "unknown", zhao.row.staff_id)
    }
    assert [about["failures"] for _, _, about in told] == [5, 10, 20]
    server.now_ms += 16 * 60_000
    assert (await zhao.sign_in()).status_code == 200
    assert [act for act, _, _ in await since(server, before + 3)] == ["signed_in"]


async def test_invented_names_are_counted_together_and_told_once_an_hour(server: OfficeServer) -> None:
    before = len(await chain(server))
    async with browser(server) as stranger:

        async def guess(*names: str) -> None:
            for name in names:
                says = {"township": TOWN, "name": name, "password": "wrong wrong wrong"}
                assert (await stranger.post("/v1/sign-in", json=says)).status_code == 401

        await guess(*(f"无此人{n}" for n in range(6)))
        assert await since(server, before) == [("sign_ins_failed", "unknown", {"staff": None, "failures": 1})]
        server.now_ms += HOUR_MS
        await guess("再一个")
        server.now_ms += 2 * HOUR_MS
        await guess("又一个", "还有一个")
    assert [about["failures"] for _, _, about in await since(server, before)] == [1, 6, 1]
    server.now_ms += 30 * HOUR_MS
    zhao = await signed_in(server, "clerk", "赵敏")  # whose success tells what was left, and forgets nothing
    told = [about for act, _, about in await since(server, before + 3) if act == "sign_ins_failed"]
    assert told == [{"staff": None, "failures": 1}]
    assert zhao.row.name not in repr(await chain(server))


def test_doublings_of_what_an_account_may_have() -> None:
    assert [n for n in range(100) if is_told(n, 5)] == [5, 10, 20, 40, 80]
    assert [n for n in range(10) if is_told(n, 1)] == [1, 2, 4, 8]
