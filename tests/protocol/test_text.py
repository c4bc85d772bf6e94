"""The three-way merge of a text by sentence."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_protocol.text import merge3, sentences

MARKS = "。！？；\n"
WORDS = st.text("巡记村水路甲乙ab ", min_size=1, max_size=4)
SENTENCES = st.builds(lambda words, mark: words + mark, WORDS, st.sampled_from(MARKS))
TEXTS = st.text("甲乙水。！？；\n", max_size=14)


@st.composite
def disjoint(draw: st.DrawFn) -> tuple[str, str, str, str]:
    """A base, two edits that leave a sentence between them, and both edits in one text."""
    count = draw(st.integers(3, 8))
    base = [f"{number}{draw(WORDS)}{draw(st.sampled_from(MARKS))}" for number in range(count)]
    first = draw(st.integers(0, count - 3))
    second = draw(st.integers(first + 2, count - 1))
    edits = [draw(st.lists(SENTENCES, max_size=2)) for _ in range(2)]
    ours, theirs, both = list(base), list(base), list(base)
    ours[first : first + 1] = edits[0]
    theirs[second : second + 1] = edits[1]
    both[second : second + 1] = edits[1]
    both[first : first + 1] = edits[0]
    return "".join(base), "".join(ours), "".join(theirs), "".join(both)


@given(st.text(max_size=40) | TEXTS)
def test_sentences_joined_are_the_text(text: str) -> None:
    assert "".join(sentences(text)) == text


def test_a_sentence_keeps_its_closing_marks() -> None:
    assert sentences("路坏了！！三天。没人修\n\n已报") == ["路坏了！！", "三天。", "没人修\n\n", "已报"]


@given(disjoint())
def test_disjoint_edits_are_both_there(case: tuple[str, str, str, str]) -> None:
    base, ours, theirs, both = case
    assert merge3(base, ours, theirs) == both


@given(TEXTS, TEXTS, TEXTS)
def test_neither_side_is_preferred(base: str, ours: str, theirs: str) -> None:
    assert merge3(base, ours, theirs) == merge3(base, theirs, ours)


@given(TEXTS, TEXTS)
def test_an_unchanged_side_leaves_the_other(base: str, edited: str) -> None:
    assert merge3(base, base, edited) == edited


@given(TEXTS, TEXTS, TEXTS)
def test_a_merged_text_has_every_new_sentence_and_no_other(base: str, ours: str, theirs: str) -> None:
    merged = merge3(base, ours, theirs)
    if merged is None:
        return
    known = sentences(base)
    for side in (ours, theirs):
        assert {s for s in sentences(side) if s not in known} <= _within(merged)
    assert set(merged) <= {*base, *ours, *theirs}


def _within(text: str) -> set[str]:
    """Every run of whole sentences of a text, and their tails: an unfinished one may be continued."""
    return {text[start:end] for start in range(len(text)) for end in range(start + 1, len(text) + 1)}


@pytest.mark.parametrize(
    ("base", "ours", "theirs"),
    [
        ("甲。乙。丙。", "甲1。乙。丙。", "甲2。乙。丙。"),  # the same sentence
        ("甲。乙。丙。", "甲1。乙。丙。", "甲。乙2。丙。"),  # the next one
        ("甲。乙。", "甲。子。乙。", "甲。丑。乙。"),  # two insertions in one place
        ("", "甲。", "乙。"),  # two beginnings
        ("甲。乙。丙。", "乙。丙。", "甲。乙2。丙。"),  # a removal beside an edit
    ],
)
def test_what_touches_or_adjoins_is_for_a_person(base: str, ours: str, theirs: str) -> None:
    assert merge3(base, ours, theirs) is None


def test_what_both_did_alike_counts_once() -> None:
    assert merge3("甲。乙。丙。丁。", "甲1。乙。丙。丁。", "甲1。乙。丙。丁1。") == "甲1。乙。丙。丁1。"


def test_a_long_text_costs_no_seconds() -> None:
    """It is merged while the township's lock is held."""
    base = "".join(f"第{number}句。" for number in range(3_000))
    other = "".join(f"第{number * 7 % 3_000}句。" for number in range(3_000))
    started = time.process_time()
    merge3(base, "前。" + base, other)
    assert merge3(base, "前。" + base, base + "后。") == f"前。{base}后。"
    assert time.process_time() - started < 2.0
