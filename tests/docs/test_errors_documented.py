"""docs/errors.md says every code and every error of the program, and no others."""

import re
from pathlib import Path

from sync_protocol import errors
from sync_protocol.codes import CODES
from sync_protocol.errors import RoundbookError

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "errors.md").read_text(encoding="utf-8")


def table(heading: str) -> dict[str, list[str]]:
    """The rows of the table below a heading, by the code or name in their first cell."""
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.split(" | ")] for line in section.splitlines() if "| `" in line]
    return {row[0].removeprefix("| ").strip("`"): row[1:] for row in rows}


def tree() -> dict[str, str]:
    """Each error of the drawing, with the one above it."""
    drawing = PAGE.split("```text errors\n")[1].split("```")[0]
    above: list[str] = []
    found: dict[str, str] = {}
    for line in drawing.splitlines():
        name = re.sub(r"^[|+\- ]*", "", line)
        depth = (len(line) - len(name)) // 4
        above = [*above[:depth], name]
        found[name] = above[-2] if depth else ""
    return found


def known() -> dict[str, type[RoundbookError]]:
    return {
        name: found
        for name, found in vars(errors).items()
        if isinstance(found, type) and issubclass(found, RoundbookError)
    }


def test_every_code_about_a_change_is_there_with_its_words() -> None:
    documented = {code: tuple(row[:2]) for code, row in table("Codes about one change").items()}
    assert documented == {c.name: (c.zh, c.en) for c in CODES.values() if c.subject == "change"}


def test_every_code_about_a_request_is_there_with_its_status_and_words() -> None:
    documented = {code: (int(row[0]), row[1], row[2]) for code, row in table("Codes about a request").items()}
    assert documented == {c.name: (c.status, c.zh, c.en) for c in CODES.values() if c.subject == "request"}


def test_codes_about_a_change_are_no_http_status_and_the_others_are() -> None:
    assert {c.status for c in CODES.values() if c.subject == "change"} == {0}
    assert all(400 <= c.status < 600 for c in CODES.values() if c.subject == "request")


def test_the_tree_of_errors_is_that_of_the_program() -> None:
    program = {name: found.__base__.__name__ if found.__base__ else "" for name, found in known().items()}
    program["RoundbookError"] = ""
    assert tree() == program


def test_every_error_has_its_row_with_its_code() -> None:
    documented = {name: row[0].strip("`") for name, row in table("The errors of the SDK").items()}
    assert documented == {name: found.code for name, found in known().items()}
