"""The list of mutations, the tests that exist, and the table of docs/testing.md agree."""

import ast
from pathlib import Path

import pytest

from tests.mutants.blind import BLIND
from tests.mutants.listed import MUTANTS
from tests.mutants.mutant import Mutant
from tests.mutants.table import COVERED, rows

ROOT = Path(__file__).resolve().parents[2]


def test_the_document_has_the_table_of_the_list() -> None:
    """`python -m tests.mutants.table` prints it."""
    document = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
    written = [line for line in document.splitlines() if line.startswith("| ")]
    assert [row for row in rows() if row not in written] == []
    assert [line for line in written if line.startswith(("| G", "| row ")) and line not in rows()] == []


def test_every_promise_and_row_has_a_mutation() -> None:
    assert {of for mutant in MUTANTS for of in mutant.of} == set(COVERED)
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


@pytest.mark.parametrize("mutant", [*MUTANTS, *BLIND], ids=lambda mutant: mutant.name)
def test_a_mutation_fits_the_code(mutant: Mutant) -> None:
    code = (ROOT / mutant.file).read_text(encoding="utf-8")
    assert code.count(mutant.old) == 1
    assert mutant.old != mutant.new
    if mutant.file.endswith(".py"):
        compile(code.replace(mutant.old, mutant.new), mutant.file, "exec")


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutation_names_tests_that_exist(mutant: Mutant) -> None:
    assert mutant.tests
    for test in mutant.tests:
        file, _, name = test.partition("::")
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        assert name in {getattr(node, "name", "") for node in tree.body}, test
