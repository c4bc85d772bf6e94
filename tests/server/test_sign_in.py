"""People sign in: passwords, the second factor, sessions, one-time links, and what an attacker meets."""

import asyncio
import re
import statistics
import time
from collections.abc import AsyncIterator

import msgspec
import pytest
from sqlalchemy import text

from server.sessions import links, passwords
from server.staff import service as staff
from tests.server.office_server import TOWN, OfficeServer, office_server
from tests.server.people import PASSWORD, STEP_MS, browser, signed_in, somebody

MINUTE_MS, HOUR_MS = 60_000, 3_600_000
UNKNOWN = "01900000-0000-7000-8000-000000000001"


@pytest.fixture
async def server(database_url: str) -> AsyncIterator[OfficeServer]:
    async with office_server(database_url) as running:
        yield running


async def test_a_session_begins_says_who_it_is_and_ends(server: OfficeServer) -> None:
    zhao = await somebody(server, "clerk", "赵敏")
    answer = await zhao.sign_in()
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-roundbook=rbs.321283104.")
    assert {part.strip().lower() for part in cookie.split(";")[1:]} == {
        "secure", "httponly", "path=/", "samesite=lax"
    }  # fmt: skip
    shown = (await zhao.browser.get("/v1/session")).json()
    assert (shown["name"], shown["role"], shown["township"]) == ("赵敏", "clerk", TOWN)
    assert "conflicts.decide" in shown["actions"]
    assert "staff.sign_out" not in shown["actions"]
    ended = await zhao.browser.delete("/v1/session")
    assert ended.status_code == 204
    zhao.browser.cookies.set("__Host-roundbook", cookie.split("=", 1)[1].split(";")[0])
    assert (await zhao.browser.get("/v1/session")).status_code == 401


async def test_plain_http_on_this_machine_takes_a_cookie_without_tls_and_nowhere_else(
    server: OfficeServer,
) -> None:
    zhao = await somebody(server, "clerk", "赵敏")
    for base, secure in (("http://127.0.0.1:8000", False), ("http://office.test", True)):
        server.now_ms += STEP_MS
        async with browser(server, base) as here:
            cookie = (await here.post("/v1/sign-in", json=zhao.says())).headers["set-cookie"]
            assert ("secure" in cookie.lower()) is secure
            assert cookie.startswith("__Host-roundbook=" if secure else "roundbook=")


async def test_what_changes_something_needs_the_pages_own_value(server: OfficeServer) -> None:
    zhao = await signed_in(server, "clerk", "赵敏")
    body = {"kind": "matter", "key": "1", "place": TOWN, "fields": {"title": "漏水", "nature": "service"}}
    right = zhao.browser.headers.pop("roundbook-csrf")
    for sent in ({}, {"roundbook-csrf": ""}, {"roundbook-csrf": right[:-1] + "!"}):
        refused = await zhao.browser.post("/v1/records", json=body, headers=sent)
        assert (refused.status_code, refused.json()["code"]) == (403, "csrf_invalid")
    taken = await zhao.browser.post("/v1/records", json=body, headers={"roundbook-csrf": right})
    assert taken.status_code == 201
    assert taken.json()["state"] == "reported"
    form = msgspec.json.encode(zhao.says())  # what a form of another site can send unasked
    answer = await zhao.browser.post("/v1/sign-in", content=form, headers={"content-type": "text/plain"})
    assert answer.json()["code"] == "unsupported_media"


async def test_a_session_is_over_when_idle_and_after_its_hours(server: OfficeServer) -> None:
    zhao = await signed_in(server, "clerk", "赵敏")
    for _ in range(24):  # twelve hours in steps of half an hour less a minute and a half
        server.now_ms += 28 * MINUTE_MS
        assert (await zhao.browser.get("/v1/session")).status_code == 200
    server.now_ms += 30 * MINUTE_MS
    assert (await zhao.browser.get("/v1/session")).status_code == 401
    await zhao.sign_in()
    began = server.now_ms
    while server.now_ms < began + 12 * HOUR_MS - 20 * MINUTE_MS:
        server.now_ms += 20 * MINUTE_MS
        assert (await zhao.browser.get("/v1/session")).status_code == 200
    server.now_ms = began + 12 * HOUR_MS
    assert (await zhao.browser.get("/v1/session")).status_code == 401


async def test_signing_in_gives_another_id_and_ends_the_one_before(server: OfficeServer) -> None:
    zhao = await signed_in(server, "clerk", "赵敏")
    first = zhao.browser.cookies["__Host-roundbook"]
    await zhao.sign_in()
    assert zhao.browser.cookies["__Host-roundbook"] != first
    async with browser(server) as thief:
        thief.cookies.set("__Host-roundbook", first)
        assert (await thief.get("/v1/session")).status_code == 401


