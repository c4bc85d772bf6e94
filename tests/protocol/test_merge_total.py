"""Whatever is let through is merged (total), leaves a record that its kind allows, and is never lost (G1).

Several people and the office save, send and read pages in any order, with every rule at once: fields, sets,
sums, entries, texts, steps of the workflow, moves, deletions, decisions.
"""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sync_protocol.changes import Op
from sync_protocol.kinds import shape
from sync_protocol.overlay import writes
from sync_protocol.standing import value_at
from tests.protocol.desk import (
    NOW,
    OFFICE,
    Desk,
    Hand,
    Taken,
    add,
    drop,
    entry,
    id_of,
    increment,
    opened,
    put,
    rebuilt,
    remove,
)
from tests.protocol.kinds_for_tests import SHEET, STORY_MAX, TAGS

WORDS = st.none() | st.sampled_from(["x", "y", "z"])
STORIES = st.none() | st.sampled_from(
    [
        "",
        "甲。",
        "甲。乙。丙。",
        "甲1。乙。丙。",
        "甲。乙。丙1。",
        "丁。" * (STORY_MAX // 2),
        "甲。乙。丙。" + "戊。" * 20,
    ]
)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "subject": WORDS,
    "heads": st.none() | st.integers(0, 3),
    "story": STORIES,
    "peak": st.none() | st.integers(-3, 3),
    "weight": st.none() | st.sampled_from([0.0, 1.5]),
    "last_seen": st.none() | st.sampled_from(["2026-11-21T00:00:00Z", "2026-11-21T00:00:00.5Z"]),
}
SUBS: dict[str, st.SearchStrategy[Any]] = {
    "words": WORDS,
    "cost": st.none() | st.integers(0, 2),
    "doubt": WORDS,
    "report": STORIES,
}
OPS: st.SearchStrategy[Op] = st.one_of(
    st.builds(add, st.sampled_from(TAGS)),
    st.builds(remove, st.sampled_from(TAGS)),
    st.builds(increment, st.integers(-5, 2**31)),
    st.builds(drop, st.integers(1, 4)),
    st.builds(lambda at, subs: put(at, **subs), st.integers(1, 4), st.fixed_dictionaries({}, optional=SUBS)),
)
STEPS = st.sampled_from(
    [
        ("report", "reported"),
        ("settle", "settled"),
        ("accept", "accepted"),
        ("finish", "finished"),
        ("reopen", "accepted"),
    ]
)
SEEN: dict[str, Any] = {
    "subject": "old",
    "story": "甲。乙。丙。",
    "tags": ["a", "b"],
    "groups": 1,
    "steps": {entry(1): {"words": "one", "report": "甲。乙。丙。"}, entry(2): {"cost": 2}},
}
COMMUTING = {"max", "min", "sum"}


def save(draw: Any, hand: Hand, at: int) -> None:
    office = hand.role == OFFICE
    match draw(st.sampled_from(["fields", "fields", "ops", "ops", "both", "step", "delete", "move"])):
        case "step":
            name, to = draw(STEPS)
            hand.step(name, to, at=at)
        case "delete":
            hand.delete(at=at)
        case "move" if office:
            hand.save(at=at, place=hand.desk.grids[1])
        case what:
            fields = draw(st.fixed_dictionaries({}, optional=FIELDS)) if what != "ops" else {}
            ops = draw(st.lists(OPS, max_size=3)) if what != "fields" else []
            decides = id_of(555) if office and draw(st.booleans()) else None
            hand.save(*ops, at=at, decides=decides, **fields)


@given(data=st.data())
def test_everything_let_through_is_merged_kept_and_rebuilt(data: st.DataObject) -> None:
    desk, hands = opened(data.draw(st.integers(2, 3)), office=True, **SEEN)
    story(data, desk, hands)


def story(data: st.DataObject, desk: Desk, hands: list[Hand]) -> None:
    """Saves, sendings and pages in any order, until everything is sent."""
    for at in range(data.draw(st.integers(2, 20))):
        hand = data.draw(st.sampled_from(hands))
        match data.draw(st.sampled_from(["save", "save", "send", "page"])):
            case "save":
                save(data.draw, hand, NOW - 100 + at)
            case "send" if hand.queue:
                check(desk, hand.send())
            case "page":
                hand.page()
    for hand in hands:
        while hand.queue:
            check(desk, hand.send())


def check(desk: Desk, taken: Taken) -> None:
    if taken.refused is None:
        for path, value in writes(taken.change).items():
            assert _is_kept(desk, taken, path, value), (path, value)
    body = desk.state.stored()[0]
    assert shape(SHEET).check_create(body) == body
    again = rebuilt([(one.change, one.effects) for one in desk.taken if one.refused is None])
    assert (again.values, again.place, again.state, again.deleted) == (
        desk.values,
        desk.state.place,
        desk.state.state,
        desk.state.deleted,
    )


def _is_kept(desk: Desk, taken: Taken, path: str, value: Any) -> bool:
    """It stands, or something was done for it, or it is listed, or its rule says why it has no effect."""
    done = any(path == effect.path or path.startswith(f"{effect.path}/") for effect in taken.effects)
    listed = any(
        clash.path == path and value in {clash.standing.value, clash.other.value} for clash in taken.clashes
    )
    field = path.partition("/")[0]
    commutes = field in SHEET.fields and SHEET.fields[field].merge in COMMUTING
    beaten = value is None and "/" in path and taken.merged.concurrent  # a removal that had not seen all
    return value_at(desk.state, path) == value or done or listed or commutes or beaten
