"""The round itself, as people start it."""

import json
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

ROUNDBOOK = Path(sys.executable).with_name("roundbook")
SEED = 7
LONGEST_S = 60.0
COUNTS = ("saved", "sent", "applied", "merged", "differing", "quarantined", "waiting", "duplicates")
SIZES = ("bytes_up", "bytes_down", "round_trips")


def played(folder: Path, shared: Path) -> dict[str, Any]:
    """The result of one round, told built-in stories only."""
    done = subprocess.run(
        [ROUNDBOOK, "demo", "--once", "--json", "--seed", str(SEED), "--data", folder],
        capture_output=True,
        env={"PATH": "", "ROUNDBOOK_SHARED": str(shared), "ROUNDBOOK_DEBUG": "1"},
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.slow
def test_a_round_holds_what_it_promises_and_follows_from_its_seed(tmp_path: Path) -> None:
    began = time.monotonic()
    result = played(tmp_path / "demo", tmp_path)
    took_s = time.monotonic() - began
    _holds(result)
    _has_work(tmp_path / "demo" / "roundbook.db")
    if took_s < LONGEST_S:  # the machine is not busy with something else
        again = played(tmp_path / "demo", tmp_path)
        assert {**again, "seconds": 0} == {**result, "seconds": 0}


def _has_work(database: Path) -> None:
    """The office's desk is full: what the tasks of docs/office-guide.zh.md begin with is there."""
    with closing(sqlite3.connect(database)) as connection:
        states = {
            state
            for (state,) in connection.execute("SELECT DISTINCT state FROM records WHERE kind = 'matter'")
        }
        unplaced = connection.execute("SELECT count(*) FROM records WHERE length(place) = 9").fetchone()
        (waiting,) = connection.execute("SELECT count(*) FROM conflicts WHERE status = 'open'").fetchone()
        callers = connection.execute("SELECT count(DISTINCT telephone_hash) FROM telephones").fetchone()
        (old,) = connection.execute("SELECT count(*) FROM records WHERE length(place) = 12").fetchone()
        (defaults,) = connection.execute("SELECT count(*) FROM village_defaults").fetchone()
    assert states >= {"reported", "accepted", "assigned", "resolved", "answered", "closed"}
    assert old >= 6, "the old ledger names villages only"
    assert defaults == 12
    assert (unplaced, callers) == ((2,), (3,))
    assert waiting > 0


def _holds(result: dict[str, Any]) -> None:
    devices = result["devices"]
    assert [check["differs"] for check in result["checks"]] == [[]] * len(result["checks"])
    assert len(devices) == 24
    for row in devices:
        assert row["saved"] == row["sent"] + row["waiting"]
        assert row["sent"] == row["applied"] + row["merged"] + row["differing"] + row["quarantined"]
        assert row["waiting"] == 0
        assert all(row[size] > 0 for size in SIZES)
    by_role = {row["role"]: row for row in devices if row["role"] is not None}
    assert by_role["dies"]["cuts"] > 0
    assert by_role["loses_answer"]["duplicates"] > 0
    assert all(by_role[role]["quarantined"] for role in ("loses_record", "crafts_field", "crafts_kind"))
    assert all(sum(row[count] for row in devices) > 0 for count in COUNTS if count != "waiting")
    assert result["setting"]["villages_imported"] == 863
    assert (result["setting"]["villages"], result["setting"]["grids"]) == (12, 36)
    assert result["setting"]["shared_texts"] is False
    assert len(result["differing"]["values"]) > 1
    assert result["history"]["steps"][0]["what"][0].startswith("+ ")


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    done = subprocess.run(
        [ROUNDBOOK, "demo", "--once", "--data", tmp_path], capture_output=True, check=False, timeout=60
    )
    assert done.returncode == 1
    assert "left alone" in done.stderr.decode()
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]
