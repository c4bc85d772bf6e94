"""Somebody guesses what opens the office side: sessions, links, codes of the telephone, recovery codes, tokens.

Each is tried as the right one with a letter exchanged, cut, lengthened, of another township, or empty. A guess gets
the answer of any other guess, and those that could ever succeed by number (codes) run into the account's waits.
"""

from collections.abc import AsyncIterator, Iterator

import pytest

from server.sessions import links
from server.sessions.tokens import kept
from tests.server.office_server import OTHER_TOWN, TOWN, OfficeServer, office_server
from tests.server.people import browser, signed_in, somebody

COOKIE = "__Host-roundbook"


@pytest.fixture
async def server(database_url: str) -> AsyncIterator[OfficeServer]:
    async with office_server(database_url) as running:
        yield running


def near(secret: str) -> Iterator[str]:
    """What differs little from a secret of the form sort.township.text."""
    sort, township, text = secret.split(".")
    other = "A" if text[-1] != "A" else "B"
    yield from (f"{sort}.{township}.{text[:-1]}{other}", f"{sort}.{township}.{other}{text[1:]}")
    yield from (secret[:-1], f"{secret}A", secret.swapcase(), f"{sort}.{OTHER_TOWN}.{text}")
    yield from (f"{sort}.321283.{text}", f"{sort}.{township}.", f"{sort}.{township}.{kept(secret)}")
    yield from ("rbl" if sort == "rbs" else "rbs", f"{sort}..{text}", text, "x", "." * 80, "9" * 5_000)
    yield f"{sort}.{township}.' OR 1=1 --"


async def test_no_other_text_is_a_session(server: OfficeServer) -> None:
    zhao = await signed_in(server, "clerk", "赵敏")
    secret, csrf = zhao.browser.cookies[COOKIE], zhao.browser.headers["roundbook-csrf"]
    answers = set()
    async with browser(server) as thief:
        for guess in near(secret):
            for method, path in (("GET", "/v1/session"), ("GET", "/v1/records"), ("DELETE", "/v1/session")):
                headers = {"cookie": f"{COOKIE}={guess}", "roundbook-csrf": csrf}
                answer = await thief.request(method, path, headers=headers)
                answers.add((answer.status_code, answer.content))
    assert {status for status, _ in answers} == {401}
    assert len(answers) == 1
    assert (await zhao.browser.get("/v1/session")).status_code == 200


async def test_no_other_text_is_a_link_and_the_right_one_still_works(server: OfficeServer) -> None:
    zhao = await somebody(server, "clerk", "赵敏")
    link = await links.make(server.services, zhao.row)
    answers = set()
    async with browser(server) as thief:
        for guess in near(link):
            for path, body in (
                ("/v1/link", {"link": guess}),
                ("/v1/link/password", {"link": guess, "password": "灯塔-anders-77-xyz"}),
            ):
                answer = await thief.post(path, json=body)
                answers.add((answer.status_code, answer.content))
    assert len(answers) == 1, answers
    assert (await zhao.browser.post("/v1/link", json={"link": link})).status_code == 200


async def test_codes_are_guessed_under_the_waits_even_with_the_right_password(server: OfficeServer) -> None:
    chief = await somebody(server, "administrator", "钱主任")
    right = chief.code()
    guesses = [code for code in (f"{n:06}" for n in range(12)) if code != right]
    told = [
        (await chief.browser.post("/v1/sign-in", json=chief.says(code=code))).json()["code"]
        for code in guesses
    ]
    assert told[:5] == ["sign_in_failed"] * 5
    assert set(told[5:]) == {"too_many_requests"}
    at_once = await chief.browser.post("/v1/sign-in", json=chief.says())
    assert at_once.json()["code"] == "too_many_requests", "the right code has to wait as well"
    server.now_ms += 2_000
    assert (await chief.sign_in()).status_code == 200


async def test_a_recovery_code_is_taken_whole_and_of_its_owner_only(server: OfficeServer) -> None:
    chief, other = (
        await somebody(server, "administrator", "钱主任"),
        await somebody(server, "administrator", "李主任"),
    )
    code = chief.recovery[0]
    for guess in (code[:-1], code + "A", code[::-1], other.recovery[0], "", " ", "0" * 16):
        server.now_ms += 900_000
        answer = await chief.sign_in(code=guess)
        assert answer.status_code == 401, guess
    server.now_ms += 900_000
    assert (await chief.sign_in(code=f" {code.lower().replace('-', ' ')} ")).status_code == 200


async def test_a_session_is_of_its_township_alone(server: OfficeServer) -> None:
    zhao = await signed_in(server, "clerk", "赵敏")
    twin = await signed_in(server, "clerk", "赵敏", township=OTHER_TOWN)
    seen = [(await one.browser.get("/v1/session")).json()["township"] for one in (zhao, twin)]
    assert seen == [TOWN, OTHER_TOWN]
    swapped = {"roundbook-csrf": twin.browser.headers["roundbook-csrf"]}
    assert (await zhao.browser.delete("/v1/session", headers=swapped)).json()["code"] == "csrf_invalid"
