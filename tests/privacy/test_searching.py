"""Looking for words in narratives: for a reason, written down, within reach, and never for people."""

import msgspec
import pytest

from server.declined import Declined
from server.reach import Caller, Reach
from tests.e2e.village import GRID, NEXT_GRID, OTHER_TOWN, TOWN, Village, settled
from tests.privacy.desk import WHO, Desk


def records(village: Village, *titles: str, **fields: object) -> list[str]:
    made = []
    for nth, title in enumerate(titles):
        new = {
            "kind": "matter",
            "key": f"{title}{nth}",
            "place": GRID,
            "fields": {"title": title, "nature": "service", **fields},
        }
        made.append(village.office("POST", "/v1/records", new)["id"])
    return made


def test_narratives_are_found_with_a_masked_excerpt(village: Village, desk: Desk) -> None:
    (made,) = records(
        village, "甲", narrative="张家门前“水渠”堵塞，电话 138 0013 8000，证号32128319700101123X，请回电。"
    )
    village.office(
        "PATCH",
        f"/v1/records/{made}",
        {"entries": {"measures": {"append": [{"text": "已清淤一次。"}]}}},
        if_match="*",
    )
    (found,) = desk.search("“水渠”").found
    assert (found.record, found.kind, found.field, found.state) == (made, "matter", "narrative", "reported")
    assert found.number == f"{TOWN}-2026-00001"
    assert "堵塞，电话 *" in found.excerpt
    for digits in ("138", "8000", "3212", "123X"):
        assert digits not in found.excerpt
    (entry,) = desk.search("清淤").found
    assert (entry.field, entry.excerpt) == ("measures/text", "已清淤一次。")


def test_names_contact_and_other_fields_are_never_looked_into(village: Village, desk: Desk) -> None:
    (made,) = records(village, "甲", place_description="找地点", narrative="无")
    append = {
        "entries": {"parties": {"append": [{"name": "找王大", "contact": "找电话", "role": "applicant"}]}}
    }
    village.office("PATCH", f"/v1/records/{made}", append, if_match="*")
    for words in ("找王大", "找电话", "找地点"):
        assert desk.search(words).found == [], words


def test_every_search_is_written_down_with_its_reason_and_without_its_words(
    village: Village, desk: Desk
) -> None:
    records(village, "甲", narrative="水渠堵塞")
    desk.search("水渠堵")
    desk.search("没有这样的话")
    rows = [row for row in village.rows("audit_entries")["audit_entries"] if "narratives_searched" in row]
    details = [
        msgspec.json.decode(next(cell for cell in row if isinstance(cell, bytes) and cell[:1] == b"{"))
        for row in rows
    ]
    assert [(one["reason"], one["chars"], len(one["text"])) for one in details] == [
        ("同类事项排查", 3, 64), ("同类事项排查", 6, 64),
    ]  # fmt: skip
    assert desk.tables_with("没有这样的话") == set()
    assert len({one["text"] for one in details}) == 2


def test_a_search_that_is_declined_is_not_made(village: Village, desk: Desk) -> None:
    for text, reason in (
        ("水", "同类事项排查"), ("水" * 51, "同类事项排查"), ("水\n渠", "同类事项排查"), ("水渠", "无"), ("水渠", "  "),
        ("13800138000", "同类事项排查"), ("138-0013-8000", "同类事项排查"),
    ):  # fmt: skip
        with pytest.raises(Declined, match="invalid_record"):
            desk.search(text, reason)
    assert [
        row for row in village.rows("audit_entries")["audit_entries"] if "narratives_searched" in row
    ] == []


def test_it_reaches_no_further_than_who_asks(village: Village, desk: Desk) -> None:
    plain, secret = (
        records(village, "甲", narrative="水渠一"),
        records(village, "乙", narrative="水渠二", restricted=True),
    )
    gone = records(village, "丙", narrative="水渠三")
    fields = {"title": "丁", "nature": "service", "narrative": "水渠四"}
    new = {"kind": "matter", "key": "n", "place": NEXT_GRID, "fields": fields}
    village.office("POST", "/v1/records", new)
    desk.erase(gone[0])
    everything = {one.record for one in desk.search("水渠").found}
    assert everything > {plain[0], secret[0]}
    assert gone[0] not in everything
    unnamed = Caller(WHO.id, "文员", "clerk", Reach((TOWN,)), frozenset())
    assert {one.record for one in desk.search("水渠", who=unnamed).found} == everything - set(secret)
    near = Caller(WHO.id, "文员", "clerk", Reach((TOWN,), places=(GRID,)), frozenset())
    assert {one.record for one in desk.search("水渠", who=near).found} == set(plain)
    other = Caller(WHO.id, "邻镇", "clerk", Reach((OTHER_TOWN,)), frozenset())
    assert desk.search("水渠", who=other).found == []


def test_many_are_bounded_and_said_to_be_more(village: Village, desk: Desk) -> None:
    wang = village.device("王芳")
    for _ in range(51):
        wang.create("matter", nature="service", title="路", narrative="路灯坏了")
    settled(village, wang)
    found = desk.search("路灯")
    assert (len(found.found), found.more) == (50, True)
    assert not desk.search("没有的").more
