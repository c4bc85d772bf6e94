"""A server in a process of its own, and what may be done beside it: backup, commands, but no restore."""

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx2
import pytest
from pyotp import TOTP

from server.backup import back_up, check, restore
from server.refused import RefusedError

COMMAND = [sys.executable, "-c", "from server.starting import main; main()"]
CHECKOUT = Path(__file__).resolve().parents[2]


def _environment(folder: Path) -> dict[str, str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("ROUNDBOOK_")}
    return {**plain, "ROUNDBOOK_DATA": str(folder), "PYTHONPATH": str(CHECKOUT)}


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        env=_environment(folder),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@contextmanager
def _serving(folder: Path, *arguments: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A server on a free port, once it says where it is."""
    command = [*COMMAND, "serve", "--port", "0", *arguments]
    with subprocess.Popen(command, env=_environment(folder), stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            found = re.search(r"http://\S+:\d+", said)
            assert found, said
            yield found.group(), process
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)


def _get(url: str) -> tuple[int, object]:
    response = httpx2.get(url, timeout=10)
    return response.status_code, response.json()


@pytest.mark.slow
def test_a_server_serves_while_commands_work_beside_it(tmp_path: Path) -> None:
    folder, copy = tmp_path / "data", tmp_path / "copy.db"
    with _serving(folder, "--workers", "2") as (url, process):
        assert _get(f"{url}/v1/health/live") == (200, {"status": "live"})
        assert _get(f"{url}/v1/health/ready") == (200, {"status": "ready"})
        assert _run(folder, "staff", "list").returncode == 0
        done = _run(folder, "backup", str(copy), "--json")
        assert json.loads(done.stdout)["file"] == str(copy)
        refused = _run(folder, "restore", str(copy), "--replace")
        assert refused.returncode == 1
        assert refused.stderr.endswith("open: stop it first.\n")
        assert _get(f"{url}/v1/health/ready")[0] == 200
        port = url.rpartition(":")[2]
        taken = _run(folder, "serve", "--port", port)
        assert taken.returncode == 1
        assert f"127.0.0.1:{port} cannot be listened on" in taken.stderr
    assert process.returncode == 0
    restored = _run(folder, "restore", str(copy), "--replace")
    assert restored.returncode == 0, restored.stderr


# --- copies ----------------------------------------------------------------------------------------------


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A database of Roundbook with one word in it, in WAL mode."""
    return _database(tmp_path / "live", "here")


def _database(folder: Path, identity: str) -> Path:
    """A database with the tables that tell one of Roundbook, and a word."""
    file = folder / "roundbook.db"
    folder.mkdir()
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES ('0001')")
        connection.execute("CREATE TABLE townships (identity TEXT)")
        connection.execute("INSERT INTO townships VALUES (?)", (identity,))
        for table in ("devices", "records", "changes"):
            connection.execute(f"CREATE TABLE {table} (id TEXT)")
        connection.execute("CREATE TABLE words (word TEXT)")
        connection.execute("INSERT INTO words VALUES ('before')")
    return file


def _words(file: Path) -> list[str]:
    with closing(sqlite3.connect(file)) as connection:
        return [word for (word,) in connection.execute("SELECT word FROM words")]


def test_a_copy_holds_what_was_committed_while_others_write(database: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    with closing(sqlite3.connect(database, isolation_level=None)) as writer:
        writer.execute("CREATE TABLE big (bytes BLOB)")
        writer.executemany("INSERT INTO big VALUES (zeroblob(?))", [(100_000,)] * 200)
        heard: list[tuple[int, int]] = []

        def write_meanwhile(done: int, total: int) -> None:
            heard.append((done, total))
            writer.execute("INSERT INTO words VALUES ('meanwhile')")

        done = back_up(database, copy, progress=write_meanwhile)
    assert len(heard) > 1
    assert heard[-1][0] == heard[-1][1]
    assert _words(copy) == ["before"]
    assert (done.revision, done.size_bytes) == ("0001", copy.stat().st_size)
    assert (done.townships, done.records, done.changes) == (1, 0, 0)
    assert copy.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.db", "live"]


def test_a_restored_copy_stands_in_the_databases_place_and_the_old_one_beside_it(
    database: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.db"
    back_up(database, copy)
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("INSERT INTO words VALUES ('after')")
    with pytest.raises(RefusedError, match="add --replace"):
        restore(copy, database, stamp="s")
    done = restore(copy, database, replace=True, stamp="s")
    assert _words(database) == ["before"]
    assert done.kept == str(database.with_name("roundbook.db.s"))
    assert _words(Path(done.kept)) == ["before", "after"]
    assert database.stat().st_mode & 0o777 == 0o600


def test_a_copy_is_restored_where_nothing_was(database: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    back_up(database, copy)
    target = tmp_path / "new" / "roundbook.db"
    assert restore(copy, target, stamp="s").kept is None
    assert _words(target) == ["before"]


def test_nothing_is_restored_while_somebody_has_the_database_open(database: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    back_up(database, copy)
    with closing(sqlite3.connect(database, isolation_level=None)) as reader:
        reader.execute("SELECT * FROM words").fetchall()
        with pytest.raises(RefusedError, match="stop it first"):
            restore(copy, database, replace=True, stamp="s")
        assert reader.execute("SELECT word FROM words").fetchall() == [("before",)]
    assert sorted(path.name for path in database.parent.iterdir()) == ["roundbook.db"]


def test_a_damaged_database_may_be_restored_over(database: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    back_up(database, copy)
    database.write_bytes(b"\0" * 9_999)
    restore(copy, database, replace=True, stamp="s")
    assert _words(database) == ["before"]


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0", b"x" * 5_000])
def test_only_a_whole_database_is_restored(database: Path, tmp_path: Path, content: bytes) -> None:
    bad = tmp_path / "bad.db"
    bad.write_bytes(content)
    with pytest.raises(RefusedError, match="not a database of Roundbook"):
        restore(bad, database, replace=True, stamp="s")
    assert _words(database) == ["before"]
    with pytest.raises(RefusedError, match="There is no file"):
        restore(tmp_path / "none.db", database, replace=True, stamp="s")


def test_a_database_of_another_program_or_of_another_server_is_not_restored(
    database: Path, tmp_path: Path
) -> None:
    foreign = tmp_path / "foreign.db"
    with closing(sqlite3.connect(foreign, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES ('0001')")
    with pytest.raises(RefusedError, match="of another program"):
        restore(foreign, database, replace=True, stamp="s")
    other = tmp_path / "other.db"
    back_up(_database(tmp_path / "elsewhere", "there"), other)
    with pytest.raises(RefusedError, match="of another server"):
        restore(other, database, replace=True, stamp="s")
    with pytest.raises(RefusedError, match="the database itself"):
        restore(database, database, replace=True, stamp="s")
    assert _words(database) == ["before"]
    assert sorted(path.name for path in database.parent.iterdir()) == ["roundbook.db"]


def test_a_copy_made_by_hand_is_restored_with_its_journal(database: Path, tmp_path: Path) -> None:
    """Somebody copied the data folder while the server ran: the newest commits lie in the journal alone."""
    by_hand = tmp_path / "by-hand.db"
    with closing(sqlite3.connect(database, isolation_level=None)) as writer:
        writer.execute("INSERT INTO words VALUES ('in the journal')")
        for tail in ("", "-wal"):
            shutil.copyfile(f"{database}{tail}", f"{by_hand}{tail}")
    assert Path(f"{by_hand}-wal").stat().st_size
    restore(by_hand, tmp_path / "new.db", stamp="s")
    assert _words(tmp_path / "new.db") == ["before", "in the journal"]
    assert _words(by_hand) == ["before", "in the journal"]


def test_two_restores_within_a_second_keep_both_databases(database: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    back_up(database, copy)
    kept = [restore(copy, database, replace=True, stamp="s").kept for _ in range(2)]
    assert kept == [f"{database}.s", f"{database}.s-2"]
    assert all(_words(Path(one)) == ["before"] for one in kept if one)


def test_a_torn_copy_is_recognised(database: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.executemany("INSERT INTO words VALUES (?)", [("x" * 1_000,)] * 500)
    copy = tmp_path / "copy.db"
    back_up(database, copy)
    whole = copy.read_bytes()
    copy.write_bytes(whole[: len(whole) // 2] + b"\xff" * (len(whole) - len(whole) // 2))
    with pytest.raises(RefusedError, match="damaged"):
        check(copy)


def test_a_copy_overwrites_nothing_unless_told_to(database: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    copy.write_text("mine")
    with pytest.raises(RefusedError, match="exists already"):
        back_up(database, copy)
    assert copy.read_text() == "mine"
    back_up(database, copy, force=True)
    assert _words(copy) == ["before"]
    for target, says in ((tmp_path, "is a folder"), (tmp_path / "no" / "copy.db", "There is no folder")):
        with pytest.raises(RefusedError, match=says):
            back_up(database, target)
    with pytest.raises(RefusedError, match="There is no database"):
        back_up(tmp_path / "none.db", tmp_path / "other.db")


def test_a_database_is_not_copied_onto_itself(database: Path) -> None:
    with pytest.raises(RefusedError, match="itself"):
        back_up(database, database)
    with pytest.raises(RefusedError, match="itself"):
        back_up(database, database.parent / ".." / "live" / "roundbook.db", force=True)
    assert _words(database) == ["before"]


def test_a_folder_that_cannot_be_written_is_said_to_be_so(database: Path) -> None:
    with pytest.raises(RefusedError, match="could not be written"):
        back_up(database, Path("/proc/self/copy.db"))


@pytest.mark.slow
def test_the_first_administrator_comes_in_by_a_link_that_is_printed_once(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    villages = CHECKOUT / "server" / "directory" / "data" / "villages_3_counties.csv"
    assert _run(folder, "directory", "import", str(villages)).returncode == 0
    assert _run(folder, "township", "open", "321283104").returncode == 0
    with _serving(folder) as (url, process):
        link = _printed(process)
        assert link.startswith(f"{url}/welcome#rbl.321283104.")
        secret = link.partition("#")[2]
        with httpx2.Client(base_url=url) as browser:
            offer = browser.post("/v1/link", json={"link": secret}).json()
            assert (offer["name"], offer["role"], offer["mandatory"]) == ("管理员", "administrator", True)
            new = {"link": secret, "password": "灯塔-kvutza-93-mqpl", "code": TOTP(offer["secret"]).now()}
            codes = browser.post("/v1/link/password", json=new).json()["recovery"]
            says = {"township": "321283104", "name": "管理员", "password": new["password"], "code": codes[0]}
            assert browser.post("/v1/sign-in", json=says).status_code == 200
            assert browser.get("/v1/session").json()["role"] == "administrator"
        said = _ended(process)
    with _serving(folder) as (url, process):
        assert _get(f"{url}/v1/health/ready")[0] == 200
        time.sleep(2)  # what is looked for would be said by now
        said += _ended(process)
    kept = said + "".join(str(p.read_bytes()) for p in folder.rglob("*") if p.is_file())
    assert [one for one in (secret.rpartition(".")[2], new["password"], *codes) if one in kept] == []
    assert "/welcome#" not in said
    other = json.loads(_run(folder, "staff", "link", "--name", "管理员", "--json").stdout)
    assert "/welcome#rbl.321283104." in other["link"]


def _ended(process: subprocess.Popen[str]) -> str:
    """What else a server says until it has ended."""
    process.send_signal(signal.SIGINT)
    assert process.stdout is not None
    return process.stdout.read()


def _printed(process: subprocess.Popen[str]) -> str:
    """The link among the lines that a server says when it starts."""
    assert process.stdout is not None
    for line in process.stdout:
        if "/welcome#" in line:
            return line.strip()
    raise AssertionError("the server ended")
