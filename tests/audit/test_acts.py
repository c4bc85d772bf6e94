"""Each act leaves its entry, through the door by which people and programs do it; no entry holds a secret."""

import asyncio
import base64
import contextlib
import hashlib
import json
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from migrations.run import upgrade
from server.app import create_app
from server.directory.shipped import FILE, shipped_list
from server.quarantine.kinds import replay_waiting
from server.services import open_services
from server.settings import Settings
from server.storage.tables import audit_entries
from sync_protocol.kinds import parse
from sync_protocol.versions import CURRENT
from tests.audit.conftest import TOWN, Hand
from tests.server.office_server import OfficeServer, office_server
from tests.server.test_cli import KIND, Run
from tests.server.test_conflicts_api import Round
from tests.server.test_quarantine_api import WELL
from tests.server.test_records_api import PHONE
from tests.vaults import TEXT

GRID, NEXT_GRID = f"{TOWN}203001", f"{TOWN}203002"
PUBLIC_KEY = base64.urlsafe_b64encode(bytes(range(32))).rstrip(b"=").decode()


def entries(run: Run) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = run("audit", "list", "--json").json
    assert run("audit", "verify").code == 0
    return found


def acts(run: Run, after: int = 0) -> list[tuple[str, str, dict[str, Any]]]:
    """Chain and act, by whom, about what; the entries after some."""
    return [
        (f"{e['township']} {e['act']}", e["actor"], json.loads(e["detail"])) for e in entries(run)[after:]
    ]


@pytest.fixture
def villages(tmp_path: Path) -> Path:
    file = tmp_path / FILE
    file.write_bytes(shipped_list())
    return file


@pytest.fixture
def office(run: Run, villages: Path) -> Run:
    """A township that works, with a grid worker."""
    assert run("directory", "import", villages).code == 0
    assert run("township", "open", TOWN).code == 0
    assert run("staff", "add", "--name", "王芳", "--role", "grid_worker", "--township", TOWN).code == 0
    return run


def enrolled(url: str, code: str, times: int = 1) -> str:
    """Shows a one-time code to the service, as a device does; the device's id."""

    async def show() -> str:
        settings = Settings(database=url, master_key=TEXT)
        services = open_services(settings)
        app: Any = create_app(settings, services)
        message = {"protocol": CURRENT, "code": code, "public_key": PUBLIC_KEY, "client": "test"}
        try:
            transport = httpx2.ASGITransport(app=app)
            async with httpx2.AsyncClient(transport=transport, base_url="http://town.test") as client:
                answers = [await client.post("/v1/devices/enrol", json=message) for _ in range(times)]
        finally:
            await services.engine.dispose()
        (device,) = {answer.json()["profile"]["device"] for answer in answers}
        return str(device)

    return asyncio.run(show())


def test_kinds_are_named_in_the_audit_those_that_ship_too(run: Run, tmp_path: Path) -> None:
    run("migrate")
    shipped = acts(run)
    assert {(act, by) for act, by, _ in shipped} == {("roundbook kind_installed", "operator")}
    assert {"kind": "matter", "version": 1} in [about for _, _, about in shipped]
    file = tmp_path / "kind.toml"
    file.write_text(KIND, encoding="utf-8")
    for _ in range(2):  # the second installs nothing
        assert run("kinds", "install", file).code == 0
    new = [("roundbook kind_installed", "operator", {"kind": "well_check", "version": 1})]
    assert acts(run) == [*shipped, *new]
    run("migrate")
    assert acts(run) == [*shipped, *new]


def test_the_directory_and_the_township_are_named_once(office: Run, villages: Path) -> None:
    found = acts(office)
    assert found[0][0] == f"{TOWN} township_opened"
    assert found[0][2] == {"new": True, "villages": 12, "grids": 36, "grids_added": 36}
    assert found[-1] == ("roundbook directory_imported", "operator", {"list_year": 2023, "rows": 863})
    office("directory", "import", villages)
    office("township", "open", TOWN)
    assert acts(office) == found
    office("township", "open", TOWN, "--grids", 4)
    more = [about for act, _, about in acts(office) if act == f"{TOWN} township_opened"]
    assert more[1:] == [{"new": False, "villages": 12, "grids": 48, "grids_added": 12}]


def test_people_are_named_by_their_ids(office: Run, tmp_path: Path) -> None:
    (wang,) = office("staff", "list", "--json").json
    people = tmp_path / "people.csv"
    people.write_text(f"name,role,township\n李强,clerk,{TOWN}\n王芳,clerk,{TOWN}\n", encoding="utf-8")
    (added,) = office("staff", "import", people, "--json").json["added"]
    for word in ("disable", "disable", "enable", "enable"):
        assert office("staff", word, "王芳").code == 0
    worker, clerk = ({"staff": one["id"], "role": one["role"]} for one in (wang, added))
    assert [one for one in acts(office) if "staff" in one[0]] == [
        (f"{TOWN} staff_added", "operator", worker),
        (f"{TOWN} staff_added", "operator", clerk),
        (f"{TOWN} staff_disabled", "operator", worker),
        (f"{TOWN} staff_enabled", "operator", worker),
    ]
    assert "王芳" not in json.dumps(entries(office), ensure_ascii=False)


