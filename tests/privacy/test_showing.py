"""What is held about a matter, asked by its number: all of it, contact masked, written down."""

import msgspec
import pytest

from server.declined import Declined
from tests.e2e.village import GRID, NEXT_GRID, TOWN, Village, settled
from tests.privacy.desk import WORDS, Desk, matter


def test_row_25_everything_is_in_it_and_no_contact(village: Village, desk: Desk) -> None:
    wang, li = village.device("王芳"), village.device("李强")
    made = matter(wang)
    settled(village, wang, li)
    number = wang.get(made.id).number or ""
    for one, count in ((wang, 5), (li, 7)):
        one.update(one.get(made.id), people_involved=count)
    settled(village, wang, li)
    village.set_grids(li, NEXT_GRID)
    li.update(li.get(made.id), narrative=f"{WORDS}又一次")
    settled(village, wang, li)
    (conflict,) = village.office("GET", "/v1/conflicts")["conflicts"]
    village.office("POST", f"/v1/conflicts/{conflict['id']}/resolve", {"value": 7, "reason": "核实"})
    desk.hold(number)
    held = desk.show(number)
    text = msgspec.json.encode(held).decode()
    assert held.record.id == made.id
    assert WORDS in text
    for secret in ("13800138000", "王大"):
        assert secret not in text
    assert "138****8000" in text
    assert {item.do for item in held.history} >= {"create", "edit"}
    assert [(one.path, one.status) for one in held.differing] == [("people_involved", "decided")]
    (waiting,) = held.quarantine
    assert (waiting.code, waiting.wanted is not None) == ("not_in_scope", True)
    assert {(one.device, one.grid, one.wrote) for one in held.devices} == {
        (wang.me().device, GRID, True),
        (li.me().device, None, True),
    }
    assert held.receipts > 0
    assert [one.act for one in held.audit] == ["conflict_decided", "hold_set", "matter_shown"]
    assert [one.reason for one in held.holds] == ["法院调取"]
    assert held.erasure is None


def test_of_an_erased_one_it_says_that_and_has_nothing_else(village: Village, desk: Desk) -> None:
    wang = village.device("王芳")
    made = matter(wang)
    settled(village, wang)
    number = wang.get(made.id).number or ""
    desk.erase(number)
    held = desk.show(number)
    assert WORDS not in msgspec.json.encode(held).decode()
    assert (held.record.erased, held.record.fields, held.erasure is not None) == (True, {}, True)
    assert all(item.fields == {} and item.effects == [] for item in held.history)


def test_it_is_written_down_before_it_is_made(village: Village, desk: Desk) -> None:
    with pytest.raises(Declined, match="not_found"):
        desk.show(f"{TOWN}-2026-00009")
    with pytest.raises(Declined, match="invalid_record"):
        desk.show(f"{TOWN}-2026-00009", "无")
    assert [row for row in village.rows("audit_entries")["audit_entries"] if "matter_shown" in row] == []
