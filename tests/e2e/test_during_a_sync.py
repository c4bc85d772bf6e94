"""What a device says and keeps while a sync is under way: clocks that jump, a disk that fills, progress."""

from itertools import pairwise

import pytest

from client_sdk import Policy, Progress, Response, StoreFull
from sync_protocol.changes import Act
from tests.client.conftest import limit_pages
from tests.e2e.links import Link, lost, times
from tests.e2e.village import (
    GRID,
    NEXT_GRID,
    START_MS,
    Clock,
    Village,
    assert_converged,
    holds,
    reported,
    settled,
)

SMALL = Policy(page_bytes_max=4_096, page_bytes_min=4_096, changes_max=10)
RETURN = Act("return", "reported", "returned", "请补充户数")
IN_1970, IN_2099 = 0, 4_070_908_800_000


@pytest.mark.parametrize("jumps", [(IN_2099, IN_1970), (IN_1970, IN_2099)], ids=["2099 first", "1970 first"])
def test_row_10_a_clock_jumps_while_a_sync_runs(village: Village, jumps: tuple[int, int]) -> None:
    """Between asking and answer, between two pages, and back in the next sync: nothing is lost, refused or dated so."""
    clock, link = Clock(), Link(village.link)
    device, other = village.device("王芳", clock=clock, transport=link), village.device("李强")
    well = reported(other)
    settled(village, other, device)

    def jump(response: Response) -> Response:
        clock.at_ms = jumps[link.exchanges % 2]
        return response

    def jump_up(body: bytes) -> bytes:
        clock.at_ms = jumps[(link.exchanges + 1) % 2]
        return body

    link.down, link.up = jump, jump_up
    for turn in range(4):
        for n in range(12):
            device.create("well", title=f"{turn}-{n}")
        device.update(device.get(well.id), title=f"turn {turn}")
        assert device.sync(policy=SMALL).complete
        assert device.get(well.id).fields["title"] == f"turn {turn}"
        other.sync()
        other.update(other.get(well.id), title=f"seen {turn}")
        settled(village, other, device)
        assert device.get(well.id).fields["title"] == f"seen {turn}"
    assert len(village.changes()) == 2 + 4 * 14
    for row in village.changes().values():
        assert START_MS <= row["stamp_ms"] <= row["received_ms"]
    assert village.quarantine() == {}


def test_row_14_a_page_that_fails_half_way_changes_nothing_anywhere(village: Village) -> None:
    """The disk fills in the middle of a page. What is held stays whole, and nothing of the damage is sent."""
    device, other = village.device("王芳"), village.device("李强")
    mine = reported(device, note="井台完好。")
    settled(village, device, other)
    for n in range(60):
        other.create("well", title=f"theirs {n}", note="水" * 1_000)
    other.update(other.get(mine.id), households=9)
    other.sync()
    before, server = holds(device), village.rows("records", "changes", "exits")
    limit_pages(device, 4)
    for _ in range(3):
        with pytest.raises(StoreFull):
            device.sync()
        assert holds(device) == before
        assert device.queue() == []
    assert village.rows("records", "changes", "exits") == server
    limit_pages(device, 10_000)
    report = device.sync()
    assert (report.complete, report.received, report.reread) == (True, 61, ())
    assert village.rows("records", "changes", "exits") == server
    assert_converged(village, device, GRID)


def test_row_14_a_page_that_is_cut_leaves_the_page_before(village: Village) -> None:
    """Every second answer is lost: after each page the device holds whole pages, and goes on from the last one."""
    other = village.device("李强")
    for n in range(60):
        other.create("well", title=f"{n}", note="水" * 100)
    other.sync()
    link = Link(village.link)
    device = village.device("王芳", transport=link)
    expected = village.held(GRID)
    seen: list[int] = []

    def every_second(response: Response) -> Response:
        held = holds(device)
        assert all(held[record][:3] == expected[record][:3] for record in held)
        seen.append(len(held))
        return lost(response) if link.exchanges % 2 else response

    link.down = every_second
    assert device.sync(policy=Policy(page_bytes_max=2_048)).complete
    assert seen == sorted(seen)
    assert len(set(seen)) > 5
    assert_converged(village, device, GRID)


def test_row_19_progress_up_and_down_has_totals_and_never_goes_back(village: Village) -> None:
    """Changes, bytes and records, with broken exchanges between; at the end each is what it was said to become."""
    other = village.device("李强")
    for n in range(80):
        other.create("well", title=f"theirs {n}", note="水" * 60)
    other.sync()
    link = Link(village.link)
    device = village.device("王芳", transport=link)
    for n in range(35):
        device.create("well", title=f"ours {n}")
    link.down = times(2, lost)  # type: ignore[assignment]  # the link fails on purpose
    waiting, told = device.queue(), list[Progress]()
    report = device.sync(told.append, policy=SMALL)
    assert report.complete
    assert {one.changes_total for one in told} == {35}
    assert told[0].bytes_total == sum(entry.bytes for entry in waiting)
    done = [
        (one.changes_done, one.bytes_done, one.records_done, one.bytes_up + one.bytes_down) for one in told
    ]
    for before, after in pairwise(done):
        assert all(less <= more for less, more in zip(before, after, strict=True))
    assert all(one.changes_done <= one.changes_total and one.bytes_done <= one.bytes_total for one in told)
    under_way = [one for one in told if 0 < one.records_done < report.received]
    assert under_way
    assert all(one.records_total > one.records_done for one in under_way)
    assert {one.waiting_for for one in told if one.phase == "wait"} == {"cut"}
    last = told[-1]
    assert (last.phase, last.changes_done, last.records_done) == ("done", 35, last.records_total)
    assert last.bytes_done == last.bytes_total


def test_row_19_each_problem_names_its_record_and_the_next_step(village: Village) -> None:
    """Differing values, a change in quarantine, a record sent back: three problems, three records, three steps."""
    device, other = village.device("王芳"), village.device("李强")
    differs, gone, back = (reported(device, title=title, households=1) for title in ("a", "b", "c"))
    settled(village, device, other)
    seen = device.get(differs.id)
    other.update(other.get(differs.id), households=2)
    other.sync()
    device.update(seen, households=3)
    device.update(device.get(gone.id), title="b, edited")
    village.by_clerk(gone.id, place=NEXT_GRID)
    village.by_clerk(back.id, act=RETURN, reason="请补充户数")
    device.sync()
    problems = {problem.record.id: problem for problem in device.problems()}
    assert {record: problem.what for record, problem in problems.items()} == {
        differs.id: "differs",
        gone.id: "quarantined",
        back.id: "returned",
    }
    assert all(problem.next_zh and problem.next_en for problem in problems.values())
    assert problems[back.id].reason == "请补充户数"
    assert problems[gone.id].code == "not_in_scope"
    assert problems[differs.id].values["households"].own == 3
