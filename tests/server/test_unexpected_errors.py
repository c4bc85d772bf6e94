"""An error that nobody expected: the log says where it happened, and neither log nor answer what was said."""

import logging
from collections.abc import AsyncIterator
from typing import Any, NoReturn

import pytest
from litestar.exceptions import InternalServerException
from sqlalchemy.exc import IntegrityError
from structlog.testing import capture_logs

from sync_protocol import signing
from tests.server.office_server import TOWN, VILLAGE, OfficeServer, office_server

TITLE, PHONE, SIGNATURE = "某人投诉邻居", "13900000000", "c2lnbmF0dXJl"
DEVICE = "01900000-0000-7000-8000-000000000001"


@pytest.fixture
async def server(database_url: str) -> AsyncIterator[OfficeServer]:
    async with office_server(database_url) as running:
        yield running


def unexpected(token: str) -> list[Exception]:
    """Errors whose own text quotes what came, as those of drivers and decoders do."""
    quoted = f"{TITLE} {PHONE} {SIGNATURE} {token}"
    chained = RuntimeError(quoted)
    chained.__cause__ = IntegrityError(f"INSERT {quoted}", {"body": quoted}, ValueError(quoted))
    return [KeyError(quoted), chained, InternalServerException(quoted)]


@pytest.mark.parametrize("which", [0, 1, 2])
@pytest.mark.parametrize("address", ["/v1/records", "/v1/sync"])
async def test_the_log_names_the_error_and_quotes_nothing(
    server: OfficeServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    address: str,
    which: int,
) -> None:
    token = await server.token()
    error = unexpected(token)[which]

    async def fail(*given: Any, **named: Any) -> NoReturn:
        locals_of_a_frame = (given, named, TITLE, PHONE)
        assert locals_of_a_frame
        raise error

    monkeypatch.setattr("server.records.service.create", fail)
    monkeypatch.setattr("server.sync.http.public_key", fail)
    body = {"kind": "matter", "key": "1", "place": VILLAGE, "fields": {"title": TITLE, "phone": PHONE}}
    headers = signing.headers(TOWN, DEVICE, 1, signing.decode_bytes(SIGNATURE))
    caplog.set_level(logging.DEBUG)
    async with server.client_with(token) as caller:
        with capture_logs() as logged:
            answer = await caller.post(address, json=body, headers=headers)
        (line,) = logged
        again = await caller.post(address, json=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert (line["event"], line["method"], line["path"]) == ("internal", "POST", address)
    assert line["error"] == type(error).__name__
    assert any("fail" in frame for frame in line["trace"])
    assert line["incident"] == answer.json()["incident"] != again.json()["incident"]
    printed = capsys.readouterr()
    assert again.json()["incident"] in printed.out
    for text in (str(line), printed.out, printed.err, caplog.text, answer.text, str(answer.headers)):
        for secret in (TITLE, PHONE, SIGNATURE, token, token.rpartition(".")[2]):
            assert secret not in text
