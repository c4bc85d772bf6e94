"""A device comes back after the exits that it missed were forgotten (G2, G4, G5)."""

import pytest

from client_sdk import FieldClient, Offline, Policy, Record
from server.sync.horizon import Trimmed, trim
from tests.e2e.links import Link, dead
from tests.e2e.village import GRID, NEXT_GRID, TOWN, Village, assert_converged, holds

TINY = Policy(page_bytes_max=1_024, page_bytes_min=1_024)
DAY_MS = 24 * 3_600_000
AWAY_MS = 200 * DAY_MS
DELETED = 587
LONG = "很长的一段话" * 60


def wells(device: FieldClient, grid: str, count: int) -> list[Record]:
    made = [device.create("well", grid=grid, title=f"{n}", note=LONG) for n in range(count)]
    assert device.sync().complete
    return made


def half_a_year_later(village: Village) -> Trimmed:
    """Everything so far is old now, and forgotten as `roundbook township trim` does."""
    village.now_ms += AWAY_MS
    return village.run(
        trim(village.services.engine, TOWN, village.now_ms - 180 * DAY_MS, now_ms=village.now_ms)
    )


def test_a_device_that_was_away_ends_equal_and_loses_nothing_unsent(village: Village) -> None:
    other = village.device("李强", GRID, NEXT_GRID)
    moved, deleted, edited, stays = wells(other, GRID, 4)
    away = village.device("王芳", GRID)
    assert away.sync().received == 4
    away.update(away.get(moved.id), title="改了搬走的")
    away.update(away.get(edited.id), title="改了留下的")
    new = away.create("well", title="新井")
    draft = away.create("well", title="草稿", draft=True)
    village.by_clerk(moved.id, place=NEXT_GRID)
    village.by_clerk(deleted.id, do="delete")
    village.by_clerk(stays.id, fields={"note": "办公室改的"})
    assert half_a_year_later(village).exits == 2

    report = away.sync()
    # The horizon had it read anew, not the digest that would have noticed afterwards.
    assert (report.complete, report.quarantined, report.reread) == (True, 1, ())
    assert_converged(village, away, GRID)
    assert {edited.id, stays.id, new.id} == holds(away).keys()
    assert village.state(edited.id).values["title"] == "改了留下的"
    assert [one["code"] for one in village.quarantine().values()] == ["not_in_scope"]
    assert away.get(draft.id).fields["title"] == "草稿"
    assert [one.record for one in away.queue() if one.status == "draft"] == [draft.id]
    other.sync()
    assert_converged(village, other, GRID, NEXT_GRID)


@pytest.mark.parametrize("pages", [2, 4])
def test_a_half_finished_first_download_ends_equal(village: Village, pages: int) -> None:
    other = village.device("李强", GRID, NEXT_GRID)
    wells(other, GRID, 8)
    link = Link(village.link)
    device = village.device("王芳", transport=link)
    for _ in range(pages):
        cut_after_one_page(device, link)
    held = list(holds(device))
    assert 1 < len(held) < 8
    mine = device.update(device.get(held[-1]), title="半路改的")
    village.by_clerk(held[0], place=NEXT_GRID)
    assert half_a_year_later(village).exits == 1
    cut_after_one_page(device, link)
    assert device.get(mine.id).fields["title"] == "半路改的"
    link.up = lambda body: body
    assert device.sync(policy=TINY).complete
    assert_converged(village, device, GRID)
    assert held[0] not in holds(device)
    assert village.state(mine.id).values["title"] == "半路改的"


def cut_after_one_page(device: FieldClient, link: Link) -> None:
    before = link.exchanges
    link.up = lambda body: body if link.exchanges == before + 1 else dead(body)
    try:
        assert not device.sync(policy=TINY).complete
    except Offline:
        pytest.fail("the first page arrives")


def test_only_who_was_away_reads_anew(village: Village) -> None:
    present, away = village.device("李强"), village.device("王芳")
    first, *_ = wells(present, GRID, 3)
    away.sync()
    village.by_clerk(first.id, place=NEXT_GRID)
    present.sync()
    half_a_year_later(village)
    assert (present.sync().received, away.sync().received) == (0, 2)
    for device in (present, away):
        assert_converged(village, device, GRID)


@pytest.mark.parametrize("days", [19, 200])
def test_row_13_what_was_deleted_meanwhile_is_not_brought_back(village: Village, days: int) -> None:
    """587 records, as elsewhere. After 19 days the exits tell, after 200 the device is re-based; both end alike.

    The one that it had edited without knowing comes back with that edit, and the office is shown that it did.
    """
    other = village.device("李强")
    made = [other.create("well", title=f"{n}") for n in range(DELETED)]
    kept = other.create("well", title="stays")
    assert other.sync().complete
    away = village.device("王芳")
    assert away.sync().received == DELETED + 1
    edited = away.update(away.get(made[7].id), title="改了已删的")
    new = away.create("well", title="新井")
    for record in made:
        other.delete(other.get(record.id))
    assert other.sync().applied == DELETED
    village.now_ms += days * DAY_MS
    village.run(trim(village.services.engine, TOWN, village.now_ms - 180 * DAY_MS, now_ms=village.now_ms))

    report = away.sync()
    assert (report.complete, report.sent, report.reread) == (True, 2, ())
    for device in (other, away):
        assert device.sync().complete
        assert_converged(village, device, GRID)
        assert {kept.id, new.id, edited.id} == holds(device).keys()
    back = [record.id for record in made if not village.state(record.id).deleted]
    assert back == [edited.id]
    (conflict,) = village.office("GET", "/v1/conflicts?status=by_rule")["conflicts"]
    assert conflict["record"] == edited.id
