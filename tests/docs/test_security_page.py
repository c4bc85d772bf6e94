"""docs/security.md names tests that exist, for every threat; SECURITY.md says in both languages how to report."""

import ast
import re
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
PAGE = (CHECKOUT / "docs" / "security.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`(tests/[^`]+)::([^`]+)`", PAGE)


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_a_named_test_exists(file: str, name: str) -> None:
    tree = ast.parse((CHECKOUT / file).read_text(encoding="utf-8"))
    found = [one.name for one in tree.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert found.count(name) == 1


def test_every_threat_has_a_test() -> None:
    rows = [line.strip("|").split(" | ") for line in PAGE.splitlines() if line.startswith("| ")]
    threats = [row for row in rows if row[0].strip() != "threat"]
    assert len(threats) > 10
    assert [row[0] for row in threats if len(row) != 3 or "::" not in row[2]] == []


def test_the_way_to_report_is_said_in_both_languages() -> None:
    text = (CHECKOUT / "SECURITY.md").read_text(encoding="utf-8")
    assert "Reporting 怎样报告" in text
    assert "Supported 支持范围" in text
    assert "docs/security.md" in text
