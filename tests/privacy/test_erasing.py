"""A record is erased: its values go from everywhere, and nothing brings them back."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from server.declined import Declined
from server.following import follow
from server.ledger.making import LEDGER
from server.vault.resealing import reseal
from sync_protocol.changes import Act
from tests.e2e.village import GRID, NEXT_GRID, TOWN, Village, assert_converged, reported, settled
from tests.privacy.desk import WHY, WORDS, Desk, matter, on_device


def test_the_words_go_from_every_table_and_every_device(village: Village, desk: Desk, tmp_path: Path) -> None:
    wang, li = village.device("王芳"), village.device("李强")
    made = matter(wang)
    settled(village, wang, li)
    number = wang.get(made.id).number
    assert number is not None
    # A conflict, a quarantined change, a returned matter with its reason, and an assignment that say the words.
    for one in (wang, li):
        one.update(one.get(made.id), people_involved=5 if one is wang else 7, title=f"{WORDS}{one is wang}")
    settled(village, wang, li)
    returned = Act("return", "reported", "returned")
    assert village.by_clerk(made.id, act=returned, reason=f"{WORDS}不清楚").result == "applied"
    village.set_grids(li, NEXT_GRID)
    li.update(li.get(made.id), narrative=f"{WORDS}又一次。")
    settled(village, wang, li)
    assert len(village.quarantine()) == 1
    assert village.run(follow(village.services, TOWN, LEDGER)), "as a page of the ledger does"
    assert desk.tables_with() >= {"records", "changes", "conflicts", "receipts", "ledger"}
    assert on_device(wang)
    assert on_device(li)
    done = desk.erase(number)
    assert (done.record, done.number, done.kind, done.now, done.listed) == (
        made.id, number, "matter", True, True,
    )  # fmt: skip
    assert desk.tables_with() == set()
    settled(village, wang, li)
    assert not on_device(wang)
    assert not on_device(li), "its change was in quarantine, and its grid is another one now"
    for one in (wang, li):
        assert one.rescue(tmp_path / "kept", answered=True) == 0, (
            "sealed for the office, it would be there yet"
        )
    assert [one.what for one in wang.news()][-1:] == ["erased"]
    assert (wang.problems(), li.problems()) == ([], [])
    assert village.quarantine() == {}
    assert_converged(village, wang, GRID)
    shown = village.office("GET", f"/v1/records/{made.id}")
    assert (shown["erased"], shown["deleted"], shown["fields"], shown["number"]) == (True, True, {}, number)


def test_what_was_decided_once_and_differs_again_is_erased_too(village: Village, desk: Desk) -> None:
    wang, li = village.device("王芳"), village.device("李强")
    made = matter(wang)
    settled(village, wang, li)
    differing: list[Any] = []
    for first, second in ((5, 7), (8, 9), (10, 11)):
        wang.update(wang.get(made.id), people_involved=first)
        li.update(li.get(made.id), people_involved=second)
        settled(village, wang, li)
        differing = village.office("GET", "/v1/conflicts")["conflicts"]
        if first < 10:
            decision = {"value": second, "reason": "核实"}
            village.office("POST", f"/v1/conflicts/{differing[0]['id']}/resolve", decision)
            settled(village, wang, li)
    assert len(differing) == 1
    assert desk.erase(made.id).now
    assert village.office("GET", "/v1/conflicts")["conflicts"] == []


def test_ids_outcomes_times_and_keyed_hashes_stay(village: Village, desk: Desk) -> None:
    wang = village.device("王芳")
    made = matter(wang)
    settled(village, wang)
    before = village.changes()
    desk.erase(made.id)
    after = village.changes()
    kept = (
        "change_id",
        "n",
        "record_id",
        "author",
        "role",
        "counter",
        "at_ms",
        "stamp_ms",
        "received_ms",
        "result",
        "code",
    )
    for change, row in before.items():
        assert {name: after[change][name] for name in kept} == {name: row[name] for name in kept}
        assert bytes(after[change]["payload"]) == bytes(after[change]["verdict"]) == b""
        plain, now = bytes(row["fingerprint"]), bytes(after[change]["fingerprint"])
        assert len(now) == 32
        assert now not in {plain, hashlib.sha256(plain).digest()}
    (erasure,) = [row for change, row in after.items() if change not in before]
    assert (erasure["result"], bytes(erasure["payload"])) == ("erased", b"")


def test_later_changes_are_erased_and_what_they_say_is_never_stored(village: Village, desk: Desk) -> None:
    wang, li = village.device("王芳"), village.device("李强")
    made = matter(wang)
    settled(village, wang, li)
    first = wang.update(wang.get(made.id), narrative=f"{WORDS}一")
    wang.update(first, narrative=f"{WORDS}二")
    desk.erase(made.id)
    count = len(village.changes())
    report = wang.sync()
    assert (report.erased, report.sent, report.complete) == (2, 2, True)
    assert wang.queue() == []
    assert not on_device(wang)
    assert desk.tables_with() == set()
    assert len(village.changes()) == count + 2, "each can be found by its id"
    again = wang.sync()
    assert (again.sent, again.complete) == (0, True)


def test_an_answer_that_was_lost_is_given_again_as_erased(village: Village, desk: Desk) -> None:
    """G3: a change sent again has no second effect, whatever its first verdict was."""
    wang = village.device("王芳")
    made = matter(wang)
    settled(village, wang)
    with wang._store.write() as tx:  # as an older copy of the store has it
        tx.run("UPDATE changes SET status = 'queued', laid = 1, n = place")
        tx.run("DELETE FROM meta WHERE key = 'cursor'")
    desk.erase(made.id)
    count = len(village.changes())
    report = wang.sync()
    assert (report.erased, report.duplicates) == (report.sent, report.sent)
    assert report.sent > 1
    assert len(village.changes()) == count
    assert not on_device(wang)
    assert wang.list("matter") == []


def test_numbers_have_no_gap_and_counts_stay_right(village: Village, desk: Desk) -> None:
    wang = village.device("王芳")
    for _ in range(2):
        matter(wang)
    settled(village, wang)
    gone, stays = sorted(wang.list("matter"), key=lambda one: one.number or "")
    desk.erase(gone.number or "")
    third = matter(wang)
    settled(village, wang)
    assert [one.number for one in (gone, stays, wang.get(third.id))] == [
        f"{TOWN}-2026-0000{n}" for n in (1, 2, 3)
    ]
    assert {one.id for one in wang.list("matter")} == {stays.id, third.id}
    assert_converged(village, wang, GRID)


def test_it_is_erased_once_and_twice_is_said(village: Village, desk: Desk) -> None:
    wang = village.device("王芳")
    made = reported(wang)
    settled(village, wang)
    first = desk.erase(made.id)
    rows = village.rows("changes", "records", "erasures", "exits", "receipts")
    second = desk.erase(made.id, "再次申请")
    assert (first.now, second.now, second.erased_ms) == (True, False, first.erased_ms)
    assert village.rows("changes", "records", "erasures", "exits", "receipts") == rows


def test_a_legal_hold_outranks_it(village: Village, desk: Desk) -> None:
    wang = village.device("王芳")
    made = matter(wang)
    settled(village, wang)
    number = wang.get(made.id).number or ""
    desk.hold(number)
    before = village.rows()
    with pytest.raises(Declined, match="on_hold"):
        desk.erase(number)
    assert village.rows() == before, "nothing is half done"
    with pytest.raises(Declined, match="already_decided"):
        desk.hold(number)
    desk.lift(number)
    with pytest.raises(Declined, match="already_decided"):
        desk.lift(number)
    assert desk.erase(number).now
    with pytest.raises(Declined, match="erased"):
        desk.hold(number)


def test_nothing_of_the_office_gets_in_any_more(village: Village, desk: Desk) -> None:
    new = {"kind": "matter", "key": "12345:1", "place": GRID, "fields": {"title": WORDS, "nature": "service"}}
    made = village.office("POST", "/v1/records", new)
    desk.erase(made["id"])
    path = f"/v1/records/{made['id']}"
    for method, where, body in (
        ("POST", "/v1/records", new),
        ("PATCH", path, {"fields": {"title": WORDS}}),
        ("POST", f"{path}/actions", {"action": "accept"}),
    ):
        answer = village.ask(method, where, body, {"if-match": "*"})
        assert (answer.status, b'"code":"erased"' in answer.body) == (410, True), where
    assert desk.tables_with() == set()
    feed = village.office("GET", "/v1/changes?own=true")["changes"]
    assert {one["action"] for one in feed} == {"erased"}
    assert feed[-1]["record"]["erased"]


def test_sealing_anew_leaves_it_erased(village: Village, desk: Desk) -> None:
    """`roundbook keys rotate` goes through every row; an erased one must not become a sealed one."""
    wang = village.device("王芳")
    made = matter(wang)
    settled(village, wang)
    desk.erase(made.id)
    before = {change: row["payload"] for change, row in village.changes().items()}
    village.run(reseal(village.services.engine, TOWN))
    assert {change: row["payload"] for change, row in village.changes().items()} == before
    again = matter(wang)
    settled(village, wang)
    assert (wang.get(again.id).number, village.state(made.id).erased) == (f"{TOWN}-2026-00002", True)


def test_it_is_found_by_no_telephone_number(village: Village, desk: Desk) -> None:
    wang = village.device("王芳")
    made, other = matter(wang), matter(wang)
    settled(village, wang)
    assert len(village.rows("telephones")["telephones"]) == 2
    desk.erase(made.id)
    (left,) = village.rows("telephones")["telephones"]
    assert other.id in {str(cell) for cell in left}


def test_reasons_have_words(desk: Desk) -> None:
    for reason in ("", "无", "x" * 501, "a\x00bcd", "来电13800138000要求"):
        with pytest.raises(Declined, match="invalid_record"):
            desk.erase(f"{TOWN}-2026-00001", reason)
    for name in ("", f"{TOWN}-2026-00001", "321283105-2026-00001", "x\x00", "x" * 41):
        with pytest.raises(Declined, match="not_found"):
            desk.erase(name, WHY)
