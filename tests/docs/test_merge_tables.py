"""The tables of section 17 of docs/protocol.md, each row merged by the real merge.

Both authors saw version 2; the change of B arrives first, then that of A. A cell of the tables is read as the
part of a change that it stands for: PARTS has what is not simply a value.
"""

import re
from typing import Any

import msgspec
import pytest

from sync_protocol.changes import Change
from tests.docs.story import parse_kind
from tests.docs.test_worked_numbers import PAGE
from tests.protocol.desk import FIELD, NOW, OFFICE, RECORD, Desk, Taken, id_of

GRID, OTHER_GRID = "321283104203001", "321283104203002"
SEEN = 2
MINUTE_MS = 60_000
ONE, TWO = id_of(801), id_of(802)
NOTE = "井台完好。水泵有异响。水质清澈。"
BASE: dict[str, Any] = {"title": "村东水井", "measures": {ONE: {"text": "修", "by": "甲"}}}
Parts = dict[str, Any]


def put(entry: str, **values: str) -> Parts:
    return {"ops": [{"op": "put", "field": "measures", "entry": entry, "values": values}]}


def act(name: str, to: str) -> Parts:
    return {"act": {"name": name, "from": "reported", "to": to}, "reason": "因"}


DROPS: Parts = {"ops": [{"op": "drop", "field": "measures", "entry": ONE}]}
RETURN, SETTLE = act("return", "returned"), act("settle", "settled")
PARTS: dict[str, Parts] = {
    "puts entry 1": put(id_of(803), text="一"),
    "puts entry 2": put(TWO, text="二"),
    "edits `by` of entry 1": put(ONE, by="乙"),
    "edits `text` of entry 1": put(ONE, text="拆"),
    "edits entry 1": put(ONE, by="乙"),
    "drops entry 1": DROPS,
    "clerk: `return` to returned": RETURN,
    "grid worker: `settle` to settled": SETTLE,
    "edits a field": {"fields": {"title": "东"}},
    "edits a field, unseen": {"fields": {"title": "东"}},
    "deletes the record": {"do": "delete"},
    "deletes the record, unseen": {"do": "delete"},
    "the office moves it": {"place": OTHER_GRID},
    "the office moves it elsewhere, unseen": {"place": f"{GRID[:-1]}3"},
    "the office decides `title`": {"fields": {"title": "定"}, "decides": id_of(804)},
    "edits `title`, unseen": {"fields": {"title": "东"}},
}


def table(heading: str) -> list[list[str]]:
    section = PAGE.split(f"\n### {heading}\n")[1].split("\n##")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def told(base: dict[str, Any], b: Parts, a: Parts, minutes: tuple[int, int] = (1, 2)) -> tuple[Desk, Taken]:
    """What both changes make of a record that both saw."""
    desk = Desk(parse_kind())
    # A reported record has its number, and numbered records are voided, not deleted.
    reports = {"do": "delete"} not in (a, b)
    report = {"act": {"name": "report", "from": "draft", "to": "reported"}} if reports else {}
    desk.take(_change(1, {"do": "create", "place": GRID, "fields": BASE | base, **report}, 0), id_of(1))
    desk.now = NOW + 60 * MINUTE_MS
    _take(desk, 2, b, minutes[0])
    return desk, _take(desk, 3, a, minutes[1])


def _take(desk: Desk, number: int, parts: Parts, minute: int) -> Taken:
    office = {"place", "decides"} & parts.keys() or parts == RETURN
    taken = desk.take(_change(number, parts, minute), id_of(number), OFFICE if office else FIELD)
    assert taken.refused is None, taken.refused
    return taken


def _change(number: int, parts: Parts, minute: int) -> Change:
    said = {"id": id_of(100 + number), "record": RECORD, "kind": "well", "version": 1, "n": number}
    when = {"at": NOW + minute * MINUTE_MS, "base": 0 if number == 1 else SEEN}
    return msgspec.json.decode(msgspec.json.encode(said | when | parts), type=Change)


def field(name: str, value: Any) -> Parts:
    return {"fields": {name: value}}


def result(cell: str) -> str:
    """The verdict that a cell names."""
    found = re.search(r"`(\w+)`", cell)
    assert found is not None, cell
    return found.group(1)


