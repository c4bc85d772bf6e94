"""How alike two matters are: pure, so each rule is one line."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.duplicates.likeness import LEAST, Point, common_words, likeness, pairs, subject

DAY = 86_400_000
VILLAGE = "321283104203"
ONE = subject("村东头路灯不亮", "路灯坏了半个月，晚上没法走路", f"{VILLAGE}001", "02", 100 * DAY)
OTHER = subject("东头的路灯坏了，不亮", "晚上走路看不见", f"{VILLAGE}001", "02", 103 * DAY)
HERE, NEAR, FAR = Point(32.17, 120.05), Point(32.172, 120.05), Point(32.18, 120.05)


def test_two_people_tell_of_one_lamp() -> None:
    alike = likeness(ONE, OTHER)
    assert alike is not None
    assert alike.score >= LEAST
    assert {reason.code for reason in alike.reasons} == {"words", "category", "grid", "days"}


@pytest.mark.parametrize(
    "different",
    [
        {"place": "321283104204001"},
        {"at_ms": 140 * DAY},
        {"title": pairs("邻居在门口堆放垃圾"), "words": pairs("臭气熏天")},
        {"point": FAR},
        {"title": frozenset(), "words": frozenset()},
    ],
    ids=" ".join,
)
def test_what_makes_two_matters_different(different: dict[str, object]) -> None:
    here = msgspec.structs.replace(ONE, point=HERE)
    assert likeness(here, msgspec.structs.replace(OTHER, point=NEAR)) is not None
    assert likeness(here, msgspec.structs.replace(OTHER, **different)) is None


def test_near_counts_for_more_than_unknown() -> None:
    near = likeness(msgspec.structs.replace(ONE, point=HERE), msgspec.structs.replace(OTHER, point=NEAR))
    plain = likeness(ONE, OTHER)
    assert near is not None
    assert plain is not None
    assert near.score > plain.score
    assert ("metres", 222) in {(reason.code, reason.figure) for reason in near.reasons}


def test_words_are_pairs_of_letters_whatever_width_and_case() -> None:
    assert pairs("路灯，不亮！") == {"路灯", "不亮"}
    assert pairs("ＡＢ c") == pairs("ab C") == {"ab", "c"}
    assert pairs("。。。") == frozenset()


texts = st.text(alphabet="路灯不亮坏了村东 ,。ab", max_size=30)


@given(texts, texts, texts, texts)
def test_it_is_the_same_both_ways_and_a_share(title: str, story: str, other: str, other_story: str) -> None:
    one = subject(title, story, VILLAGE, None, 0)
    two = subject(other, other_story, VILLAGE, None, 0)
    assert 0 <= common_words(one, two) <= 1
    assert likeness(one, two) == likeness(two, one)
