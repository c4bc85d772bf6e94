"""`roundbook matter import`, as whoever runs the server meets it."""

from pathlib import Path

import pytest

from tests.e2e.village import TOWN, Village
from tests.intake.test_intake import GOOD, workbook
from tests.privacy.conftest import village
from tests.server.test_cli import Run, anywhere, run

__all__ = ["anywhere", "run", "village"]


@pytest.fixture
def old(tmp_path: Path) -> Path:
    file = tmp_path / "旧台账.xlsx"
    anywhere_in_town = [(*row[:2], None, *row[3:]) for row in GOOD]
    file.write_bytes(workbook(*anywhere_in_town, ("2019-9", None)).getvalue())
    return file


def test_an_old_ledger_is_tried_taken_over_and_known(village: Village, run: Run, old: Path) -> None:
    command = ("matter", "import", old, "--township", TOWN)
    tried = run(*command, "--dry-run", "--json").json
    assert (tried["new"], tried["known"], tried["dry_run"]) == (3, 0, True)
    assert tried["refused"] == [{"line": 6, "reason": {"zh": "没有标题", "en": "there is no title"}}]
    said = run(*command).out
    assert "3 taken over 已导入" in said
    assert "没有标题" in said
    again = run(*command, "--json").json
    assert (again["new"], again["known"]) == (0, 3)
    assert len(village.rows("records")["records"]) == 3
    assert "no township" in run("matter", "import", old, "--township", "321283999").sentence
    assert "cannot be read" in run("matter", "import", old.with_name("x"), "--township", TOWN).sentence
