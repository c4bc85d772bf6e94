"""The cursor: opaque, authenticated, and the arithmetic of its lanes against a model."""

import base64
import string

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_protocol.cursor import Cursor, CursorInvalid, Lane, fold, rescope, restart, seal, unseal

KEY, OTHER_KEY = b"k" * 32, b"l" * 32
READER, OTHER = "01900000-0000-7000-8000-000000000001", "01900000-0000-7000-8000-000000000002"
ALPHABET = string.ascii_letters + string.digits + "-_"
GRIDS = [f"32128310420300{number}" for number in range(1, 7)]
NUMBERS = st.integers(0, 2**50)


@st.composite
def cursors(draw: st.DrawFn) -> Cursor:
    grids = draw(st.lists(st.sampled_from(GRIDS), unique=True))
    lanes = []
    while grids:
        size = draw(st.integers(1, len(grids)))
        base, ahead, above = draw(NUMBERS), draw(NUMBERS), draw(NUMBERS)
        lanes.append(Lane(tuple(sorted(grids[:size])), base, base + ahead, above))
        grids = grids[size:]
    return Cursor(READER, tuple(lanes), draw(NUMBERS), draw(NUMBERS), OTHER)


SOME = Cursor(READER, (Lane((GRIDS[0],), 3, 7, 0), Lane((GRIDS[1],), 0, 5, 6)), 2, 9, OTHER)


# --- sealed -----------------------------------------------------------------------------------------


@given(cursors())
def test_a_cursor_comes_back_to_its_reader(cursor: Cursor) -> None:
    text = seal(cursor, KEY)
    assert unseal(text, KEY, READER) == cursor
    assert set(text) <= set(ALPHABET)


def test_a_usual_cursor_is_short() -> None:
    """It travels both ways with every exchange."""
    head = 3 * 2**40 + 70_000
    usual = Cursor(
        READER, (Lane(tuple(GRIDS[:3]), head, head, head),), head - 9, head - 1, OTHER, (2026, 431)
    )
    assert len(seal(usual, KEY)) <= 100


def test_codes_that_are_no_plain_numbers_come_back_too() -> None:
    odd = Cursor(READER, (Lane(("012", "x1"), 1, 2, 3),), 0, 0, "")
    assert unseal(seal(odd, KEY), KEY, READER) == odd


@given(cursors())
def test_another_device_or_server_cannot_use_it(cursor: Cursor) -> None:
    text = seal(cursor, KEY)
    for key, reader in ((KEY, OTHER), (OTHER_KEY, READER)):
        with pytest.raises(CursorInvalid):
            unseal(text, key, reader)


def test_altered_at_any_byte_it_is_refused() -> None:
    raw = bytearray(base64.urlsafe_b64decode(_padded(seal(SOME, KEY))))
    for at in range(len(raw)):
        for bit in range(8):
            raw[at] ^= 1 << bit
            with pytest.raises(CursorInvalid):
                unseal(base64.urlsafe_b64encode(raw).rstrip(b"=").decode(), KEY, READER)
            raw[at] ^= 1 << bit


def test_no_character_can_be_altered_into_another_cursor() -> None:
    """Base64 has spellings that mean the same bytes; they may only mean the same cursor."""
    text = seal(SOME, KEY)
    for at in range(len(text)):
        for character in (*ALPHABET, "=", "\n", "é", "\ud800", "\0"):
            altered = text[:at] + character + text[at + 1 :]
            if altered != text:
                assert _read(altered) in {None, SOME}


def test_cut_anywhere_it_is_refused() -> None:
    text = seal(SOME, KEY)
    for length in range(len(text)):
        assert _read(text[:length]) is None


@given(st.text(max_size=200) | st.text(ALPHABET, max_size=200))
def test_anything_else_is_refused(text: str) -> None:
    assert _read(text) is None


def test_a_sealed_body_of_another_version_of_this_code_is_refused() -> None:
    """The tag is right, the form is not: an upgrade must not answer with an error (G6)."""
    from sync_protocol.cursor import _tag

    whole = base64.urlsafe_b64decode(_padded(seal(SOME, KEY)))[16:]
    shorter = msgspec.msgpack.decode(whole)
    shorter[3] = b"short"
    for body in (b"{}", b"", b"\xff", b"\x90", whole + b"\x01", msgspec.msgpack.encode(shorter)):
        text = base64.urlsafe_b64encode(_tag(body, KEY, READER) + body).rstrip(b"=").decode()
        assert _read(text) is None
    assert _read(base64.urlsafe_b64encode(_tag(whole, KEY, READER) + whole).rstrip(b"=").decode()) == SOME


def _padded(text: str) -> bytes:
    return text.encode() + b"=" * (-len(text) % 4)


def _read(text: str) -> Cursor | None:
    try:
        return unseal(text, KEY, READER)
    except CursorInvalid:
        return None


# --- lanes, against a model in which every grid stands alone --------------------------------------------

Stand = tuple[int, int, int]
SCOPES = st.lists(st.sampled_from(GRIDS), unique=True).map(lambda grids: tuple(sorted(grids)))


def stands(cursor: Cursor) -> dict[str, Stand]:
    """Base, position and exits of each grid; a grid is in one lane."""
    found: dict[str, Stand] = {}
    for lane in cursor.lanes:
        assert lane.grids, "a lane without grids would never be complete"
        for grid in lane.grids:
            assert grid not in found
            found[grid] = (lane.base, lane.position, lane.exits_above)
    return found


@given(cursors(), SCOPES, NUMBERS)
def test_a_new_scope_moves_nothing_of_what_stays(cursor: Cursor, scope: tuple[str, ...], head: int) -> None:
    before = stands(cursor)
    fitted, lost = rescope(cursor, scope, READER, head)
    assert stands(fitted) == {grid: before.get(grid, (0, 0, head)) for grid in scope}
    assert set(lost) == set(before) - set(scope)
    assert (fitted.receipts, fitted.tip, fitted.tip_change) == (
        cursor.receipts,
        cursor.tip,
        cursor.tip_change,
    )


@given(SCOPES, NUMBERS)
def test_without_a_cursor_everything_is_new(scope: tuple[str, ...], head: int) -> None:
    fitted, lost = rescope(None, scope, READER, head)
    assert stands(fitted) == dict.fromkeys(scope, (0, 0, head))
    assert (lost, fitted.reader, fitted.tip) == ((), READER, 0)


@given(cursors(), SCOPES, NUMBERS)
def test_grids_that_are_read_again_begin_at_nought(cursor: Cursor, again: tuple[str, ...], head: int) -> None:
    before = stands(cursor)
    after = stands(restart(cursor, again, head))
    assert after == {grid: (0, 0, head) if grid in again else stand for grid, stand in before.items()}


@given(cursors(), NUMBERS)
def test_after_a_complete_answer_there_is_one_lane(cursor: Cursor, head: int) -> None:
    folded = fold(cursor, head)
    assert len(folded.lanes) <= 1
    assert stands(folded) == dict.fromkeys(stands(cursor), (head, head, head))


@given(cursors(), SCOPES, SCOPES, NUMBERS)
def test_a_grid_that_was_taken_and_given_back_begins_at_nought(
    cursor: Cursor, less: tuple[str, ...], more: tuple[str, ...], head: int
) -> None:
    """What was dropped with the grid has to come again, however short the time between."""
    before = stands(cursor)
    through, _ = rescope(cursor, less, READER, head)
    after = stands(rescope(through, more, READER, head)[0])
    assert after == {grid: before[grid] if grid in before and grid in less else (0, 0, head) for grid in more}
