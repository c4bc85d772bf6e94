"""Files of rules: what a right one means, what a wrong one is told; and the commands, in processes of their own."""

import json
import sqlite3
from pathlib import Path

import pytest

from server.deadlines import installing
from server.deadlines.shipped import shipped_rules
from server.reckoning.reading import parse
from server.reckoning.rules import RuleSet
from server.reckoning.workdays import calendar_of
from sync_protocol.kinds import KindError, shipped
from tests.processes import run

PAGE = (Path(__file__).parents[2] / "docs" / "deadlines.md").read_text(encoding="utf-8")
SOUND = """
[rules.letters]
title = { zh = "来信", en = "Letters" }
source = "test"
start = { entered = ["accepted"] }
met = { entered = ["answered"] }
length = { days = 10 }
"""


def own(text: str) -> RuleSet:
    return installing.check(text, "own.toml", shipped())


def test_the_file_of_the_page_is_in_order_and_says_what_it_says() -> None:
    rules = own(PAGE.split("```toml\n")[1].split("```")[0])
    letters = rules.rules["answer_letters"]
    assert letters.length.given == {"working_days": 10}
    assert (letters.when["source"], letters.explain) == (("letter",), True)
    assert not calendar_of(shipped_rules().under(rules)).is_worked(rules.years["2027"].holidays[0].from_)


def test_the_page_lists_the_rules_that_ship() -> None:
    table = PAGE.split("## The rules that ship")[1].split("\n## ")[0]
    named = [line.split("`")[1] for line in table.splitlines() if line.startswith("| `")]
    assert named == list(shipped_rules().rules)
    assert all(f"| {rule.title.zh} |" in table for rule in shipped_rules().rules.values())


def test_a_township_lays_its_rules_over_those_that_ship() -> None:
    base = shipped_rules()
    replaced = own('without = ["tracked"]' + SOUND.replace("letters", "resolve"))
    both = base.under(replaced)
    assert set(both.rules) == set(base.rules) - {"tracked"}
    assert both.rules["resolve"].title.zh == "来信"
    assert both.years == base.years
    assert both.edition == base.edition


@pytest.mark.parametrize(
    ("text", "line", "key", "says"),
    [
        ("[rules", 1, "", "not TOML"),
        ("edition = 2", 1, "edition", "not a key here"),
        ('without = ["trakked"]', 1, "without", "there is no 'trakked'"),
        (SOUND.replace('"accepted"', '"acepted"'), 5, "rules.letters.start.entered", "there is no 'acepted'"),
        (SOUND.replace('{ entered = ["answered"]', '{ written = ["x"]'), 6, "rules.letters.met.written", "no 'x'"),
        (SOUND.replace('{ entered = ["answered"] }', "{}"), 6, "rules.letters.met", "states in `entered`"),
        (SOUND.replace("days = 10", ""), 7, "rules.letters.length", "it says no time"),
        (SOUND.replace("days = 10", "days = 10, hours = 1"), 7, "rules.letters.length", "one unit"),
        (SOUND.replace("days = 10", "days = 10_000"), 7, "rules.letters.length.days", "<= 1000"),
        (SOUND.replace("days = 10", "weeks = 1"), 7, "rules.letters.length", "unknown field `weeks`"),
        (SOUND + 'kind = "mater"', 8, "rules.letters.kind", "there is no kind"),
        (SOUND + 'when = { urgency = ["at_once"] }', 8, "rules.letters.when.urgency", "there is no 'at_once'"),
        (SOUND + 'when = { title = ["x"] }', 8, "rules.letters.when.title", "no field with choices"),
        (SOUND + 'when = { restricted = ["yes"] }', 8, "rules.letters.when.restricted", "there is no 'yes'"),
        (SOUND + 'escalate = { to = "boss", measures = ["urge"] }', 8, "rules.letters.escalate.to", "'boss'"),
        (SOUND + 'extension = { by = {}, approver = "leader" }', 8, "rules.letters.extension", "some time"),
        (SOUND.replace("letters", "Letters"), 2, "rules.Letters", "is no name"),
        ('[years.2027]\nsource = "x"\nholidays = [{ name = "a", from = 2027-01-03, to = 2027-01-01 }]', 3,
         "years.2027.holidays", "cannot be right"),
        ('[years.2027]\nsource = "x"\nholidays = [{ name = "a", from = 2026-01-01, to = 2026-01-03 }]', 3,
         "years.2027.holidays", "cannot be right"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_told_where_and_what(text: str, line: int, key: str, says: str) -> None:
    with pytest.raises(KindError) as refused:
        own(text)
    (finding,) = refused.value.findings
    assert (finding.line, finding.key) == (line, key)
    assert says in finding.problem.en
    assert finding.problem.zh
    assert finding.write_instead.en


def test_the_file_that_ships_needs_an_edition() -> None:
    with pytest.raises(KindError, match="edition"):
        parse(SOUND, "rules.toml", shipped())


# --- commands -------------------------------------------------------------------------------------


def roundbook(data: Path, *arguments: str, code: int = 0) -> str:
    done = run(data, *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def test_the_commands(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text(SOUND, encoding="utf-8")
    data = tmp_path / "data"
    assert "own.toml is in order: 1 rules." in roundbook(data, "deadlines", "check", str(file))
    assert not data.exists()
    listed = Path(__file__).parents[2] / "server" / "directory" / "data" / "villages_3_counties.csv"
    roundbook(data, "directory", "import", str(listed))
    roundbook(data, "township", "open", "321283104")
    done = json.loads(roundbook(data, "deadlines", "run", "--json"))
    assert done == [{"township": "321283104", "reckoned": 0, "told": 0}]
    said = roundbook(data, "deadlines", "install", str(file))
    assert said == "321283104: 1 rules are in force, as revision 1.\n"
    assert "were in force already" in roundbook(data, "deadlines", "install", str(file))
    (plain,) = json.loads(roundbook(data, "deadlines", "list", "--json", "--township", "321283104"))
    assert (plain["revision"], len(plain["rules"])) == (1, len(shipped_rules().rules) + 1)
    assert "letters" in roundbook(data, "deadlines", "list")
    file.write_text(SOUND.replace("answered", "answerd"), encoding="utf-8")
    assert "there is no 'answerd'" in roundbook(data, "deadlines", "install", str(file), code=1)
    roundbook(data, "deadlines", "run", "--township", "321283105", code=1)
    with sqlite3.connect(data / "roundbook.db") as connection:
        asked = "SELECT actor FROM audit_entries WHERE act = 'deadline_rules_installed'"
        assert connection.execute(asked).fetchall() == [("operator",)]
