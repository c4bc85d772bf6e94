"""The checks of a round see a change that is missing, doubled, strange, told otherwise or not told."""

from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
import typer

from demo import cli
from demo.account import Ledger, Stored, checks
from demo.place import Tokens
from demo.result import Check, Result, Setting

TOLD = {"sent": 2, "applied": 1, "quarantined": 1}
SETTING = Setting("321283104", "元竹镇", 863, 12, 36, shared_texts=False)


def device(**about: Any) -> Any:
    """A device that saved two changes, and was told that one was applied and one quarantined."""
    news = SimpleNamespace(detail={"change": "b"})
    client = SimpleNamespace(
        me=lambda: SimpleNamespace(device="d"), news=lambda: [news], grids=tuple, list=tuple, queue=tuple
    )
    said: dict[str, Any] = {
        "name": "01",
        "client": client,
        "saved": dict.fromkeys("ab"),
        "saves": 2,
        "waiting": 0,
        "counts": Counter(TOLD),
        "plan": SimpleNamespace(role=None),
        "complete": True,
        "killed": False,
        "survived_death": True,
        "reread": set(),
        "crafted": {},
    }
    return SimpleNamespace(**{**said, **about})


def stored(change: str, result: str, author: str = "d", origin: str | None = None) -> Stored:
    return Stored(change, author, "grid_worker", result, origin)


STORED = [stored("a", "applied"), stored("b", "quarantined"), stored("z", "applied", "other")]


def differing(*devices: Any, rows: list[Stored] = STORED, numbers: tuple[str, ...] = ()) -> list[str]:
    """What the checks say is wrong."""
    ledger = Ledger(rows, list(numbers))
    return [line for check in checks(devices, ledger, [], ["b"]) for line in check.differs]


def test_nothing_is_wrong_with_a_round_in_which_all_is_well() -> None:
    replayed = stored("b2", "merged", origin="b")
    assert differing(device(), rows=[*STORED, replayed], numbers=("t-2026-00001", "t-2026-00002")) == []


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (STORED[1:], ["01 a: 0 times", "01: 1 told as applied, 0 stored"]),
        ([*STORED, STORED[0]], ["01 a: 2 times", "01: 1 told as applied, 2 stored"]),
        (
            [*STORED, stored("c", "merged")],
            ["01 c: stored, but never saved", "01: 0 told as merged, 1 stored"],
        ),
    ],
    ids=["missing", "doubled", "strange"],
)
def test_each_change_is_stored_once(rows: list[Stored], said: list[str]) -> None:
    assert differing(device(), rows=rows) == said


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ({"saves": 3}, "01: 3 saves returned, 2 changes were queued"),
        ({"waiting": 1}, "01: 1 wait"),
        ({"complete": False}, "01: its last sync is not complete"),
        ({"reread": {"g"}}, "01: read g again, its digest differed"),
        ({"plan": SimpleNamespace(role="dies")}, "01: killed False, queue whole True"),
        ({"plan": SimpleNamespace(role="loses_answer")}, "01: no duplicate after the lost answer"),
    ],
    ids=lambda about: next(iter(about)) if isinstance(about, dict) else "",
)
def test_what_is_wrong_with_a_device_is_said(about: dict[str, Any], said: str) -> None:
    assert differing(device(**about)) == [said]


def test_a_gap_in_the_register_and_an_author_who_was_not_told_are_seen() -> None:
    assert differing(device(), numbers=("t-2026-00001", "t-2026-00003")) == ["numbers [1, 3] …"]
    quiet = device()
    quiet.client.news = list
    assert differing(quiet) == ["b: its author was not told"]


def test_a_failed_check_ends_with_exit_code_1(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = Check("各机相同", "each device equals", "1", ("01 r: title is 甲 here",))
    result = Result(1, SETTING, (), {}, (failed,), None, None)
    monkeypatch.setattr(cli, "_play", lambda *_: (result, Tokens("t", "u", "v"), [], 8000))
    monkeypatch.setattr(cli, "prepare_file", lambda _: None)
    with pytest.raises(typer.Exit) as ended:
        cli.run(seed=1, once=True, data=tmp_path / "demo", as_json=True)
    assert ended.value.exit_code == 1
