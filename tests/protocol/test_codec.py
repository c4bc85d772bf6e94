"""Bytes to messages and back; and what hostile bytes come to (failures, row 4: one bad change blocks nothing)."""

import contextlib
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_protocol.changes import Change, decode, encode, fields_of, fingerprint
from sync_protocol.codec import (
    Malformed,
    Unreadable,
    read_answer,
    read_change,
    read_enrol_answer,
    read_enrol_request,
    read_request,
)
from sync_protocol.codec import encode as encode_message
from sync_protocol.codes import CODES
from sync_protocol.limits import Limits
from sync_protocol.messages import EnrolAnswer, EnrolRequest, SyncAnswer, SyncRequest
from sync_protocol.versions import CURRENT
from tests.protocol.hostile import EPOCH, GOOD, HOSTILE, ID, IN_ITS_VALUES, RECORD, SECRET, change, frame
from tests.protocol.struct_strategies import structs


def read(raw: bytes) -> Change:
    found = read_change(raw)
    assert isinstance(found, Change), found
    return found


# --- round trips ----------------------------------------------------------------------------------------


@given(structs(Change))
def test_a_change_comes_back(said: Change) -> None:
    raw = encode(said)
    assert decode(raw) == said
    assert encode(decode(raw)) == raw


@given(structs(SyncRequest))
def test_a_request_comes_back(request: SyncRequest) -> None:
    sound = msgspec.structs.replace(
        request,
        nonce="n",
        epoch=EPOCH,
        client="c",
        profile=None,
        reread=(),
        numbers={},
        offer=None,
        protocol=CURRENT,
        now=request.now % 2**53,
        lowest=request.lowest % 2**53,
        queued=request.queued % 2**53,
        page_bytes=request.page_bytes % 2**53,
    )
    assert read_request(encode_message(sound)) == sound


@given(structs(SyncAnswer))
def test_an_answer_comes_back(answer: SyncAnswer) -> None:
    assert read_answer(encode_message(answer)) == answer


@given(structs(EnrolRequest), structs(EnrolAnswer))
def test_an_enrolment_comes_back(request: EnrolRequest, answer: EnrolAnswer) -> None:
    assert read_enrol_request(encode_message(request)) == request
    assert read_enrol_answer(encode_message(answer)) == answer


def test_what_a_newer_server_adds_is_passed_over() -> None:
    answer = SyncAnswer(CURRENT, "n", "s", 5)
    assert read_answer(encode_message(answer)[:-1] + b',"weather":"rain"}') == answer


def test_what_a_newer_client_adds_to_a_change_is_kept_and_not_ignored() -> None:
    """Ignoring an unknown key would lose what it says (row 23)."""
    found = read_change(change(7, mood=SECRET))
    assert isinstance(found, Unreadable)
    assert (found.id, found.record, found.n, found.code) == (ID.format(7), RECORD, 7, "unreadable")
    assert found.raw == change(7, mood=SECRET)


def test_what_a_newer_client_adds_to_the_frame_is_passed_over() -> None:
    assert [bytes(raw) for raw in read_request(frame(GOOD[0], weather="rain")).changes] == GOOD[:1]


# --- hostile frames -------------------------------------------------------------------------------------

READERS = (read_request, read_answer, read_enrol_request, read_enrol_answer)
BODIES = {
    read_request: frame(*GOOD),
    read_answer: encode_message(SyncAnswer(CURRENT, "n", "s", 5)),
    read_enrol_request: encode_message(EnrolRequest(CURRENT, "ABCD-EFGH", "key")),
}


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_malformed(body: bytes) -> None:
    for reader in READERS:
        with contextlib.suppress(Malformed):
            reader(body)


@pytest.mark.parametrize("reader", BODIES)
def test_a_message_cut_anywhere_is_malformed(reader: Any) -> None:
    body = BODIES[reader]
    for length in range(len(body)):
        with pytest.raises(Malformed):
            reader(body[:length])


@given(st.integers(0, len(frame(*GOOD)) - 1), st.integers(0, 255))
def test_a_message_with_any_byte_altered_is_read_or_malformed(at: int, value: int) -> None:
    body = bytearray(frame(*GOOD))
    body[at] = value
    try:
        request = read_request(bytes(body))
    except Malformed:
        return
    for raw in request.changes:
        read_change(raw)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Please log in</html>",
        b"null",
        b"[]",
        b"{}",
        b"5",
        b'"' + b"x" * 100 + b'"',
        frame(nonce=""),
        frame(nonce="n" * 201),
        frame(nonce=5),
        frame(nonce=None),
        frame(epoch="nobody"),
        frame(epoch="01900000-0000-7000-8000-00000000000A"),
        frame(now=2**53 + 1),
        frame(now=-(2**53) - 1),
        frame(now=2**63),
        frame(now=10**40),
        frame(now=1.5),
        frame(now="5"),
        frame(lowest=2**64),
        frame(queued=2**64),
        frame(page_bytes=2**64),
        frame(client="c" * 201),
        frame(protocol="p" * 201),
        frame(cursor=7),
        frame(reread="all"),
        frame(nonce="here").replace(b"here", b"\\ud800"),
        frame(client="here").replace(b"here", b"\xff"),
        frame()[:-1] + b',"weather":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        frame().replace(b'"changes":[]', b'"changes":{}'),
        frame().replace(b'"changes":[]', b'"changes":null'),
        frame() + b"{}",
        frame() + b"x",
        b"\xef\xbb\xbf" + frame(),
        b"\x28\xb5\x2f\xfd" + frame(),  # as if it were still compressed
    ],
)
def test_a_broken_frame_is_refused_as_a_whole(body: bytes) -> None:
    with pytest.raises(Malformed) as caught:
        read_request(body)
    assert "Please" not in str(caught.value)


