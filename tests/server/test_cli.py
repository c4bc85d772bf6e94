"""`roundbook` as people and programs meet it: what it prints, what it exits with, what it says when it will not."""

import asyncio
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.cells import cell_len

from server.cli import app, main
from server.directory.shipped import FILE, shipped_list
from tests.databases import PostgresDatabases
from tests.server.office_server import OfficeServer
from tests.sync.phone import office as moved_by_office
from tests.vaults import TEXT

TOWN, GRID = "321283104", "321283104203001"
KIND = """
[kind]
name = "well_check"
version = 1
title = { zh = "水井检查", en = "Well check" }

[fields.depth]
type = "number"
merge = "latest"
privacy = "plain"
title = { zh = "水深", en = "Depth" }
"""


class Said:
    """What a command printed, and its exit code."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def sentence(self) -> str:
        """The one line of an error; nothing else may stand there, least of all a trace."""
        assert self.code != 0
        assert self.err.count("\n") == 1, self.err
        return self.err.rstrip("\n")


Run = Callable[..., Said]


@pytest.fixture
def anywhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Run]:
    """Runs a command line without any database named, in a folder of its own."""
    for name in [name for name in os.environ if name.startswith("ROUNDBOOK_") or name == "COLUMNS"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ROUNDBOOK_MASTER_KEY", TEXT)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Said:
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit_:
            main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return Said(int(exit_.value.code or 0), said.out, said.err)

    # Commands make files for their own user only; the test run goes on as it was.
    before = os.umask(0o022)
    os.umask(before)
    yield run
    os.umask(before)


@pytest.fixture
def run(anywhere: Run, database_url: str) -> Run:
    """Runs a command line on the test's own database."""
    return lambda *arguments: anywhere(*arguments, "--database", database_url)


@pytest.fixture
def villages(tmp_path: Path) -> Path:
    """The real list, as a file."""
    file = tmp_path / FILE
    file.write_bytes(shipped_list())
    return file


@pytest.fixture
def office(run: Run, villages: Path) -> Run:
    """A township that works, with one grid worker and one clerk."""
    assert run("directory", "import", villages).code == 0
    assert run("township", "open", TOWN).code == 0
    for name, role in (("王芳", "grid_worker"), ("李强", "clerk")):
        assert run("staff", "add", "--name", name, "--role", role, "--township", TOWN).code == 0
    return run


# --- one story -----------------------------------------------------------------------------------------


def test_a_one_time_code_is_shown_and_saved_as_a_qr_code(office: Run, tmp_path: Path) -> None:
    named = ("device", "code", "--worker", "王芳", "--grid", GRID, "--url", "https://roundbook.example")
    shown = office(*named, "--qr")
    code = re.search(r"[2-9A-Z]{4}-[2-9A-Z]{4}", shown.out)
    assert code is not None
    rows = [line for line in shown.out.splitlines() if set(line) & set("█▀▄")]
    assert len(rows) > 10
    for name, begins in (("code.svg", b"<?xml"), ("code.PNG", b"\x89PNG")):
        saved = office(*named, "--qr-file", tmp_path / name, "--json")
        assert saved.json["invitation"] == f"ROUNDBOOK1 https://roundbook.example {saved.json['code']}"
        assert (tmp_path / name).read_bytes().startswith(begins)
    lost = office(*named, "--qr-file", tmp_path / "no folder" / "code.svg")
    assert "could not be written" in lost.err
    assert re.search(r"[2-9A-Z]{4}-[2-9A-Z]{4}", lost.out)


