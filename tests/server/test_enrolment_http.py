"""POST /v1/devices/enrol: guesses are bounded and told nothing, and broken requests cost nothing."""

from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from litestar import Litestar
from litestar.di import Provide
from msgspec.structs import replace

from server import problems
from server.devices.http import PATH, enrol_handler
from server.devices.service import enrol
from server.failures import counted
from server.services import Services
from server.settings import Settings
from sync_protocol import codec, signing
from sync_protocol.messages import EnrolRequest
from sync_protocol.versions import CURRENT
from tests.server.conftest import CODE_LIFETIME_MS, TOWNSHIP, Clock

KEY = signing.encode_bytes(bytes(range(32)))
OTHER_KEY = signing.encode_bytes(bytes(range(1, 33)))


@pytest.fixture
def app(services: Services) -> Litestar:
    bounded = replace(services, counted=counted(Settings(failures_per_address=3, failures_total=5)))
    return Litestar(
        [enrol_handler],
        dependencies={"services": Provide(lambda: bounded, sync_to_thread=False)},
        exception_handlers=problems.HANDLERS,
        openapi_config=None,
        logging_config=None,
    )


def _client(app: Any) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://server.test")


async def _post(door: httpx2.AsyncClient, **values: str) -> httpx2.Response:
    body = {"protocol": CURRENT, "code": "ABCD-EFGH", "public_key": KEY} | values
    return await door.post(PATH, json=body)


async def test_the_door_enrols(app: Litestar, give: Callable[..., Any]) -> None:
    made = await give()
    async with _client(app) as door:
        response = await _post(door, code=made.code)
    assert response.status_code == 200
    answer = codec.read_enrol_answer(response.content)
    assert answer.profile.township == TOWNSHIP


async def test_every_bad_code_gets_the_same_answer(
    app: Litestar, services: Services, clock: Clock, give: Callable[..., Any]
) -> None:
    used, expired = await give(), await give()
    await enrol(services, EnrolRequest(CURRENT, used.code, OTHER_KEY))
    async with _client(app) as door:
        answers = [await _post(door, code=used.code)]
        clock.now_ms += CODE_LIFETIME_MS
        answers += [await _post(door, code=code) for code in (expired.code, "not a code at all")]
        clock.now_ms += 60_000
        answers.append(await _post(door, code="ZZZZ-ZZZZ"))
    assert {answer.status_code for answer in answers} == {403}
    assert len({answer.content for answer in answers}) == 1
    assert answers[0].json()["code"] == "code_invalid"


async def test_guessing_is_bounded_and_the_bound_passes(
    app: Litestar, clock: Clock, give: Callable[..., Any]
) -> None:
    async with _client(app) as door:
        statuses = [(await _post(door, code=f"ABCD-EFG{n}")).status_code for n in range(2, 7)]
        assert statuses == [403, 403, 403, 429, 429]
        made = await give()
        refused = await _post(door, code=made.code)
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
        assert "retry-after" in refused.headers
        clock.now_ms += 60_000
        assert (await _post(door, code=made.code)).status_code == 200


@pytest.mark.parametrize(
    "values",
    [
        {"public_key": ""},
        {"public_key": "AAAA"},
        {"public_key": KEY + "A"},
        {"public_key": "!" * 43},
        {"client": "x" * 201},
        {"client": "a\0b"},
    ],
)
async def test_a_malformed_request_uses_up_neither_code_nor_patience(
    app: Litestar, give: Callable[..., Any], values: dict[str, str]
) -> None:
    made = await give()
    async with _client(app) as door:
        for _ in range(4):
            response = await _post(door, code=made.code, **values)
            assert (response.status_code, response.json()["code"]) == (400, "malformed")
        assert (await _post(door, code=made.code)).status_code == 200


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"protocol": 1}', b"\xff\xfe", b'{"code": "\\ud800"}', b"[" * 9_999]
)
async def test_a_broken_body_is_malformed(app: Litestar, body: bytes) -> None:
    async with _client(app) as door:
        response = await door.post(PATH, content=body)
    assert (response.status_code, response.json()["code"]) == (400, "malformed")


async def test_a_protocol_that_is_not_spoken_is_said_to_be_so(app: Litestar) -> None:
    async with _client(app) as door:
        response = await _post(door, protocol="1999-01-01")
    assert (response.status_code, response.json()["code"]) == (400, "unsupported_protocol")