@pytest.mark.parametrize("row", table("latest"))
def test_latest(row: list[str]) -> None:
    base, b, a, stamps, stands, verdict, kept = row
    minutes = [int(minute) for minute in re.findall(r"08:(\d+)", stamps)] or [5, 3]
    first, second = field("title", b), field("title", a)
    desk, taken = told({"title": base}, first, second, (minutes[0], minutes[1]))
    assert (desk.values["title"], taken.result) == (stands, result(verdict))
    assert [clash.by_rule for clash in desk.clashes] == ([] if kept == "nothing to decide" else [True])


@pytest.mark.parametrize("row", table("review"))
def test_review(row: list[str]) -> None:
    base, b, a, stands, verdict, kept = row
    first, second = field("households", int(b)), field("households", int(a))
    desk, taken = told({"households": int(base)}, first, second)
    assert (desk.values["households"], taken.result) == (int(stands.split(",")[0]), result(verdict))
    assert [clash.by_rule for clash in desk.clashes] == ([False] if kept else [])


@pytest.mark.parametrize("row", table("text"))
def test_text(row: list[str]) -> None:
    base, b, a, stands, verdict = row
    desk, taken = told({"note": base}, field("note", b), field("note", a))
    assert desk.values["note"] == (b if stands.startswith("B's") else stands)
    assert taken.result == result(verdict)


@pytest.mark.parametrize("row", table("max, min"))
@pytest.mark.parametrize("rule", ["max", "min"])
def test_max_and_min(rule: str, row: list[str]) -> None:
    base, b, a, greatest, least, verdict = row
    name, stands = ("depth", greatest) if rule == "max" else ("low_water", least)
    cleared = None if a == "cleared" else float(a)
    desk, taken = told({name: float(base)}, field(name, float(b)), field(name, cleared))
    assert (desk.values[name], taken.result) == (float(stands), result(verdict))
    assert desk.clashes == []


@pytest.mark.parametrize("row", table("sum"))
def test_sum(row: list[str]) -> None:
    base, b, a, stands, verdict = row
    first, second = ({"ops": [{"op": "increment", "field": "visits", "by": int(step)}]} for step in (b, a))
    desk, taken = told({"visits": int(base)}, first, second)
    assert (desk.values["visits"], taken.result) == (int(stands), result(verdict))


@pytest.mark.parametrize("row", table("union"))
def test_union(row: list[str]) -> None:
    base, b, a, stands, verdict, _ = row
    first, second = (
        {"ops": [{"op": op, "field": "tags", "value": value}]} for op, value in (b.split(), a.split())
    )
    desk, taken = told({"tags": re.findall(r"\w+", base)}, first, second)
    assert (desk.values.get("tags", []), taken.result) == (re.findall(r"\w+", stands), result(verdict))


@pytest.mark.parametrize("row", [row for row in table("entries") if "`" in row[3]])
def test_entries(row: list[str]) -> None:
    b, a, stands, verdict = row
    desk, taken = told({}, PARTS[b], PARTS[a])
    entries = desk.values["measures"]
    assert taken.result == result(verdict), stands
    assert {
        "puts entry 1": lambda: {id_of(803), TWO} <= entries.keys(),
        "edits `by` of entry 1": lambda: entries[ONE] == {"text": "拆", "by": "乙"},
        "edits entry 1": lambda: entries[ONE] == {"text": "修", "by": "乙"},
        "drops entry 1": lambda: entries[ONE] == {"text": "修", "by": "乙"},
    }[b]()


@pytest.mark.parametrize("row", table("workflow"))
def test_workflow(row: list[str]) -> None:
    _, b, a, stands, verdict = row
    desk, taken = told({}, PARTS[b], PARTS[a])
    assert (desk.state.state, taken.result) == (stands.split(":")[0], result(verdict))
    by_rule = {"conflict, decided by rule": [True], "conflict, open": [False], "merged": []}
    assert [clash.by_rule for clash in desk.clashes] == by_rule[verdict.split(":")[0].replace("`", "")]


@pytest.mark.parametrize("row", table("The record itself, its place, and decisions"))
def test_the_record_its_place_and_decisions(row: list[str]) -> None:
    b, a, _ = row
    desk, taken = told({}, PARTS[b], PARTS[a])
    decided = b.endswith("`title`")
    assert taken.result == "conflict"
    assert [clash.by_rule for clash in desk.clashes] == [not decided]
    assert not desk.state.deleted
    assert desk.state.place == (PARTS[a].get("place") or GRID)
    assert desk.values["title"] == ("定" if decided else "村东水井" if "moves" in b else "东")
