"""Logs, errors and addresses: nothing of a person, and no secret, whatever goes wrong.

A round through real processes, in which sound and unsound things are done with needles; then everything that
they wrote to their logs or answered as a problem is searched. Names of fields and steps may be quoted to whoever
sent them; values may not.
"""

import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest

from client_sdk import FieldClient, OfficeClient, RoundbookError
from tests.processes import CHECKOUT, GRID, application_token, device_code, open_town, serving

TITLE, NAME, TELEPHONE = "needle-title针", "needle-name针", "13812349876"
PASSPHRASE = "needle-passphrase 针"
CONTENT: dict[str, Any] = {
    "nature": "dispute",
    "title": TITLE,
    "parties": [{"name": NAME, "contact": TELEPHONE}],
}


@pytest.mark.slow
def test_no_log_and_no_problem_tells_of_a_person_or_a_secret(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    folder, problems = tmp_path / "data", []
    with serving(folder, ROUNDBOOK_LOG_LEVEL="debug", ROUNDBOOK_DEBUG="1") as served:
        open_town(folder, "王芳")
        code = device_code(folder, "王芳")
        token = application_token(folder, "records:read", "records:write", "contact:write")
        with FieldClient.open(tmp_path / "worker.rbk", passphrase=PASSPHRASE) as device:
            device.enrol(served.url, code=code)
            made = device.create("matter", grid=GRID, **CONTENT)
            device.sync()
            with device._store.read() as tx:
                (seed,) = tx.rows("SELECT value FROM meta WHERE key = 'private_key'")[0]
            problems += _wrong_on_a_device(device, made.id, served.url, code)
        with OfficeClient(served.url, token=token) as office:
            problems += _wrong_in_the_office(office, GRID)
        logged = [repr(one.getMessage()) for one in caplog.records]  # what follows, no client of ours does
        problems += _wrong_on_the_wire(served.url, token, code, made.id)
        command = [sys.executable, "-c", "from client_sdk.cli import main; main()", "--store"]
        ran = subprocess.run(
            [*command, str(tmp_path / "worker.rbk"), "queue"],
            env={"ROUNDBOOK_PASSPHRASE": f"{PASSPHRASE} wrong", "PYTHONPATH": str(CHECKOUT)},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert ran.returncode == 1
    told = {
        "the server's log": served.log.read_text(),
        "the client's log": "\n".join(logged),
        "the problems": "\n".join(problems),
        "the command": ran.stdout + ran.stderr,
    }
    assert len(problems) == 11
    secrets = (TITLE, NAME, TELEPHONE, PASSPHRASE, code, token, token.rpartition(".")[2], bytes(seed).hex())
    found = [(where, secret) for where, text in told.items() for secret in secrets if secret in text]
    assert logged
    assert found == []


def _error_of(act: Any, *given: Any, **named: Any) -> str:
    with pytest.raises(RoundbookError) as caught:
        act(*given, **named)
    return repr(caught.value)


def _wrong_on_a_device(device: FieldClient, record: str, url: str, code: str) -> list[str]:
    return [
        _error_of(device.create, "matter", grid=GRID, nature=TELEPHONE, title=TITLE),
        _error_of(device.update, device.get(record), narrative=NAME * 100_000),
        _error_of(device.act, device.get(record), "unheard_of", note=NAME),
        _error_of(device.enrol, url, code=code[::-1]),
    ]


def _wrong_in_the_office(office: OfficeClient, grid: str) -> list[str]:
    return [
        _error_of(office.create, "matter", key=NAME, grid=grid, **{**CONTENT, "nature": TELEPHONE}),
        _error_of(office.create, "matter", key="k", grid=grid, **{**CONTENT, "unheard_of": NAME}),
    ]


def _wrong_on_the_wire(url: str, token: str, code: str, record: str) -> list[str]:
    """Problem documents of requests that no client of ours makes."""
    named = {"authorization": f"Bearer {token}"}
    with httpx2.Client(base_url=url, timeout=30) as link:
        answers = [
            link.get("/v1/records", headers={"authorization": f"Bearer {token}{TELEPHONE}"}),
            link.post("/v1/records", headers=named, json={"title": [TITLE], "unheard_of": TELEPHONE}),
            link.patch(f"/v1/records/{record}", headers=named, json={"fields": {"unheard_of": NAME}}),
            link.get("/v1/changes", headers=named, params={"since": TELEPHONE}),
            link.post("/v1/devices/enrol", json={"code": code, "public_key": TELEPHONE, "protocol": NAME}),
        ]
    assert all(answer.status_code in range(400, 500) for answer in answers)
    return [answer.text + repr(dict(answer.headers)) for answer in answers]
