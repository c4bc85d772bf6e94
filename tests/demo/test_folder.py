"""A demo makes its folder anew, and nobody else's."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from demo.folder import DATABASE_FILE, fresh
from server.refused import RefusedError


def test_it_is_made_anew(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "demo"
    with fresh(folder):
        (folder / "devices").mkdir()
        (folder / "devices" / "x").touch()
        (folder / "y").touch()
    with fresh(folder):
        assert [path.name for path in folder.iterdir()] == ["demo.lock"]


def test_it_is_left_alone_while_another_demo_uses_it(tmp_path: Path) -> None:
    with fresh(tmp_path / "demo"), pytest.raises(RefusedError, match="in use"), fresh(tmp_path / "demo"):
        pass


def test_it_is_left_alone_while_a_server_has_its_database_open(tmp_path: Path) -> None:
    with fresh(tmp_path / "demo") as folder, closing(sqlite3.connect(folder / DATABASE_FILE)) as made:
        made.execute("PRAGMA journal_mode = WAL")
        made.execute("CREATE TABLE t (x)")
    with closing(sqlite3.connect(tmp_path / "demo" / DATABASE_FILE)) as served:
        served.execute("SELECT * FROM t").fetchall()
        with pytest.raises(RefusedError, match="in use"), fresh(tmp_path / "demo"):
            pass
        assert (tmp_path / "demo" / DATABASE_FILE).exists()
    with fresh(tmp_path / "demo") as folder:
        assert not (folder / DATABASE_FILE).exists()


def test_a_folder_that_no_demo_has_made_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    with pytest.raises(RefusedError, match="left alone"), fresh(tmp_path):
        pass
    assert (tmp_path / "precious").exists()
