"""Any clock is taken, none wins for ever, and all three times are kept (G8; failures, row 10)."""

import pytest

from sync_protocol.clock import LINK_MS
from tests.server.office_server import OfficeServer
from tests.sync.phone import Phone, stored

YEAR_MS = 365 * 24 * 3600 * 1000
HOUR_MS = 3_600_000
AHEAD_MS = 300_000
CLOCKS = {
    "1970": 0,
    "before 1970": -YEAR_MS,
    "2099": 129 * YEAR_MS,
    "year 9999": 8029 * YEAR_MS,
    "right": None,
}


@pytest.mark.parametrize("clock", CLOCKS)
async def test_row_10_a_clock_of_any_year_is_taken_and_corrected(
    server: OfficeServer, wang: Phone, clock: str
) -> None:
    reading = CLOCKS[clock]
    now = server.now_ms + 1_000 if reading is None else reading
    made = wang.matter(at=now - 600_000)
    answer = await wang.send(made, now=now)
    assert (answer.verdicts[0].result, answer.now) == ("applied", server.now_ms)
    kept = (await stored(server, made.id))[made.id]
    assert (kept.at_ms, kept.received_ms) == (now - 600_000, server.now_ms)
    assert kept.offset_ms == server.now_ms - now
    assert kept.stamp_ms == server.now_ms - 600_000
    assert 0 < kept.uncertainty_ms <= server.now_ms


async def test_row_10_a_clock_in_the_future_does_not_win_for_ever(
    server: OfficeServer, wang: Phone, li: Phone
) -> None:
    """Its value stands no longer than the next later edit, made without having seen it."""
    made = wang.matter()
    await wang.send(made)
    base = (await server.state(made.record)).version
    # It jumps on the way: saved by a clock of 2099, sent by one that is right.
    ahead = wang.edit(made.record, base, fields={"title": "2099"}, at=129 * YEAR_MS, mark=server.now_ms)
    await wang.send(ahead)
    server.now_ms += 60_000
    later = li.edit(made.record, base, fields={"title": "晚一分钟"}, at=server.now_ms)
    (verdict,) = (await li.send(later)).verdicts
    assert verdict.result == "conflict"
    assert (await server.state(made.record)).values["title"] == "晚一分钟"
    kept = await stored(server, ahead.id, later.id)
    assert kept[ahead.id].stamp_ms <= kept[ahead.id].received_ms < kept[later.id].stamp_ms


async def test_row_10_a_clock_in_the_past_does_not_lose_for_ever(
    server: OfficeServer, wang: Phone, li: Phone
) -> None:
    made = wang.matter()
    await wang.send(made)
    base = (await server.state(made.record)).version
    await li.send(li.edit(made.record, base, fields={"title": "先"}, at=server.now_ms))
    server.now_ms += 60_000
    contact = server.now_ms
    server.now_ms += 60_000
    behind = wang.edit(made.record, base, fields={"title": "后"}, at=5_000, mark=contact)
    await wang.send(behind)
    assert (await server.state(made.record)).values["title"] == "后"


async def _in_touch(server: OfficeServer, wang: Phone) -> int:
    """A contact an hour ago; gives the server's time of it."""
    contact = (await wang.send()).now
    server.now_ms += HOUR_MS
    return contact


async def test_row_10_the_second_request_of_a_queue_knows_that_the_clock_was_set(
    server: OfficeServer, wang: Phone
) -> None:
    """What the first request tells of the clock is seconds old when the second one comes."""
    contact = await _in_touch(server, wang)
    saved = server.now_ms - 600_000
    made = [wang.matter(at=saved, mark=contact, since=saved - contact) for _ in range(2)]
    for change in made:  # after the saves the clock was set five minutes ahead
        await wang.send(change, now=server.now_ms + 1_000 + AHEAD_MS)
    kept = await stored(server, *(change.id for change in made))
    for change in made:
        assert kept[change.id].stamp_ms == saved - AHEAD_MS
        assert AHEAD_MS <= kept[change.id].uncertainty_ms <= AHEAD_MS + LINK_MS


async def test_row_10_the_first_sync_knows_that_the_clock_was_set(server: OfficeServer, wang: Phone) -> None:
    """The server has no reading of this clock from before; its enrolment was the contact."""
    enrolled = server.now_ms
    server.now_ms += HOUR_MS
    saved = server.now_ms - 600_000
    made = wang.matter(at=saved, mark=enrolled, since=saved - enrolled)
    await wang.send(made, now=server.now_ms + 1_000 + AHEAD_MS)
    kept = (await stored(server, made.id))[made.id]
    assert kept.stamp_ms == saved - AHEAD_MS
    assert AHEAD_MS <= kept.uncertainty_ms <= AHEAD_MS + LINK_MS


async def test_row_10_a_clock_put_right_before_the_upload_costs_nothing(
    server: OfficeServer, wang: Phone
) -> None:
    """Saved by a clock of 1970 that the network then put right: what was counted from the contact is true."""
    contact = await _in_touch(server, wang)
    saved = server.now_ms - 600_000
    made = wang.matter(at=saved - contact, mark=contact, since=saved - contact)
    await wang.send(made)
    kept = (await stored(server, made.id))[made.id]
    assert kept.stamp_ms == saved
    assert kept.uncertainty_ms == kept.received_ms - contact


async def test_row_10_before_any_contact_everything_up_to_receipt_is_possible(
    server: OfficeServer, wang: Phone
) -> None:
    made = wang.matter(at=server.now_ms)
    await wang.send(made)
    kept = (await stored(server, made.id))[made.id]
    assert kept.uncertainty_ms == kept.received_ms
