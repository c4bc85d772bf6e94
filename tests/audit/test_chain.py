"""The chain by itself: what a hash is made of, and that no change of any entry goes unnoticed and unnamed."""

import hashlib
import hmac
import json
from typing import get_args

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from server.audit.acts import TITLES, Name
from server.audit.chain import Checker, Verified, beginning, committed, following, hashed
from server.storage.audit import Entry, Head
from tests.docs.test_architecture_page import CHECKOUT

TOWN = "321283104"
TEXTS = st.text(max_size=8)
ACTS = st.lists(
    st.tuples(TEXTS, TEXTS, st.integers(0, 2**50), st.binary(max_size=20)), min_size=1, max_size=9
)
HEX = st.text("0123456789abcdef", min_size=64, max_size=64)
OTHER = {
    "n": st.integers(1, 12),
    "at_ms": st.integers(0, 2**50),
    "act": TEXTS,
    "actor": TEXTS,
    "detail": st.binary(max_size=20),
    "salt": st.binary(min_size=16, max_size=16),
    "commitment": HEX,
    "previous": HEX,
    "hash": HEX,
}


def chain(acts: list[tuple[str, str, int, bytes]], town: str = TOWN) -> list[Entry]:
    head, entries = Head(town, 0, beginning(town)), []
    for n, (act, actor, at_ms, detail) in enumerate(acts):
        entry, head = following(head, act, actor, at_ms, detail, bytes([n]) * 16)
        entries.append(entry)
    return entries


def verified(entries: list[Entry], head: Head | None, *known: Head) -> Verified:
    checker = Checker(TOWN, known)
    for entry in sorted(entries, key=lambda entry: entry.n):
        checker.take(entry)
    return checker.end(head)


def end_of(entries: list[Entry]) -> Head:
    return Head(TOWN, entries[-1].n, entries[-1].hash)


def faults(found: Verified) -> list[tuple[int, str]]:
    return [(fault.n, fault.what) for fault in found.faults]


@given(ACTS)
def test_a_whole_chain_is_whole_and_every_head_of_it_is_known_again(
    acts: list[tuple[str, str, int, bytes]],
) -> None:
    entries = chain(acts)
    heads = [Head(TOWN, entry.n, entry.hash) for entry in entries]
    found = verified(entries, heads[-1], *heads)
    assert (found.faults, found.erased, found.entries, found.head) == ((), (), len(acts), heads[-1])


@given(ACTS)
def test_docs_audit_says_enough_to_verify_a_chain_by_other_code(
    acts: list[tuple[str, str, int, bytes]],
) -> None:
    def sha(*said: object) -> str:
        text = json.dumps(["roundbook-audit-1", *said], separators=(",", ":"))
        return hashlib.sha256(text.encode("ascii")).hexdigest()

    before = sha(TOWN)
    for n, entry in enumerate(chain(acts), 1):
        assert entry.salt is not None
        assert entry.detail is not None
        assert entry.commitment == hmac.new(entry.salt, entry.detail, "sha256").hexdigest()
        before = sha(TOWN, n, entry.at_ms, entry.act, entry.actor, entry.commitment, before)
        assert entry.hash == before


@given(ACTS, st.data())
def test_no_single_change_of_an_entry_goes_unnoticed(
    acts: list[tuple[str, str, int, bytes]], data: st.DataObject
) -> None:
    entries = chain(acts)
    at = data.draw(st.integers(0, len(entries) - 1))
    column = data.draw(st.sampled_from(sorted(OTHER)))
    value = data.draw(OTHER[column].filter(lambda value: value != getattr(entries[at], column)))
    head = end_of(entries)
    entries[at] = msgspec.structs.replace(entries[at], **{column: value})
    found = verified(entries, head)
    named = {fault.n for fault in found.faults}
    # Named by its own number: the one that it bears now, or the one that is missing since.
    assert named & {entries[at].n, at + 1}, (column, found)


