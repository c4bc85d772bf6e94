"""docs/failures.md and the tests agree: every row is there, and every test that bears a row's number is named by it."""

import ast
import re
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
PAGE = (CHECKOUT / "docs" / "failures.md").read_text(encoding="utf-8")
ROWS = range(1, 33)
NOT_BUILT = {17, 26}
NUMBERS = re.compile(r"[Rr]ows? (\d+(?:(?:,| and) ?\d+)*)")


def table() -> dict[int, list[str]]:
    """Row to the cells after its number."""
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in PAGE.splitlines()]
    return {int(row[0]): row[1:] for row in cells if row[0].isdigit()}


@cache
def bearing() -> dict[int, set[str]]:
    """Row to the tests that bear its number, in their names or docstrings."""
    found: dict[int, set[str]] = defaultdict(set)
    for file in sorted((CHECKOUT / "tests").rglob("test_*.py")):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or not node.name.startswith(
                "test_"
            ):
                continue
            said = NUMBERS.findall(ast.get_docstring(node) or "") + re.findall(r"^test_row_(\d+)_", node.name)
            for number in re.findall(r"\d+", " ".join(said)):
                found[int(number)].add(f"{file.relative_to(CHECKOUT).as_posix()}::{node.name}")
    return found


def test_every_row_is_there_once_and_in_order() -> None:
    numbers = re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)
    assert numbers == [str(row) for row in ROWS]
    assert all(len(cells) == len(("elsewhere", "here", "tests", "shown")) for cells in table().values())


@pytest.mark.parametrize("row", ROWS)
def test_a_row_names_the_tests_that_bear_its_number_and_no_others(row: int) -> None:
    named = re.findall(r"`([^`]+::[^`]+)`", table()[row][2])
    assert len(named) == len(set(named))
    assert set(named) == bearing()[row]


def test_only_what_is_not_built_has_no_test() -> None:
    without = {row for row, cells in table().items() if "::" not in cells[2]}
    assert without == NOT_BUILT
    assert [row for row in without if not table()[row][1].startswith("Not built")] == []


def test_no_test_bears_a_number_that_is_no_row() -> None:
    assert bearing().keys() <= set(ROWS)
