"""Laws of the merge, by property: what may not depend on the order of arrival, and that nothing is lost."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_protocol.changes import Change, Drop, Op, Put
from tests.protocol.desk import NOW, Desk, Hand, accepted, add, drop, entry, increment, opened, put, remove
from tests.protocol.kinds_for_tests import TAGS

# --- independence of arrival order: union, entries, sum, max, min ---------------------------------------

SEEN: dict[str, Any] = {
    "tags": ["a", "b"],
    "groups": 1,
    "peak": 0,
    "trough": 0.0,
    "last_seen": "2026-11-21T00:00:00Z",
    "steps": {entry(1): {"words": "one", "cost": 1}, entry(2): {"words": "two"}},
}
"""What the record said when everybody saw it."""
SMALL = st.integers(-3, 3)
MOMENTS = [f"2026-11-2{day}T00:00:00{part}Z" for day in range(3) for part in ("", ".5")]


@st.composite
def entry_op(draw: st.DrawFn) -> Op:
    number = draw(st.integers(1, 2))
    edits = st.builds(lambda words: put(number, words=words), st.sampled_from("xy"))
    costs = st.builds(lambda cost: put(number, cost=cost), st.none() | st.integers(1, 2))
    return draw(edits | costs | st.just(drop(number)))


@st.composite
def extremes(draw: st.DrawFn) -> dict[str, Any]:
    names = draw(st.sets(st.sampled_from(["peak", "trough", "last_seen"]), min_size=1))
    values = {
        "peak": st.none() | SMALL,
        "trough": st.none() | SMALL.map(float),
        "last_seen": st.none() | st.sampled_from(MOMENTS),
    }
    return {name: draw(values[name]) for name in sorted(names)}


SAVES: dict[str, st.SearchStrategy[Any]] = {
    "union": st.builds(lambda op, tag: op(tag), st.sampled_from([add, remove]), st.sampled_from(TAGS[:3])),
    "entries": entry_op(),
    "sum": st.builds(increment, SMALL),
    "extremes": extremes(),
}


@st.composite
def concurrent_chains(
    draw: st.DrawFn, rules: Sequence[str]
) -> tuple[list[list[Change]], list[int], list[int]]:
    """Chains of changes of several people on one page, and two orders in which they may arrive."""
    _, hands = opened(draw(st.integers(2, 3)), **SEEN)
    chains, order = [], []
    stamps = draw(st.permutations(range(9)))
    for index, hand in enumerate(hands):
        count = draw(st.integers(1, 3))
        for at in sorted(stamps[index * 3 : index * 3 + count]):
            said = draw(st.lists(st.one_of(*(SAVES[rule] for rule in rules)), min_size=1, max_size=2))
            fields = {name: value for one in said if isinstance(one, dict) for name, value in one.items()}
            hand.save(
                *_sensible(hand, [op for op in said if not isinstance(op, dict)]), at=NOW - 99 + at, **fields
            )
        chains.append(hand.queue)
        order += [index] * len(hand.queue)
    return chains, draw(st.permutations(order)), draw(st.permutations(order))


def _sensible(hand: Hand, ops: list[Op]) -> list[Op]:
    """What a screen lets somebody do: an entry that is not shown is not edited, nor removed again."""
    shown = set(hand.shown().get("steps") or {})
    kept = []
    for op in ops:
        if isinstance(op, Put | Drop):
            if op.entry not in shown:
                continue
            if isinstance(op, Drop):
                shown.remove(op.entry)
        kept.append(op)
    return kept


def arrive(chains: list[list[Change]], order: list[int]) -> Desk:
    """The record after the changes came in this order, each chain in its own."""
    desk, hands = opened(len(chains), **SEEN)
    waiting = [list(chain) for chain in chains]
    for index in order:
        accepted(desk.take(waiting[index].pop(0), hands[index].name))
    return desk


@pytest.mark.parametrize("rules", [["union"], ["entries"], ["sum"], ["extremes"], list(SAVES)], ids="+".join)
@given(data=st.data())
def test_the_order_of_arrival_does_not_matter(rules: list[str], data: st.DataObject) -> None:
    chains, one, other = data.draw(concurrent_chains(rules))
    assert arrive(chains, one).state.stored()[0] == arrive(chains, other).state.stored()[0]
