"""The judge on histories as small as can be: each known anomaly is found by its name, and what is sound passes.

The anomalies are those of Adya's thesis (1999), of Berenson et al. (1995) and of Elle's paper, in words of our own.
"""

from pathlib import Path

import pytest

from tests.judge.history import NEVER, Append, Op, Outcome, Read, Step, edn, export
from tests.judge.judge import anomalies, judge


def op(process: int, times: str, *steps: str, outcome: Outcome = "ok", live: bool = True) -> Op:
    """`times` is "begun ended"; a step is "x=1,2" for a read of x, or "x+3" for an append to it."""
    begun, _, ended = times.partition(" ")
    return Op(process, tuple(map(_step, steps)), int(begun), int(ended or NEVER), outcome, live)


def _step(text: str) -> Step:
    if "+" in text:
        key, _, value = text.partition("+")
        return Append(key, int(value))
    key, _, values = text.partition("=")
    return Read(key, tuple(map(int, values.split(","))) if values else ())


WRONG: dict[str, tuple[str, list[Op]]] = {
    "an append was taken twice": (
        "duplicate-elements",
        [op(0, "1 2", "x+1"), op(1, "3 4", "x=1,1")],
    ),
    "two readers saw two orders": (
        "incompatible-order",
        [op(0, "1 9", "x+1"), op(1, "2 8", "x+2"), op(2, "3 7", "x=1,2"), op(3, "4 6", "x=2,1")],
    ),
    "a reader skipped an append (failures, row 1)": (
        "incompatible-order",
        [op(0, "1 9", "x+1"), op(1, "2 8", "x+2"), op(2, "3 7", "x=2"), op(3, "4 6", "x=1,2")],
    ),
    "a value that nobody wrote": ("phantom", [op(0, "1 2", "x=7")]),
    "a value that was refused": ("G1a", [op(0, "1 2", "x+1", outcome="fail"), op(1, "3 4", "x=1")]),
    "half of an operation": ("G1b", [op(0, "1 4", "x+1", "x+2"), op(1, "2 3", "x=1")]),
    "an operation that does not see its own append": ("internal", [op(0, "1 2", "x+1", "x=")]),
    "an operation that reads one list twice, and differently": (
        "internal",
        [op(0, "1 2", "x+1"), op(1, "1 3", "x=", "x=1")],
    ),
    "two wrote over each other's writes": (
        "G0",
        [
            op(0, "1 5", "x+1", "y+1"),
            op(1, "2 6", "x+2", "y+2"),
            op(2, "7 8", "x=1,2"),
            op(2, "9 10", "y=2,1"),
        ],
    ),
    "two read each other's writes": (
        "G1c",
        [op(0, "1 4", "x+1", "y=2"), op(1, "2 5", "y+2", "x=1")],
    ),
    "a reader saw one half of a write and not the other": (
        "G-single",
        [op(0, "1 4", "x+1", "y+2"), op(1, "2 3", "x=1", "y=")],
    ),
    "one update was lost under another": (
        "lost-update",
        [op(0, "1 4", "x=", "x+1"), op(1, "2 5", "x=", "x+2"), op(2, "6 7", "x=2")],
    ),
    "two looked at what the other then changed (write skew)": (
        "G2",
        [op(0, "1 4", "x=", "y+1"), op(1, "2 5", "y=", "x+2"), op(2, "6 7", "x=2", "y=1")],
    ),
    "two readers saw two writes in two orders (long fork)": (
        "G2",
        [op(0, "1 9", "x+1"), op(1, "1 9", "y+2"), op(2, "2 8", "x=1", "y="), op(3, "2 8", "x=", "y=2")],
    ),
    "a process does not see what it wrote": ("G-single-process", [op(0, "1 2", "x+1"), op(0, "3 4", "x=")]),
    "a process reads, and later less": (
        "G-single-process",
        [op(0, "1 9", "x+1"), op(1, "2 3", "x=1"), op(1, "4 5", "x=")],
    ),
    "a process writes on what it read, behind which its write then stands first": (
        "G1c-process",
        [op(0, "1 9", "x+1"), op(1, "2 3", "x=2,1"), op(1, "4 5", "x+2")],
    ),
    "a read began after a write was told, and misses it (stale)": (
        "G-single-realtime",
        [op(0, "1 2", "x+1"), op(1, "3 4", "x=")],
    ),
    "an acknowledged append is in no list (lost)": (
        "G-single-realtime",
        [op(0, "1 2", "x+1"), op(1, "3 4", "x+2"), op(2, "5 6", "x=1")],
    ),
    "a later append stands before an earlier one": (
        "G0-realtime",
        [op(0, "1 2", "x+1"), op(1, "3 4", "x+2"), op(2, "5 6", "x=2,1")],
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_each_anomaly_is_found_by_its_name(case: str) -> None:
    name, history = WRONG[case]
    assert name in [anomaly.name for anomaly in judge(history)]


SOUND: dict[str, list[Op]] = {
    "nothing": [],
    "one after the other": [op(0, "1 2", "x+1"), op(1, "3 4", "x=1", "x+2"), op(0, "5 6", "x=1,2")],
    "a read beside a write may see it or not": [
        op(0, "1 6", "x+1"),
        op(1, "2 3", "x="),
        op(2, "4 5", "x=1"),
    ],
    "what was refused is nowhere": [op(0, "1 2", "x+1", outcome="fail"), op(1, "3 4", "x=")],
    "what nobody knows may have happened": [op(0, "1", "x+1", outcome="info"), op(1, "3 4", "x=1")],
    "or not": [op(0, "1", "x+1", outcome="info"), op(1, "3 4", "x=")],
    "or later": [op(0, "1", "x+1", outcome="info"), op(1, "3 4", "x="), op(1, "5 6", "x=1")],
    "own appends are read": [op(0, "1 2", "x=", "x+1", "x=1", "x+2"), op(1, "3 4", "x=1,2")],
    "a screen may be old": [op(0, "1 2", "x+1"), op(1, "3 4", "x=", live=False)],
    "many appends at once": [op(n, "1 9", f"x+{n}", f"y+{n}") for n in range(1, 5)]
    + [op(9, "10 11", "x=3,1,2,4", "y=3,1,2,4")],
}


@pytest.mark.parametrize("case", SOUND)
def test_what_is_sound_passes(case: str) -> None:
    assert judge(SOUND[case]) == []


def test_a_screen_never_goes_back() -> None:
    history = [
        op(0, "1 2", "x+1"),
        op(1, "3 4", "x=1"),
        op(1, "5 6", "x=", live=False),
    ]
    assert [anomaly.name for anomaly in judge(history)] == ["G-single-process"]


def test_the_order_of_time_is_asked_for_only_where_it_is_promised() -> None:
    stale = [op(0, "1 2", "x+1"), op(1, "3 4", "x=")]
    assert anomalies(stale, time=False) == []
    assert [anomaly.name for anomaly in anomalies(stale, time=True)] == ["G-single-realtime"]


def test_an_anomaly_names_the_operations_that_show_it() -> None:
    [found] = judge([op(0, "1 2", "x+1"), op(1, "3 4", "x="), op(2, "5 6", "y=")])
    assert str(found).splitlines() == [
        "G-single-realtime: realtime rw",
        "    process 0, 1..2 ok: x+1",
        "    process 1, 3..4 ok: x=[]",
    ]


def test_a_history_is_written_in_the_form_of_elle(tmp_path: Path) -> None:
    history = [
        op(0, "1", "x+1", outcome="info"),
        op(1, "2 3", "x=1", "x+2"),
        op(2, "4 5", "x=1", live=False),
    ]
    assert list(edn(history[:2])) == [
        '{:index 0, :time 1, :type :invoke, :process 0, :f :txn, :value [[:append "x" 1]]}',
        '{:index 1, :time 2, :type :invoke, :process 1, :f :txn, :value [[:r "x" nil] [:append "x" 2]]}',
        '{:index 2, :time 3, :type :ok, :process 1, :f :txn, :value [[:r "x" [1]] [:append "x" 2]]}',
        '{:index 3, :time 4, :type :info, :process 0, :f :txn, :value [[:append "x" 1]]}',
    ]
    strict, session = export(history, tmp_path / "h.edn")
    assert [len(path.read_text(encoding="utf-8").splitlines()) for path in (strict, session)] == [4, 6]
