"""docs/architecture.md names the tables, the rules and the places that there are."""

import re
from pathlib import Path

from server.storage.tables import metadata

CHECKOUT = Path(__file__).resolve().parents[2]
PAGE = (CHECKOUT / "docs" / "architecture.md").read_text(encoding="utf-8")
RULES = [*(f"S{n}" for n in range(1, 7)), *(f"Q{n}" for n in range(1, 10)), "E1", "E2", "E3", "M1"]


def rows(heading: str) -> list[list[str]]:
    section = PAGE.split(f" {heading}\n")[1].split("\n#")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def test_every_table_has_its_line_and_its_sort() -> None:
    said = {row[0].strip("`"): row[1] for row in rows("The tables")}
    sorts = {
        name: "township" if "township_id" in table.primary_key else "reference"
        for name, table in metadata.tables.items()
    }
    assert said == sorts


def test_every_rule_has_its_line() -> None:
    found = [row[0] for part in ("Schema", "Statements", "Errors and operation") for row in rows(part)]
    assert found == RULES


def test_every_place_on_the_map_exists() -> None:
    named = [path for row in rows("Where to find what") for path in re.findall(r"`([^`]+)`", row[1])]
    assert named
    assert [path for path in named if not (CHECKOUT / path).exists()] == []


def test_every_link_leads_somewhere() -> None:
    for page in sorted((CHECKOUT / "docs").rglob("*.md")):
        links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        assert [link for link in links if not (page.parent / link).exists()] == [], page.name
