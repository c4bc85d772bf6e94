"""One record through everything that may happen to it, under one id."""

from tests.e2e.village import GRID, NEXT_GRID, Village, assert_converged, holds, settled


def test_row_18_the_id_stays_whatever_happens_and_the_number_is_a_field(village: Village) -> None:
    """Saved, edited, reported, edited by two at once, moved by the office and back."""
    one, other = village.device("王芳"), village.device("李强")
    draft = one.create("well", title="草稿", draft=True)
    ids = {draft.id, one.submit(draft).id, one.update(one.get(draft.id), title="村东水井").id}
    ids |= {one.act(one.get(draft.id), "report").id}
    settled(village, one, other)
    number = one.get(draft.id).number
    assert number is not None
    ids |= {
        one.update(one.get(draft.id), households=3).id,
        other.update(other.get(draft.id), households=4).id,
    }
    settled(village, one, other)
    village.by_clerk(draft.id, place=NEXT_GRID)
    receiver = village.device("周敏", NEXT_GRID)
    settled(village, one, other, receiver)
    village.by_clerk(draft.id, place=GRID)
    settled(village, one, other, receiver)
    ids |= {*holds(one), *holds(other), *village.held(GRID)}
    ids |= {str(row["record_id"]) for row in village.changes().values()}
    assert ids == {draft.id}
    assert holds(receiver) == {}
    assert {device.get(draft.id).number for device in (one, other)} == {number}
    assert_converged(village, one, GRID)