async def test_a_code_of_the_telephone_counts_once_and_a_recovery_code_too(server: OfficeServer) -> None:
    chief = await somebody(server, "administrator", "钱主任")
    assert len(set(chief.recovery)) == 10
    without = await chief.browser.post("/v1/sign-in", json={**chief.says(), "code": None})
    assert (without.status_code, without.json()["code"]) == (401, "second_factor_required")
    assert (await chief.sign_in()).status_code == 200
    again = await chief.browser.post("/v1/sign-in", json=chief.says())
    assert (again.status_code, again.json()["code"]) == (401, "sign_in_failed")
    paper = chief.recovery[3].lower()
    assert (await chief.sign_in(code=paper)).status_code == 200
    assert (await chief.sign_in(code=paper)).json()["code"] == "sign_in_failed"
    assert (await chief.sign_in(code="000000")).json()["code"] == "sign_in_failed"


async def test_an_administrator_sets_no_password_without_the_second_factor(server: OfficeServer) -> None:
    chief = await somebody(server, "administrator", "钱主任")
    link = await links.make(server.services, chief.row)
    bare = await chief.browser.post("/v1/link/password", json={"link": link, "password": PASSWORD})
    assert bare.json()["code"] == "second_factor_required"
    wrong = await chief.browser.post(
        "/v1/link/password", json={"link": link, "password": PASSWORD, "code": "000000"}
    )
    assert wrong.json()["code"] == "sign_in_failed"
    assert (await chief.sign_in()).status_code == 200, "the old password stays until the link is used"


@pytest.mark.parametrize(
    "password",
    [
        "short-9!",
        "password123456",
        "Password123456",
        "1qaz2wsx3edc",
        "woaini1314520",
        "赵敏的秘密abcdefgh",
        "a" * 201,
    ],
)
async def test_short_published_and_telling_passwords_are_refused(server: OfficeServer, password: str) -> None:
    zhao = await somebody(server, "clerk", "赵敏")
    link = await links.make(server.services, zhao.row)
    refused = await zhao.browser.post("/v1/link/password", json={"link": link, "password": password})
    assert (refused.status_code, refused.json()["code"]) == (422, "password_refused")
    assert password not in refused.text


async def test_a_link_is_good_once_for_its_hours_and_until_the_next(server: OfficeServer) -> None:
    zhao = await somebody(server, "clerk", "赵敏")
    void = await links.make(server.services, zhao.row)
    link = await links.make(server.services, zhao.row)

    async def use(secret: str) -> str:
        answer = await zhao.browser.post("/v1/link/password", json={"link": secret, "password": PASSWORD})
        return str(answer.json().get("code", answer.status_code))

    assert await use(void) == "link_invalid"
    assert await use(link[:-1] + "!") == "link_invalid"
    assert await use(link) == "200"
    assert await use(link) == "link_invalid"
    late = await links.make(server.services, zhao.row)
    server.now_ms += 24 * HOUR_MS
    assert await use(late) == "link_invalid"


async def test_failures_make_an_account_wait_and_nobody_else(server: OfficeServer) -> None:
    zhao, qian = await somebody(server, "clerk", "赵敏"), await somebody(server, "clerk", "钱程")
    for _ in range(5):
        assert (await zhao.sign_in(password="wrong wrong wrong")).status_code == 401
    at_once = await zhao.browser.post("/v1/sign-in", json=zhao.says())
    assert (at_once.status_code, at_once.headers["retry-after"]) == (429, "1")
    for _ in range(9):
        server.now_ms += 15 * MINUTE_MS
        await zhao.sign_in(password="wrong wrong wrong")
    told = await zhao.browser.post("/v1/sign-in", json=zhao.says())
    assert (told.status_code, told.json()["code"]) == (429, "too_many_requests")
    assert int(told.headers["retry-after"]) > 60
    assert (await qian.sign_in()).status_code == 200, "the same address, another account"
    server.now_ms += 1_000 * int(told.headers["retry-after"])
    assert (await zhao.sign_in()).status_code == 200


async def test_many_guesses_at_once_are_many_failures(server: OfficeServer) -> None:
    zhao = await somebody(server, "clerk", "赵敏")
    guesses = [zhao.browser.post("/v1/sign-in", json=zhao.says(password=f"guess {n:010}")) for n in range(20)]
    codes = [answer.json()["code"] for answer in await asyncio.gather(*guesses)]
    assert codes.count("sign_in_failed") <= 6
    assert codes.count("too_many_requests") >= 14


async def test_an_address_that_guesses_too_much_waits(server: OfficeServer) -> None:
    async with browser(server) as stranger:
        codes = [
            (await stranger.post("/v1/link", json={"link": f"rbl.{TOWN}.{n:043}"})).json()["code"]
            for n in range(201)
        ]
    assert set(codes[:200]) == {"link_invalid"}
    assert codes[200] == "too_many_requests"


@pytest.mark.usefixtures("real_passwords")
async def test_passwords_are_kept_as_rfc_9106_recommends() -> None:
    kept = await passwords.hashed(PASSWORD)
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert await passwords.fits(PASSWORD, kept)