def test_a_county_begins_with_its_first_person(office: Run) -> None:
    person = ("staff", "add", "--role", "county_handler", "--name")
    for name in ("吴晓", "郑平"):
        assert office(*person, name, "--county", "321283", "--json").json["township"] == "321283"
    county = [act for act, _, _ in acts(office) if act.startswith("321283 ")]
    assert county == ["321283 county_opened", "321283 staff_added", "321283 staff_added"]
    assert [one["name"] for one in office("staff", "list", "--township", "321283", "--json").json] == [
        "吴晓",
        "郑平",
    ]
    for where in ((), ("--county", "321283", "--township", TOWN)):
        said = office(*person, "某人", *where)
        assert (said.code, "--township or --county" in said.sentence) == (1, True)
    for nowhere in ("999999", TOWN, "32"):
        assert office(*person, "某人", "--county", nowhere).code == 1
    assert "321283 " not in office("township", "list").out


def test_a_device_from_its_code_to_its_end(office: Run, database_url: str) -> None:
    (wang,) = office("staff", "list", "--json").json
    code = office("device", "code", "--worker", "王芳", "--grid", GRID, "--json").json["code"]
    device = enrolled(database_url, code, times=2)  # the first answer may have been lost
    assert office("device", "grids", device, "--grid", NEXT_GRID).code == 0
    for _ in range(2):
        assert office("device", "revoke", device).code == 0
    given, *rest = [one for one in acts(office) if "device" in one[0]]
    assert given[:2] == (f"{TOWN} device_code_given", "operator")
    assert {**given[2], "expires_ms": 0} == {"staff": wang["id"], "grids": [GRID], "expires_ms": 0}
    assert rest == [
        (f"{TOWN} device_enrolled", f"device:{device}", {"staff": wang["id"], "grids": [GRID]}),
        (f"{TOWN} device_grids_changed", "operator", {"device": device, "from": [GRID], "to": [NEXT_GRID]}),
        (f"{TOWN} device_revoked", "operator", {"device": device, "staff": wang["id"]}),
    ]


def test_a_token_given_and_revoked_in_each_township_that_it_names(office: Run) -> None:
    other = "321283105"
    assert office("township", "open", other).code == 0
    made = office(
        "application",
        "add",
        "--name",
        "热线",
        "--scope",
        "review",
        "--township",
        TOWN,
        "--township",
        other,
        "--json",
    ).json
    for _ in range(2):
        assert office("application", "revoke", made["id"]).code == 0
    for town in (TOWN, other):
        assert [one for one in acts(office) if one[0].startswith(f"{town} application")] == [
            (f"{town} application_added", "operator", {"application": made["id"], "scopes": ["review"]}),
            (f"{town} application_revoked", "operator", {"application": made["id"]}),
        ]


def test_nothing_secret_is_in_any_entry(office: Run, database_url: str, hand: Hand) -> None:
    code = office("device", "code", "--worker", "王芳", "--grid", GRID, "--json").json["code"]
    enrolled(database_url, code)
    scope = ("--scope", "contact:read")
    token = office("application", "add", "--name", "热线", *scope, "--township", TOWN, "--json").json["token"]
    everything = repr(hand.rows("SELECT * FROM audit_entries")) + json.dumps(entries(office))
    plain = code.replace("-", "")
    hashes = [hashlib.sha256(text.encode()).hexdigest() for text in (plain, code, token)]
    secrets = [code, plain, token, token.split(".")[3], PUBLIC_KEY, *hashes]
    assert [secret for secret in secrets if secret in everything] == []
    stored = repr(hand.rows("SELECT code_hash FROM enrolments")) + repr(
        hand.rows("SELECT token_hash FROM applications")
    )
    assert hashes[0] in stored  # what is searched for is what is stored elsewhere
    assert hashes[2] in stored


def test_a_restore_is_noted_and_the_chains_go_on(tmp_path: Path, anywhere: Run, villages: Path) -> None:
    """On SQLite: PostgreSQL has its own tools, and there the first device that comes notices it (below)."""
    copy, data = tmp_path / "monday.db", ("--data", tmp_path / "data")
    person = ("staff", "add", "--role", "clerk", "--township", TOWN, "--name")
    assert anywhere("directory", "import", villages, *data).code == 0
    assert anywhere("township", "open", TOWN, *data).code == 0
    printed = anywhere("backup", copy, *data).out
    town, installation = anywhere("audit", "head", *data).out.splitlines()
    assert town in printed
    assert installation in printed
    assert anywhere(*person, "王芳", *data).code == 0
    lost = anywhere("audit", "head", "--township", TOWN, *data).out.strip()
    assert lost != town

    said = anywhere("restore", copy, "--replace", *data)
    assert said.code == 0
    assert anywhere("audit", "head", "--township", TOWN, *data).out.strip() in said.out
    assert anywhere(*person, "李强", *data).code == 0
    found = anywhere("audit", "list", "--township", TOWN, "--json", *data).json
    assert [entry["act"] for entry in found] == ["township_opened", "restored", "staff_added"]
    told = json.loads(found[1]["detail"])
    assert lost == f"{TOWN}:{told['replaced_n']}:{told['replaced_hash']}"
    whole = anywhere("audit", "verify", "--head", town, "--head", installation, *data)
    assert (whole.code, whole.err) == (0, "")
    cut = anywhere("audit", "verify", "--head", lost, *data)
    assert (cut.code, "entry 2 says that a restore took it back" in cut.out) == (1, True)


