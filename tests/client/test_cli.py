"""`roundbook-device` against a township behind real HTTP."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from client_sdk.cli import app, main
from tests.client.town import Town, cut

Run = Callable[..., str]


@pytest.fixture
def url(town: Town) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = town.exchange("POST", self.path, headers, body)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, format: str, *args: Any) -> None: ...  # noqa: A002 (the library's name)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as served:
        thread = threading.Thread(target=served.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{served.server_address[1]}"
        served.shutdown()
        thread.join()


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("ROUNDBOOK_STORE", str(tmp_path / "w.rbk"))
    monkeypatch.setenv("ROUNDBOOK_PASSPHRASE", "口令")

    def run_(*arguments: str, exit_code: int = 0) -> str:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        told = capsys.readouterr()
        assert ended.value.code == exit_code, told.err
        return told.err if exit_code else told.out

    return run_


@pytest.fixture
def enrolled(run: Run, url: str) -> Run:
    assert "王芳" in run("enrol", url, "--code", "ABCD-EFGH")
    return run


def test_a_day_on_the_command_line(enrolled: Run, town: Town) -> None:
    run = enrolled
    made = json.loads(run("create", "matter", "title=水渠堵塞", "category=02", "--json"))
    short = made["id"][-6:]
    run("edit", short, "narrative=已到现场", "people_involved=3", "tags=road,water", "point=32.1,120.0")
    run("append", short, "measures", "text=电话联系水务站")
    assert "reported" in run("act", short, "report", "--note", "请看")
    assert len(json.loads(run("queue", "--json"))) == 4
    assert "待上传" in run("list", "matter")
    assert "已上传 4" in run("sync")
    shown = json.loads(run("show", short, "--json"))
    assert shown["number"] == f"{town.grids[0][:9]}-2026-00001"
    assert shown["fields"]["people_involved"] == 3
    assert shown["fields"]["tags"] == ["road", "water"]
    assert shown["delivery"] == "received"
    listed = run("list", "matter", "--text", "水务站")
    assert shown["number"] in listed
    assert "镇里已收到" in listed
    assert "已登记" in run("news")
    assert "没有新消息" in run("news")
    assert "全部已上传" in run("queue")
    assert "王芳" in run("me")
    assert json.loads(run("me", "--json"))["me"]["township_name"] == "元竹镇"
    assert json.loads(run("sync", "--json"))["complete"] is True
    assert "title" in run("show", shown["number"])


def test_drafts_wait_for_their_submission(enrolled: Run) -> None:
    draft = json.loads(enrolled("create", "matter", "title=a", "--draft", "--json"))
    assert draft["delivery"] == "draft"
    assert json.loads(enrolled("submit", draft["id"], "--json"))["delivery"] == "waiting"


def test_problems_name_the_record_and_the_next_step(enrolled: Run, town: Town) -> None:
    """Failures, row 19."""
    made = json.loads(enrolled("create", "matter", "title=a", "people_involved=3", "--json"))
    enrolled("sync")
    town.quarantine.add(made["id"])
    enrolled("edit", made["id"], "title=b")
    enrolled("sync")
    told = enrolled("problems")
    assert made["id"][-6:] in told
    assert "需处理" in told
    assert "冲突" not in told
    (problem,) = json.loads(enrolled("problems", "--json"))
    assert problem["record"] == made["id"]
    assert problem["values"]["title"]["own"] == "b"


def test_row_20_what_is_unsent_can_be_rescued(enrolled: Run, url: str, tmp_path: Path) -> None:
    """Failures, row 20."""
    made = json.loads(enrolled("create", "matter", "title=needle", "--json"))
    file = tmp_path / "w.rescue"
    assert "1" in enrolled("rescue", str(file))
    assert b"needle" not in file.read_bytes()
    other = ("--store", str(tmp_path / "other.rbk"))
    enrolled(*other, "enrol", url, "--code", "AAAA-BBBB")
    assert "1" in enrolled(*other, "take-in", str(file), "--its-passphrase", "口令")
    assert "0" in enrolled(*other, "take-in", str(file), "--its-passphrase", "口令")
    (entry,) = json.loads(enrolled(*other, "queue", "--json"))
    assert entry["record"] == made["id"]
    assert json.loads(enrolled(*other, "sync", "--json"))["sent"] == 1
    assert json.loads(enrolled("sync", "--json"))["duplicates"] == 1
    enrolled(*other, "take-in", str(file), "--its-passphrase", "wrong", exit_code=1)
    file.write_bytes(file.read_bytes()[:-9])
    assert "w.rescue" in enrolled("take-in", str(file), "--its-passphrase", "口令", exit_code=1)


@pytest.mark.parametrize(
    ("arguments", "exit_code", "says"),
    [
        (["create", "matter", "title="], 1, "title"),
        (["create", "matter", "title=a", "people_involved=many"], 1, "people_involved"),
        (["create", "matter", "title=a", "measures:=[}"], 1, "JSON"),
        (["create", "matter", "words"], 1, "NAME=VALUE"),
        (["create", "nothing"], 1, "matter"),
        (["show", "ffffff"], 1, "ffffff"),
        (["edit", "01920000-0000-7000-8000-000000000001", "title=a"], 1, "no such record"),
        (["fly"], 2, "fly"),
        (["create"], 2, "--help"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(
    enrolled: Run, arguments: list[str], exit_code: int, says: str
) -> None:
    told = enrolled(*arguments, exit_code=exit_code)
    assert says in told
    assert "Traceback" not in told
    assert len(told.strip().splitlines()) == 1


def test_without_a_device_or_a_server(run: Run) -> None:
    assert "enrol" in run("create", "matter", "title=a", exit_code=1)
    assert "nothing is lost" in run("enrol", "http://127.0.0.1:1", "--code", "ABCD-EFGH", exit_code=1)


def test_a_wrong_passphrase(enrolled: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROUNDBOOK_PASSPHRASE", "another")
    assert "passphrase" in enrolled("list", exit_code=1)


def test_every_command_has_help_with_an_example(run: Run) -> None:
    listed = re.findall(r"^│ ([a-z-]+) +", run("--help"), flags=re.MULTILINE)
    commands = [name for name in listed if not name.startswith("-")]
    assert {"enrol", "create", "edit", "list", "queue", "problems", "sync", "rescue"} <= set(commands)
    for name in commands:
        assert f"Example: roundbook-device {name}" in run(name, "--help"), name
    assert app.info.name == "roundbook-device"


def test_row_6_the_queue_shows_since_when_it_waits(enrolled: Run, town: Town) -> None:
    """The time of the save by the device's clock, for people and for programs, until the change has its verdict."""
    before = time.time_ns() // 1_000_000
    enrolled("create", "matter", "title=a")
    town.before = cut
    enrolled("sync", exit_code=1)
    (entry,) = json.loads(enrolled("queue", "--json"))
    assert before <= entry["saved_ms"] <= time.time_ns() // 1_000_000
    shown = datetime.fromtimestamp(entry["saved_ms"] / 1000, UTC).astimezone()
    assert "起 since" in enrolled("queue")
    assert shown.strftime("%Y-%m-%d %H:%M") in enrolled("queue")
    town.before = lambda _: None
    enrolled("sync")
    assert "全部已上传" in enrolled("queue")


def test_row_22_a_short_code_names_a_record_until_it_has_its_number(enrolled: Run) -> None:
    """The device makes no numbers up: its own short code stands where the township's number will be."""
    made = json.loads(enrolled("create", "matter", "title=a", "--json"))
    short = made["id"][-6:]
    assert made["number"] is None
    assert short in enrolled("list", "matter")
    enrolled("act", short, "report")
    assert short in enrolled("list", "matter")
    enrolled("sync")
    number = json.loads(enrolled("show", short, "--json"))["number"]
    listed = enrolled("list", "matter")
    assert number in listed
    assert short not in listed
