"""No silent winner, and no conflict without a reason (G7; failures, rows 9 and 30), against a model.

The model knows nothing of versions, bases and predecessors. It keeps, for every save and path, the set of
changes whose value its author can have seen there, and which change wrote what stands; from these sets alone
it says what must become of an arriving value. Saves, sendings and pages of several people come in any order.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sync_protocol.outcome import Side
from sync_protocol.standing import value_at
from tests.protocol.desk import NOW, OFFICE, Desk, Hand, Taken, accepted, entry, id_of, put, seated

WORDS, DOUBT = f"steps/{entry(1)}/words", f"steps/{entry(1)}/doubt"
RULES = {"subject": "latest", "heads": "review", WORDS: "latest", DOUBT: "review"}
SEEN: dict[str, Any] = {
    "subject": "old",
    "heads": 0,
    "steps": {entry(1): {"words": "old", "doubt": "old"}},
}
PATHS = st.sampled_from(sorted(RULES))
Value = tuple[Any, str]
"""A value and the change that gave it."""
Listed = tuple[Any, Value, Value, bool]
"""Base, what stands, the other, and whether the rule decided."""


@dataclass(frozen=True)
class Said:
    """A value that somebody gave a path: when, as a decision or not, and with what on the screen."""

    change: str
    value: Any
    stamp: int = 0
    decision: bool = False
    knows: frozenset[str] = frozenset()
    before: "Said | None" = None
    """The own earlier value that was shown, which no page had brought."""
    base: Any = None

    @property
    def order(self) -> tuple[int, str]:
        return (self.stamp, self.change)


@dataclass
class Author:
    """A hand, and what it has seen."""

    hand: Hand
    page: dict[str, Said]
    page_ids: frozenset[str]
    own: dict[str, Said] = field(default_factory=dict)
    queue: list[dict[str, Said]] = field(default_factory=list)


class Model:
    """What stands, by which change, and who has seen what."""

    def __init__(self, desk: Desk, authors: int) -> None:
        self.desk, hands = desk, seated(desk, authors, office=True, **SEEN)
        create = self.desk.taken[0].change.id
        stands = {path: Said(create, value_at(self.desk.state, path)) for path in RULES}
        self.stands: dict[str, Said] = stands
        self.arrived = {create}
        self.authors = [Author(hand, dict(stands), frozenset(self.arrived)) for hand in hands]

    def save(self, author: Author, values: dict[str, Any], at: int, *, decides: bool) -> None:
        fields = {path: value for path, value in values.items() if "/" not in path}
        subs = {path.rpartition("/")[2]: value for path, value in values.items() if "/" in path}
        ops = (put(1, **subs),) if subs else ()
        decision = id_of(555) if decides else None
        change = author.hand.save(*ops, at=at, decides=decision, **fields)
        said = {}
        for path, value in values.items():
            before = author.own.get(path)
            knows = author.page_ids if before is None else before.knows | {before.change}
            base = author.page[path].value if before is None else before.value
            said[path] = Said(change.id, value, at, decides, knows, before, base)
        author.own |= said
        author.queue.append(said)

    def page(self, author: Author) -> None:
        author.hand.page()
        author.page, author.page_ids = dict(self.stands), frozenset(self.arrived)
        waiting = {one.change for said in author.queue for one in said.values()}
        author.own = {path: one for path, one in author.own.items() if one.change in waiting}

    def send(self, author: Author) -> None:
        said = author.queue.pop(0)
        taken = accepted(author.hand.send())
        expected = {}
        for path, mine in said.items():
            clash = self._arrive(path, mine)
            if clash is not None:
                expected[path] = clash
        self.compare(taken, expected)
        assert {path: value_at(self.desk.state, path) for path in RULES} == {
            path: one.value for path, one in self.stands.items()
        }
        self.arrived |= {one.change for one in said.values()}

    def compare(self, taken: Taken, expected: dict[str, Listed]) -> None:
        """Holds what was listed against what has to be."""
        found = {
            clash.path: (clash.base, _side(clash.standing), _side(clash.other), clash.by_rule)
            for clash in taken.clashes
        }
        assert found == expected

    def _arrive(self, path: str, mine: Said) -> Listed | None:
        """Moves what stands; the clash that has to be listed, if any."""
        theirs = self.stands[path]
        if theirs.change in mine.knows or _is_own_value(path, mine, theirs):
            self.stands[path] = mine
            return None
        by_stamp = RULES[path] == "latest" and not theirs.decision
        later = mine.order > theirs.order
        if by_stamp and later:
            self.stands[path] = mine
        if mine.value == theirs.value:
            return None
        one, other = (mine.value, mine.change), (theirs.value, theirs.change)
        winner, loser = (one, other) if by_stamp and later else (other, one)
        return (mine.base, winner, loser, by_stamp)


def _is_own_value(path: str, mine: Said, theirs: Said) -> bool:
    """Whether what stands is exactly what the own value shown said, though somebody else wrote it (row 30)."""
    same = mine.before is not None and mine.before.value == theirs.value
    return same and not theirs.decision and "/" not in path


def _side(side: Side) -> Value:
    return (side.value, side.writer.change)


def _values(draw: Any, paths: Iterable[str]) -> dict[str, Any]:
    return {path: draw(st.integers(1, 3) if path == "heads" else st.sampled_from("xyz")) for path in paths}


@given(data=st.data())
def test_a_conflict_is_listed_exactly_where_the_author_had_not_seen_what_stands(data: st.DataObject) -> None:
    story(data, Model(Desk(), data.draw(st.integers(2, 3))))


def story(data: st.DataObject, model: Model) -> None:
    """Saves, sendings and pages in any order, until everything is sent."""
    skews = {author.hand.name: data.draw(st.integers(-20, 20)) for author in model.authors}
    for at in range(data.draw(st.integers(2, 20))):
        author = data.draw(st.sampled_from(model.authors))
        match data.draw(st.sampled_from(["save", "save", "send", "page"])):
            case "save":
                values = _values(data.draw, sorted(data.draw(st.sets(PATHS, min_size=1, max_size=3))))
                decides = author.hand.role == OFFICE and data.draw(st.booleans())
                model.save(author, values, NOW - 100 + skews[author.hand.name] + at, decides=decides)
            case "send" if author.queue:
                model.send(author)
            case "page":
                model.page(author)
    for author in model.authors:
        while author.queue:
            model.send(author)