def test_the_contracts_commands_follow_each_other(run: Run, villages: Path) -> None:
    imported = run("directory", "import", villages, "--json").json
    assert imported == {"list_year": 2023, "new": 863, "changed": 0, "unchanged": 0, "refused": []}
    assert run("directory", "import", villages, "--json").json["unchanged"] == 863

    opened = run("township", "open", TOWN, "--grids", "3", "--json").json
    assert (opened["name"], opened["villages"], opened["grids"], opened["new"]) == ("元竹镇", 12, 36, True)
    assert [one["township"] for one in run("township", "list", "--json").json] == [TOWN]
    assert run("township", "list", TOWN, "--json").json[0]["grid"].startswith(TOWN)

    person = run("staff", "add", "--name", "王芳", "--role", "grid_worker", "--township", TOWN, "--json").json
    assert [row["id"] for row in run("staff", "list", "--json").json] == [person["id"]]

    given = run("device", "code", "--worker", "王芳", "--grid", GRID, "--json").json
    assert re.fullmatch(r"[2-9A-HJ-NP-Z]{4}-[2-9A-HJ-NP-Z]{4}", given["code"])
    left = datetime.fromisoformat(given["expires_at"]).timestamp() - time.time()
    assert 590 < left <= 600
    assert run("device", "list", "--json").json == []

    scopes = ("--scope", "records:read", "--scope", "review")
    made = run("application", "add", "--name", "热线", *scopes, "--township", TOWN, "--json").json
    assert re.fullmatch(rf"rbt\.[0-9a-f-]{{36}}\.{TOWN}\.[\w-]{{43}}", made["token"])
    (listed,) = run("application", "list", "--json").json
    assert made == {**listed, "token": made["token"]}
    assert run("application", "revoke", listed["id"], "--json").json["revoked_at"]

    assert run("staff", "disable", person["id"], "--json").json["disabled_at"]
    assert run("staff", "enable", "王芳", "--json").json["disabled_at"] is None
    assert run("migrate", "--json").json["to"]
    assert run("doctor", "--json").json["ok"] is True