def test_a_backup_from_before_there_was_an_audit_is_restored(
    tmp_path: Path, anywhere: Run, villages: Path
) -> None:
    old, data = tmp_path / "old.db", ("--data", tmp_path / "data")
    assert anywhere("directory", "import", villages, *data).code == 0
    assert anywhere("township", "open", TOWN, *data).code == 0
    upgrade(f"sqlite+aiosqlite:///{old}", "0001")
    with contextlib.closing(sqlite3.connect(old, isolation_level=None)) as connection:
        connection.execute("ATTACH DATABASE ? AS now", (str(tmp_path / "data" / "roundbook.db"),))
        names = ", ".join(row[1] for row in connection.execute("PRAGMA main.table_info(townships)"))
        connection.execute(f"INSERT INTO townships ({names}) SELECT {names} FROM now.townships")
    said = anywhere("restore", old, "--replace", "--json", *data)
    assert (said.code, said.json["revision"], len(said.json["audit"])) == (0, "0001", 2)
    assert [e["act"] for e in anywhere("audit", "list", "--township", TOWN, "--json", *data).json] == [
        "restored"
    ]


# --- over HTTP -------------------------------------------------------------------------------------------


@pytest.fixture
async def server(database_url: str) -> AsyncIterator[OfficeServer]:
    async with office_server(database_url) as running:
        yield running


async def written(server: OfficeServer, *names: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Act, by whom, about what, of the acts named."""
    async with server.services.engine.connect() as connection:
        rows = await connection.execute(select(audit_entries).order_by(audit_entries.c.n))
        return [
            (row.act, row.actor, json.loads(row.detail))
            for row in rows
            if row.act in names and row.township_id == TOWN
        ]


async def test_a_decision_is_one_entry_however_often_it_is_sent(server: OfficeServer) -> None:
    one, two, office = await server.device("李四"), await server.device("王五"), await server.client()
    village = Round(server, one, two, office)
    await village.begin(people_involved=3)
    await village.write(one, fields={"people_involved": 5})
    await village.write(two, fields={"people_involved": 7})
    found = await village.only()
    key = {"idempotency-key": "once"}
    says = {"value": 7, "reason": f"电话问过 {PHONE}"}
    answer, again = [await village.resolve(found["id"], key, **says) for _ in range(2)]
    assert (answer.status_code, again.status_code) == (200, 200), answer.text
    assert (await village.resolve(found["id"], value=5)).status_code == 409
    ((_, by, about),) = await written(server, "conflict_decided")
    assert by.startswith("application:")
    assert about == {
        "conflict": found["id"],
        "record": village.record,
        "path": "people_involved",
        "change": answer.json()["decision"],
    }
    assert PHONE not in json.dumps(about)


async def test_what_the_office_does_with_the_quarantine(server: OfficeServer) -> None:
    device, office = await server.device("李四"), await server.client()
    first = device.create(fields={"title": "漏水", "people_involved": "many"})
    second = device.create(fields={"title": 5, "reporter_phone": PHONE})
    assert [one.result for one in await device.push(first, second)] == ["quarantined"] * 2
    refused = await office.post(f"/v1/quarantine/{first.id}/replay", json={})
    assert refused.status_code == 422
    assert await written(server, "quarantine_replayed", "quarantine_discarded") == []
    mended = {"fields": {"people_involved": 4}}
    assert (await office.post(f"/v1/quarantine/{first.id}/replay", json=mended)).status_code == 200
    gone = {"discard": True, "reason": f"重复 {PHONE}"}
    assert (await office.post(f"/v1/quarantine/{second.id}/replay", json=gone)).status_code == 200
    replayed, discarded = await written(server, "quarantine_replayed", "quarantine_discarded")
    assert replayed[2]["change"] == first.id
    assert replayed[2]["taken"] == [first.id]
    assert (discarded[0], discarded[2]["change"]) == ("quarantine_discarded", second.id)
    assert discarded[2]["taken"] == []
    assert replayed[1] == discarded[1]
    assert replayed[1].startswith("application:")
    assert PHONE not in json.dumps([replayed, discarded])


async def test_what_waited_for_a_kind_is_taken_in_by_the_operator(server: OfficeServer) -> None:
    device = await server.device("李四")
    early = device.create(kind="well_check", fields={"depth": 3})
    assert [one.result for one in await device.push(early)] == ["quarantined"]
    await server.install(WELL)
    server.now_ms += 10_000
    await replay_waiting(server.services, parse(WELL, "well.toml"))
    ((_, by, about),) = await written(server, "quarantine_replayed")
    assert (by, about["taken"]) == ("operator", [early.id])