@pytest.mark.parametrize("now", [2**53, -(2**53), 0, 253_402_300_800_000, -62_135_596_800_001])
def test_no_clock_makes_a_frame_malformed(now: int) -> None:
    """Year 0, year 9999 and beyond are data (G8)."""
    assert read_request(frame(now=now)).now == now


def test_more_changes_than_a_request_takes_are_refused_with_the_limit() -> None:
    with pytest.raises(Malformed, match="at most 2 changes"):
        read_request(frame(*GOOD), Limits(changes_max=2))


def test_a_captive_portal_is_no_answer() -> None:
    """Row 5."""
    for body in (b"<html></html>", b"{}", b'{"status":"ok"}', b"OK"):
        with pytest.raises(Malformed):
            read_answer(body)


# --- hostile changes among good ones ----------------------------------------------------------------------


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("at", [0, 1, 3])
def test_one_bad_change_leaves_the_others_as_they_travelled(name: str, at: int) -> None:
    """Row 4; and byte for byte, because a change sent again must have the same fingerprint (G3)."""
    sent = [*GOOD[:at], HOSTILE[name], *GOOD[at:]]
    changes = [bytes(raw) for raw in read_request(frame(*sent)).changes]
    assert changes == sent
    found = read_change(changes.pop(at))
    if name not in IN_ITS_VALUES:
        assert isinstance(found, Unreadable)
        assert found.raw == HOSTILE[name]
        assert found.code in CODES
        assert SECRET not in found.reason
        assert found.id in {None, ID.format(9)}
        assert found.record in {"", RECORD}
        assert 0 <= found.n < 2**63
    assert [read(raw).n for raw in changes] == [1, 2, 3]


def test_what_is_readable_of_a_bad_change_is_told() -> None:
    found = read_change(change(9, version="two"))
    assert found == Unreadable(
        change(9, version="two"), ID.format(9), RECORD, 9, "unreadable", "not what is expected at $.version"
    )


def test_a_change_that_is_too_large_says_the_limit() -> None:
    found = read_change(GOOD[0], Limits(record_bytes_max=50))
    assert isinstance(found, Unreadable)
    assert (found.code, found.id) == ("too_large", ID.format(1))
    assert found.reason == f"at most 50 bytes a change, got {len(GOOD[0])}"


def test_of_a_key_that_stands_twice_the_last_counts_everywhere() -> None:
    """What the server stores, fingerprints and judges is one and the same reading."""
    twice = change(1).replace(b'"at": 5', b'"at": 5, "fields": {"subject": "x", "subject": "y"}')
    assert fields_of(read(twice)) == {"subject": "y"}
    assert read(change(1).replace(b'"at": 5', b'"at": 5, "at": 6')).at == 6


@pytest.mark.parametrize("fields", [b"5", b"null", b'"subject"', b'["subject"]', b"true"])
def test_fields_that_are_no_object_set_nothing(fields: bytes) -> None:
    """The change is refused by its kind; a later one may still name it as what it was made on."""
    found = read_change(change(1).replace(b'"at": 5', b'"at": 5, "fields": ' + fields))
    assert isinstance(found, Unreadable) or fields_of(found) == {}


@given(st.binary(max_size=120))
def test_any_bytes_for_a_change_are_read_or_kept(raw: bytes) -> None:
    found = read_change(raw)
    assert isinstance(found, Change) or found.raw == raw


@given(structs(Change), st.binary(min_size=1, max_size=3), st.integers(min_value=0))
def test_a_change_with_bytes_put_into_it_is_read_or_kept(said: Change, more: bytes, at: int) -> None:
    raw = encode(said)
    at %= len(raw) + 1
    found = read_change(raw[:at] + more + raw[at:])
    assert isinstance(found, Change) or SECRET not in found.reason


# --- fingerprints -----------------------------------------------------------------------------------------


@given(structs(Change), st.integers(1, 2**40))
def test_a_fork_renumbers_a_change_and_leaves_its_fingerprint(said: Change, n: int) -> None:
    """Row 12."""
    assert fingerprint(said) == fingerprint(msgspec.structs.replace(said, n=n))


@given(structs(Change), structs(Change))
def test_two_changes_have_two_fingerprints(one: Change, other: Change) -> None:
    same = encode(msgspec.structs.replace(one, n=0)) == encode(msgspec.structs.replace(other, n=0))
    assert (fingerprint(one) == fingerprint(other)) is same


def test_a_change_has_one_fingerprint_whatever_travels_beside_it() -> None:
    """G3: the first sending may be read by the patient reader, because of a neighbour, the second not."""
    alone = read_request(frame(GOOD[0])).changes[0]
    beside = read_request(frame(GOOD[0], HOSTILE["a lone surrogate in a kind"])).changes[0]
    assert fingerprint(read(alone)) == fingerprint(read(beside))