@given(ACTS, st.data())
def test_an_entry_forged_with_its_own_hash_is_told_by_the_next_one(
    acts: list[tuple[str, str, int, bytes]], data: st.DataObject
) -> None:
    entries = chain(acts)
    at = data.draw(st.integers(0, len(entries) - 1))
    head = end_of(entries)
    forged = msgspec.structs.replace(entries[at], at_ms=entries[at].at_ms + 1)
    entries[at] = msgspec.structs.replace(forged, hash=hashed(forged))
    last = at == len(entries) - 1
    expected = [(at + 1, "head")] if last else [(at + 2, "link")]
    assert faults(verified(entries, head)) == expected


@given(ACTS, st.data())
def test_whatever_is_taken_out_is_missing(
    acts: list[tuple[str, str, int, bytes]], data: st.DataObject
) -> None:
    entries = chain(acts)
    gone = data.draw(st.sets(st.integers(1, len(entries)), min_size=1))
    head = end_of(entries)
    left = [entry for entry in entries if entry.n not in gone]
    found = verified(left, head)
    assert {fault.what for fault in found.faults} == {"missing"}
    assert {fault.n for fault in found.faults} == {n for n in gone if n - 1 not in gone}


@given(ACTS, st.data())
def test_what_is_erased_still_verifies(acts: list[tuple[str, str, int, bytes]], data: st.DataObject) -> None:
    entries = chain(acts)
    gone = data.draw(st.sets(st.integers(1, len(entries))))
    head = end_of(entries)
    blanked = [
        msgspec.structs.replace(entry, detail=None, salt=None) if entry.n in gone else entry
        for entry in entries
    ]
    found = verified(blanked, head)
    assert (found.faults, found.erased) == ((), tuple(sorted(gone)))


def test_one_chain_cannot_be_shown_for_another() -> None:
    other = chain([("a", "operator", 1, b"{}")], "321283105")
    (entry,) = [msgspec.structs.replace(entry, township=TOWN) for entry in other]
    assert faults(verified([entry], Head(TOWN, 1, entry.hash))) == [(1, "changed")]


def test_a_head_that_somebody_kept_shows_what_was_cut() -> None:
    entries = chain([("a", "operator", n, b"{}") for n in range(6)])
    kept = end_of(entries)
    cut = entries[:4]
    assert faults(verified(cut, end_of(cut))) == []
    assert faults(verified(cut, end_of(cut), kept)) == [(6, "cut")]
    assert faults(verified([], None, kept)) == [(6, "cut")]
    # Written anew from there on, as long as before: the number is there, and it is another entry.
    anew = chain([("a", "operator", n if n < 4 else 99, b"{}") for n in range(6)])
    assert faults(verified(anew, end_of(anew), kept)) == [(6, "cut")]


def test_what_a_restore_took_back_is_said_with_the_entry_that_says_so() -> None:
    entries = chain([("a", "operator", n, b"{}") for n in range(6)])
    kept = end_of(entries)
    told = json.dumps({"replaced_n": kept.n, "replaced_hash": kept.hash}).encode()
    entry, head = following(end_of(entries[:3]), "restored", "operator", 9, told, bytes(16))
    (fault,) = verified([*entries[:3], entry], head, kept).faults
    assert (fault.n, fault.what) == (6, "cut")
    assert "entry 4 says that a restore took it back" in fault.en
    assert "第 4 条" in fault.zh


def test_a_forged_restore_that_says_nothing_excuses_nothing_and_stops_nothing() -> None:
    """Hypothesis found it: whoever writes the database may write any bytes there, and verifying has to go on."""
    entries = chain([("a", "operator", n, b"{}") for n in range(3)])
    kept = end_of(entries)
    for nonsense in (b"", b"\xf1", b"[]", b'{"replaced_n":"x"}'):
        entry, head = following(end_of(entries[:2]), "restored", "operator", 9, nonsense, bytes(16))
        (fault,) = verified([*entries[:2], entry], head, kept).faults
        assert (fault.n, fault.what, "restore took it back" in fault.en) == (3, "cut", False)


def test_the_commitment_says_nothing_without_the_salt() -> None:
    """The same detail never looks the same twice."""
    assert committed(bytes(16), b"{}") != committed(b"\1" * 16, b"{}")


def test_every_act_has_its_title_and_its_line_in_the_page() -> None:
    assert set(TITLES) == set(get_args(Name))
    page = (CHECKOUT / "docs" / "audit.md").read_text(encoding="utf-8")
    assert [name for name in TITLES if f"`{name}`" not in page] == []