def test_old_exits_are_forgotten(office: Run, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    office("migrate")  # installs the kinds that ship
    asyncio.run(_an_exit(database_url))
    assert "exits forgotten" in office("township", "trim").out
    later = time.time_ns() // 1_000_000 + 181 * 24 * 3_600_000
    monkeypatch.setattr("server.commands.directory.now_ms", lambda: later)
    (one,) = office("township", "trim", TOWN, "--dry-run", "--json").json
    assert (one["township"], one["exits"], one["dry_run"], one["moved"]) == (TOWN, 1, True, True)
    assert office("township", "trim", TOWN, "--days", "200", "--json").json[0]["exits"] == 0
    assert office("township", "trim", "--json").json == [{**one, "dry_run": False}]
    assert office("township", "trim", "--json").json == [
        {**one, "exits": 0, "moved": False, "dry_run": False}
    ]
    assert office("township", "trim", "321283999").sentence.startswith("Township 321283999 is not open here")
    assert office("township", "trim", "--days", "0").code == 2


async def _an_exit(database_url: str) -> None:
    """A record moves from one grid to another."""
    server = OfficeServer(database_url)
    server.now_ms = time.time_ns() // 1_000_000
    try:
        await server.services.registry.refresh()
        device = await server.device("老李")
        create = device.create(fields={"title": "漏水"}, place=GRID)
        await device.push(create)
        await moved_by_office(server, create.record, place=f"{GRID[:12]}002")
    finally:
        await server.services.engine.dispose()


def test_a_device_lives_and_is_revoked(office: Run, database_url: str) -> None:
    device = _enrolled(
        database_url, office("device", "code", "--worker", "王芳", "--grid", GRID, "--json").json["code"]
    )
    (row,) = office("device", "list", "--json").json
    assert (row["id"], row["worker"], row["grids"]) == (device, "王芳", [GRID])
    second = GRID[:-1] + "2"
    assert office("device", "grids", device, "--grid", second, "--json").json["grids"] == [second]
    assert device in office("device", "list").out
    assert office("device", "revoke", f"{TOWN}.{device}", "--json").json["revoked_at"]
    assert office("device", "grids", device, "--grid", GRID).sentence.startswith("The device is revoked")


def _enrolled(database_url: str, code: str) -> str:
    """Enrols a device as the server does."""
    import asyncio

    from server.devices.service import enrol
    from server.services import open_services
    from server.settings import Settings
    from sync_protocol.messages import EnrolRequest
    from sync_protocol.versions import CURRENT

    async def work() -> str:
        services = open_services(Settings(database=database_url, master_key=TEXT))
        try:
            return (await enrol(services, EnrolRequest(CURRENT, code, "A" * 43))).profile.device
        finally:
            await services.engine.dispose()

    return asyncio.run(work())


def test_kinds_are_checked_installed_and_listed(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "well.toml"
    file.write_text(KIND, encoding="utf-8")
    assert run("kinds", "check", file, "--json").json["ok"] is True
    assert run("kinds", "list", "--json").json == []
    assert run("kinds", "install", file, "--json").json["new"] is True
    assert "was installed already" in run("kinds", "install", file).out
    assert [one["name"] for one in run("kinds", "list", "--json").json] == ["well_check"]
    assert "水井检查" in run("kinds", "list").out

    file.write_text(
        KIND.replace('"latest"', '"newest"').replace("version = 1", "version = 2"), encoding="utf-8"
    )
    said = run("kinds", "check", file)
    assert said.sentence == "well.toml has 1 fault: mend the file and try again."
    assert "fields.depth.merge" in said.out
    said = run("kinds", "install", file, "--json")
    assert said.code == 1
    assert [finding["line"] for finding in said.json["findings"]] == [9]
    assert len(run("kinds", "list", "--json").json) == 1


def test_people_are_imported_with_each_refusal_named(office: Run, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("name,role\n张三,网格员\n王芳,clerk\n赵六,boss\n", encoding="utf-8-sig")
    said = office("staff", "import", file, "--township", TOWN)
    assert said.code == 0
    assert "1 added, 2 refused." in said.out
    assert "王芳 is the name of somebody" in said.out
    again = office("staff", "import", file, "--township", TOWN, "--json")
    assert [line["line"] for line in again.json["refused"]] == [2, 3, 4]
    assert again.sentence == "Nobody of people.csv could be added."


# --- what is wrong, in one sentence --------------------------------------------------------------------


REFUSALS = {
    "township open 321283999": "The directory has no town 321283999 with villages: import a list",
    f"staff add --name x --role boss --township {TOWN}": "There is no role 'boss'",
    "staff add --name x --role clerk --township 1": "named by the 9 digits",
    "staff disable 张三": "Nobody is called '张三': see `roundbook staff list`.",
    "device code --worker 王芳 --grid 32": "A grid is named by 15 digits",
    f"device code --worker 李强 --grid {GRID}": "Devices are for grid workers",
    f"device code --worker 王芳 --grid {GRID} --qr": "name its address with --url",
    f"device code --worker 王芳 --grid {GRID} --qr --url https://x/?code=1": "carries a server's address",
    f"device code --worker 王芳 --grid {GRID} --qr-file code.pdf --url https://x": "saved as .svg or .png",
    f"device code --worker 王芳 --grid {GRID} --qr --url https://x --ca nowhere.pem": "There is no file",
    "device revoke x": "There is no device 'x': see `roundbook device list`.",
    f"application add --name x --scope all --township {TOWN}": "There is no scope 'all'",
    "directory import none.csv": "There is no file none.csv.",
    "kinds install none.toml": "There is no file none.toml.",
    "directory import .": ". cannot be read: is a directory.",
}


def test_what_cannot_be_done_is_said_in_one_sentence(office: Run) -> None:
    for command, says in REFUSALS.items():
        said = office(*command.split())
        assert said.code == 1, command
        assert says in said.sentence, command
        assert said.out == "", command


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nonsense"], "No such command 'nonsense': see `roundbook --help`."),
        (["device", "code"], "Missing option '--worker': see `roundbook device code --help`."),
        (["device", "list", "--nonsense"], "No such option: --nonsense: see `roundbook device list --help`."),
        (["serve", "--port", "x"], "see `roundbook serve --help`."),
    ],
)
def test_a_command_line_that_cannot_be_understood_names_its_help(
    anywhere: Run, arguments: list[str], says: str
) -> None:
    said = anywhere(*arguments)
    assert said.code == 2
    assert says in said.sentence


def test_a_list_in_another_encoding_is_told(anywhere: Run, tmp_path: Path) -> None:
    file = tmp_path / "gbk.csv"
    file.write_bytes(shipped_list().decode().encode("gb18030"))
    assert "seems to be written in GBK" in anywhere("directory", "import", file).sentence
    assert anywhere("directory", "import", file, "--encoding", "gb18030", "--json").json["new"] == 863


def test_refused_rows_are_shown_together_and_listed_one_by_one_for_programs(run: Run, villages: Path) -> None:
    assert run("directory", "import", villages, "--year", "2024").code == 0
    said = run("directory", "import", villages)
    assert said.sentence == f"No row of {FILE} could be used."
    assert said.out.count("known from the list of 2024") == 1
    assert len(run("directory", "import", villages, "--json").json["refused"]) == 863


@pytest.mark.postgres
def test_an_outdated_postgresql_is_refused_and_migrated(
    anywhere: Run, postgres_databases: PostgresDatabases
) -> None:
    url = postgres_databases.create(migrated=False)
    try:
        for command in (("staff", "list"), ("serve", "--port", "0"), ("township", "list")):
            said = anywhere(*command, "--database", url).sentence
            assert "is missing: bring it up to date with `roundbook migrate`" in said
            assert "***" in said
        checks = anywhere("doctor", "--database", url, "--json")
        assert (checks.code, checks.json["ok"]) == (1, False)
        migrated = anywhere("migrate", "--database", url, "--json").json
        assert (migrated["from"], migrated["to"]) == (None, migrated["newest"])
        assert "statement_timeout" in migrated["role"]["done"]
        assert anywhere("staff", "list", "--database", url, "--json").json == []
        found = anywhere("doctor", "--database", url, "--json").json
        assert {check["name"]: check["says"] for check in found["checks"]}[
            "role"
        ] == "statements end after 30s"
        assert "pg_dump" in anywhere("backup", "x.db", "--database", url).sentence
    finally:
        postgres_databases.drop(url)


@pytest.mark.postgres
def test_a_password_is_never_printed(
    anywhere: Run, postgres_databases: PostgresDatabases, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = re.sub(r":[^:@/]+@", ":hunter2@", postgres_databases.create(migrated=False))
    for wrong in (url, url.replace("hunter2@127.0.0.1", "hunter2@127.0.0.1:1/x?a="), url + "_nowhere"):
        monkeypatch.setenv("ROUNDBOOK_DATABASE", wrong)
        for command in (("staff", "list"), ("migrate",), ("doctor",)):
            said = anywhere(*command)
            assert said.code == 1
            assert "hunter2" not in said.out + said.err
            assert "Traceback" not in said.err


def test_an_embedded_database_is_made_by_the_first_command_for_its_user_only(
    anywhere: Run, tmp_path: Path
) -> None:
    folder = tmp_path / "新 资料"
    assert "there is none at" in anywhere("doctor", "--data", folder).out
    assert not folder.exists()
    assert anywhere("staff", "list", "--data", folder).out.startswith("Nobody yet")
    file = folder / "roundbook.db"
    assert (folder.stat().st_mode & 0o777, file.stat().st_mode & 0o777) == (0o700, 0o600)
    assert len(anywhere("kinds", "list", "--data", folder, "--json").json) == 7


def test_a_file_that_is_no_database_is_said_to_be_none(anywhere: Run, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "roundbook.db").write_bytes(b"not a database at all, but long enough" * 100)
    for command in ("staff list", "migrate", "serve --port 0"):
        assert "not a database of Roundbook" in anywhere(*command.split()).sentence
    checks = anywhere("doctor")
    assert checks.sentence == "The server cannot work like this: mend file."
    assert "not a database of Roundbook" in " ".join(checks.out.split())


def test_a_folder_that_cannot_be_made_is_said_to_be_so(anywhere: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder" / "roundbook.db").mkdir(parents=True)
    assert "cannot be made" in anywhere("staff", "list", "--data", tmp_path / "file").sentence
    assert "cannot be opened" in anywhere("staff", "list", "--data", tmp_path / "folder").sentence


def test_the_demo_may_be_missing(anywhere: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert "run it from a checkout" in anywhere("demo").sentence


# --- how it looks ----------------------------------------------------------------------------------------


def _commands() -> Iterator[tuple[str, typer.models.CommandInfo]]:
    for group in (app, *(info.typer_instance for info in app.registered_groups)):
        name = next((str(info.name) for info in app.registered_groups if info.typer_instance is group), "")
        for command in group.registered_commands if group is not None else ():
            assert command.callback is not None
            yield f"{name} {command.name or command.callback.__name__}".strip(), command


COMMANDS = dict(_commands())


def test_the_contracts_commands_are_there() -> None:
    assert set(COMMANDS) >= {
        "serve", "demo", "migrate", "doctor", "backup", "restore", "directory import", "township open",
        "township trim",
        "kinds check", "kinds install", "kinds list", "staff add", "staff list", "staff disable", "staff import",
        "device code", "device list", "device revoke", "device grids", "application add",
    }  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(anywhere: Run, name: str) -> None:
    said = anywhere(*name.split(), "--help")
    assert said.code == 0
    text = " ".join(re.sub(r"[│╭╮╰╯─]", " ", said.out).split())
    assert f"Example: roundbook {name}" in text
    if name not in {"demo", "keys make"}:
        assert "--data" in text
        assert "--database" in text
    if name not in {"demo", "serve"}:
        assert "--json" in text


@pytest.mark.parametrize("arguments", [[], ["staff"], ["device"]])
def test_asked_for_nothing_a_group_shows_its_help(anywhere: Run, arguments: list[str]) -> None:
    said = anywhere(*arguments)
    assert said.code == 0
    assert "Commands" in said.out
    assert said.err == ""


@pytest.mark.parametrize("columns", [80, 120])
def test_tables_fit_and_cut_no_id(office: Run, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    office("application", "add", "--name", "12345热线", "--scope", "records:write", "--township", TOWN)
    office("migrate")
    for command in (
        "staff list",
        "township list",
        "kinds list",
        "doctor",
        "application list",
        "deadlines list",
    ):
        monkeypatch.setenv("COLUMNS", str(columns))
        said = office(*command.split())
        assert said.code == 0, command
        assert max(cell_len(line) for line in said.out.splitlines()) <= columns, command
        monkeypatch.delenv("COLUMNS")
        ids = re.findall(r'"id": "([0-9a-f-]{36})"', office(*command.split(), "--json").out)
        assert all(one in said.out for one in ids), command


def test_what_programs_read_is_json_and_nothing_else(office: Run) -> None:
    office("migrate")
    for command in ("staff list", "device list", "township list", "kinds list", "application list", "doctor",
                    "deadlines list", "deadlines run"):  # fmt: skip
        said = office(*command.split(), "--json")
        assert said.json is not None
        assert said.err == ""


def test_how_far_somebody_reaches_and_how_long_a_token_lives(office: Run) -> None:
    add = ("staff", "add", "--township", TOWN)
    for name, role in (("赵敏", "village_officer"), ("孙律师", "unit_handler")):
        assert office(*add, "--name", name, "--role", role).code == 0
    scoped = office("staff", "scope", "赵敏", "--village", GRID[:12], "--restricted", "--json").json
    assert (scoped["village"], scoped["unit"], scoped["sees_restricted"]) == (GRID[:12], None, True)
    kept = office("staff", "scope", "赵敏", "--not-restricted", "--json").json
    assert (kept["village"], kept["sees_restricted"]) == (GRID[:12], False)
    assert office("staff", "scope", "孙律师", "--unit", " 司法所 ", "--json").json["unit"] == "司法所"
    for arguments, says in (
        (("赵敏", "--unit", "司法所"), "has not a unit"),
        (("孙律师", "--village", GRID[:12]), "has not a village"),
        (("赵敏", "--village", "321283105203"), "has no village"),
        (("赵敏", "--village", "12"), "12 digits"),
        (("无人", "--village", GRID[:12]), "Nobody is called"),
    ):
        refused = office("staff", "scope", *arguments)
        assert (refused.code, says in refused.err) == (1, True), refused
    link = office("staff", "link", "--name", "赵敏", "--url", "https://office.test/").out
    assert link.splitlines()[-1].startswith(f"https://office.test/welcome#rbl.{TOWN}.")
    assert "signed out" in office("staff", "sign-out", "赵敏").out

    token = ("application", "add", "--name", "热线", "--scope", "review", "--township", TOWN)
    made = office(*token, "--days", "30", "--json").json
    assert made["expires_at"] is not None
    assert office(*token, "--days", "0").code == 1
    assert "works until" in office("application", "list").out