@pytest.mark.usefixtures("real_passwords")
async def test_an_unknown_name_gets_the_same_answer_in_the_same_time(server: OfficeServer) -> None:
    zhao = await somebody(server, "clerk", "赵敏")
    idle = await staff.add(
        server.services.engine,
        staff.Candidate("无密码", "clerk", TOWN),
        now_ms=server.now_ms,
        random=server.random,
    )
    took: dict[str, list[float]] = {}
    bodies = set()
    for _ in range(4):
        for name in (zhao.row.name, idle.name, "没有此人", UNKNOWN):
            # The processor's time of this process: what else runs on the machine does not count.
            begun = time.process_time()
            answer = await zhao.sign_in(name=name, password="wrong wrong wrong")
            took.setdefault(name, []).append(time.process_time() - begun)
            bodies.add((answer.status_code, answer.content))
    assert len(bodies) == 1
    # A verification takes some hundred times what the rest does: one more or one less would be a factor of two.
    medians = [statistics.median(times) for times in took.values()]
    assert max(medians) < 1.5 * min(medians), took


async def test_sessions_end_with_a_new_password_by_the_administrator_and_when_work_ends(
    server: OfficeServer,
) -> None:
    chief = await signed_in(server, "administrator", "钱主任")
    zhao = await signed_in(server, "clerk", "赵敏")
    assert (await zhao.browser.post(f"/v1/staff/{chief.row.staff_id}/sign-out")).status_code == 403
    assert (await chief.browser.post(f"/v1/staff/{UNKNOWN}/sign-out")).status_code == 404
    assert (await chief.browser.post(f"/v1/staff/{zhao.row.staff_id}/sign-out")).status_code == 204
    assert (await zhao.browser.get("/v1/session")).status_code == 401

    await zhao.sign_in()
    wrong = await zhao.browser.post("/v1/session/password", json={"old": "no", "new": PASSWORD + "2"})
    assert wrong.json()["code"] == "sign_in_failed"
    done = await zhao.browser.post("/v1/session/password", json={"old": PASSWORD, "new": PASSWORD + "2"})
    assert done.status_code == 204
    assert (await zhao.browser.get("/v1/session")).status_code == 401
    assert (await zhao.sign_in()).status_code == 401
    assert (await zhao.sign_in(password=PASSWORD + "2")).status_code == 200

    await staff.set_enabled(server.services.engine, "赵敏", TOWN, enabled=False, now_ms=server.now_ms)
    assert (await zhao.browser.get("/v1/session")).status_code == 401
    assert (await zhao.sign_in(password=PASSWORD + "2")).json()["code"] == "sign_in_failed"


async def test_the_database_holds_no_secret(server: OfficeServer) -> None:
    chief = await signed_in(server, "administrator", "钱主任")
    link = await links.make(server.services, chief.row)
    secrets = [PASSWORD, link.split(".")[2], chief.browser.cookies["__Host-roundbook"].split(".")[2]]
    secrets += [chief.browser.headers["roundbook-csrf"], *chief.recovery]
    async with server.services.engine.connect() as connection:
        for table in ("credentials", "sessions", "links", "attempts", "staff"):
            rows = repr((await connection.execute(text(f"SELECT * FROM {table}"))).all())
            assert [one for one in secrets if one in rows] == [], table


async def test_pages_have_no_script_and_no_style_inside(server: OfficeServer) -> None:
    async with browser(server) as stranger:
        for name in ("welcome", "sign-in"):
            page = await stranger.get(f"/{name}")
            assert page.headers["content-type"].startswith("text/html")
            scripts = re.findall(r"<script[^>]*>", page.text)
            assert scripts == [f'<script type="module" src="/pages/{name}.js">']
            assert not re.search(r"<style|style=|\son[a-z]+=", page.text)
            script = await stranger.get(f"/pages/{name}.js")
            assert script.headers["content-type"].startswith("text/javascript")
        assert (await stranger.get("/pages/page.css")).headers["content-type"].startswith("text/css")
        for other in ("welcome.html", "http.py", "..%2Fhttp.py", "nothing"):
            assert (await stranger.get(f"/pages/{other}")).status_code == 404


async def test_every_answer_bears_the_headers(server: OfficeServer) -> None:
    async with browser(server) as stranger:
        for method, path in (
            ("GET", "/v1/health/live"),
            ("GET", "/v1/records"),
            ("GET", "/nowhere"),
            ("PUT", "/v1/sign-in"),
            ("POST", "/v1/sync"),
            ("GET", "/schema/openapi.json"),
        ):
            headers = (await stranger.request(method, path)).headers
            assert headers["content-security-policy"].startswith("default-src 'none'; "), path
            assert "unsafe" not in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"
            assert headers["cache-control"] == "no-store"
            assert "max-age" in headers["strict-transport-security"]
