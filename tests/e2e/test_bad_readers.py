"""Cursors, serials and readers that are not what they should be: nothing leaks, and the rest is processed."""

from typing import Any

import msgspec
import pytest

from sync_protocol.limits import DEFAULTS
from tests.e2e.raw import (
    OTHERS,
    SECRET,
    SYNC,
    RawDevice,
    skip,
    title,
)
from tests.e2e.village import GRID, NEXT_GRID, OTHER_TOWN, Village


@pytest.fixture
def device(village: Village) -> RawDevice:
    return RawDevice(village, "王芳")


def test_a_cursor_that_is_not_ones_own_is_refused_and_the_rest_processed(village: Village) -> None:
    device, other = RawDevice(village, "王芳"), RawDevice(village, "李强", NEXT_GRID)
    far = RawDevice(village, "邻人", f"{OTHER_TOWN}203001")
    other.sync(other.create(place=NEXT_GRID, fields={"title": OTHERS}))
    far.sync(far.create(place=f"{OTHER_TOWN}203001", fields={"title": OTHERS}))
    mine = device.create()
    device.sync(mine)
    own = device.cursor
    assert own is not None
    assert other.cursor is not None
    assert far.cursor is not None
    flipped = own[:40] + ("A" if own[40] != "A" else "B") + own[41:]
    for cursor in (
        *(other.cursor, far.cursor, flipped, own[:-4], own[:10], "", "x", "\0", "é", "\ud7ff", own * 50),
        "A" * 1_000_000,
    ):
        change = device.create()
        answer = device.sync(change, cursor=cursor)
        assert answer.cursor_refused == "cursor_invalid", cursor[:50]
        assert answer.verdicts[0].result == "applied"
        assert answer.page is not None
        assert answer.page.restart == (GRID,)
        assert mine["record"] in {row.id for row in answer.page.records}
        assert OTHERS not in str(answer)
    assert device.sync(cursor=own).cursor_refused is None


def test_an_old_serial_gives_nothing_away(village: Village, device: RawDevice) -> None:
    known = device.create()
    device.sync(known)
    device.sync()
    before = village.rows()
    body = device.body(known, device.create())
    response = device.send(body, serial=1)
    answer = msgspec.json.decode(response.body)
    assert (answer["serial"], answer.get("page"), answer.get("profile")) == (2, None, None)
    assert [verdict["id"] for verdict in answer["verdicts"]] == [known["id"]]
    assert village.rows() == before
    replayed = device.headers(body, serial=2)
    twice = [village.link.exchange("POST", SYNC, replayed, body).status for _ in range(2)]
    assert twice == [200, 200]
    assert village.rows() == before


@pytest.mark.parametrize("how", ["revoked", "disabled"])
def test_row_8_who_may_not_read_hands_in(village: Village, how: str) -> None:
    """Failures, row 8: everything into quarantine, in any shape; nothing comes back."""
    device, other = RawDevice(village, "王芳"), RawDevice(village, "李强")
    mine = device.create()
    device.sync(mine)
    other.sync(other.create(fields={"title": OTHERS}))
    if how == "revoked":
        village.revoke(device.id)
    else:
        village.disable("王芳")
    sent: list[Any] = [device.change(record=mine["record"], base=2**50, fields={"title": SECRET})]
    sent += [device.create(), title(rb'"\ud800"')(device, ""), skip(device, b"17")]
    before = village.rows("records")
    answer = device.sync(*sent)
    assert (answer.revoked, answer.page, answer.profile) == (True, None, None)
    assert {v.code for v in answer.verdicts} | {u.code for u in answer.unanswered} == {"revoked_device"}
    assert len(answer.verdicts) + len(answer.unanswered) == 4
    assert OTHERS not in str(answer)
    assert village.rows("records") == before
    waiting = village.quarantine()
    assert {v.id for v in answer.verdicts} | {u.kept for u in answer.unanswered} <= waiting.keys()
    assert device.sync(cursor="x").page is None


def test_frames_may_say_more_than_the_server_knows(village: Village, device: RawDevice) -> None:
    change = device.create()
    answer = device.sync(change, colour="red", changes_total=7, client="例" * 200, queued=2**53)
    assert answer.verdicts[0].result == "applied"
    assert device.sync(reread=[NEXT_GRID, "x", "例", *map(str, range(3_000))]).page is not None
    assert device.sync(page_bytes=-(2**53)).page is not None
    assert device.sync(now=-(2**53), lowest=2**53).page is not None
    late = device.sync(device.create(at=-(2**53), mark=2**53), now=2**53)
    assert late.verdicts[0].result == "applied"
    record = village.ask("GET", f"/v1/records/{change['record']}/history")
    assert record.status == 200
    assert village.ask("GET", "/v1/changes?own=true").status == 200


def test_two_thousand_changes_in_a_request(village: Village, device: RawDevice) -> None:
    sent: list[Any] = [device.create() for _ in range(DEFAULTS.changes_max)]
    sent[1000] = title(rb'"\ud800"')(device, "")
    device.n -= 1
    sent[1000] = sent[1000].replace(b'"n":2001', b'"n":1001')
    answer = device.sync(*sent)
    results = [verdict.result for verdict in answer.verdicts]
    assert (results.count("applied"), results.count("quarantined"), answer.send_from) == (1999, 1, None)
    assert len(village.held(GRID)) == 1999
