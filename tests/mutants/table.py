"""The table of docs/testing.md, from the list of mutations: `python -m tests.mutants.table` prints it."""

import sys
from typing import Final

from tests.mutants.listed import MUTANTS

COVERED: Final = (
    *(f"G{n}" for n in range(1, 9)),
    *map(str, (1, 2, 3, 4, 5, 7, 8, 10, 11, 12, 13, 15, 18, 19, 21, 22, 27, 29, 30, 31, 32)),
)


def rows() -> list[str]:
    """A line for each guarantee and each row."""
    found = []
    for of in COVERED:
        mutants = [mutant for mutant in MUTANTS if of in mutant.of]
        tests = sorted({test for mutant in mutants for test in mutant.tests})
        links = [f"[{test.partition('::')[2]}](../{test.partition('::')[0]})" for test in tests]
        names = [f"`{mutant.name}`" for mutant in mutants]
        what = of if of.startswith("G") else f"row {of}"
        found.append(f"| {what} | {'<br>'.join(links)} | {'<br>'.join(names)} |")
    return found


if __name__ == "__main__":
    sys.stdout.write("\n".join(rows()) + "\n")
