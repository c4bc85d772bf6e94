"""What has been kept long enough goes: off devices, then for good; and old devices do not bring it back."""

import asyncio
from functools import partial

import pytest

from server.audit.acts import SERVICE
from server.directory.working import required
from server.privacy import retention, sweeping
from server.privacy.retention import DAY_MS, Swept
from server.refused import RefusedError
from server.storage.engine import snapshot
from server.storage.retention import RuleRow
from sync_protocol.changes import Act
from tests.e2e.village import GRID, TOWN, Village, assert_converged, holds, settled
from tests.privacy.desk import WORDS, Desk, matter, on_device

CLOSING = (Act("settle", "reported", "settled"), Act("close", "settled", "closed"))


def sweep(village: Village, *, dry_run: bool = False) -> dict[str, tuple[int, int]]:
    """Kind to how many left devices and how many were erased."""
    services = village.services
    done = village.run(
        retention.sweep(
            services.engine, TOWN, services.registry.current(), village.now_ms, by=SERVICE, dry_run=dry_run
        )
    )
    return {one.kind: (one.left_devices, one.erased) for one in done}


def later(village: Village, days: int) -> None:
    village.now_ms += days * DAY_MS


def test_row_13_what_is_over_goes_in_time_and_old_devices_do_not_bring_it_back(
    village: Village, desk: Desk
) -> None:
    wang, li = village.device("王芳"), village.device("李强")
    note = wang.create("visit", purpose="screening", note=WORDS)
    settled(village, wang, li)
    li.update(li.get(note.id), note=f"{WORDS}，二访。")  # and then this device is away for years
    later(village, 1_094)
    assert sweep(village) == {"visit": (1, 0)}
    later(village, 2)
    assert sweep(village, dry_run=True) == {"visit": (0, 1)}
    assert desk.tables_with() != set(), "a dry run only counts"
    assert sweep(village) == {"visit": (0, 1)}
    assert sweep(village) == {}
    assert desk.tables_with() == set()
    report = li.sync()
    assert (report.erased, report.complete) == (1, True)
    settled(village, wang, li)
    assert not on_device(wang)
    assert not on_device(li)
    assert desk.tables_with() == set()
    assert village.state(note.id).erased


def test_an_open_matter_is_never_over(village: Village) -> None:
    wang = village.device("王芳")
    open_, closed = matter(wang), matter(wang)
    settled(village, wang)
    for act in CLOSING:
        assert village.by_clerk(closed.id, act=act, reason="当场办结").result == "applied"
    later(village, 4_000)
    assert sweep(village) == {"matter": (0, 1)}
    assert (village.state(open_.id).erased, village.state(closed.id).erased) == (False, True)
    settled(village, wang)
    assert set(holds(wang)) == {open_.id}


def test_records_of_kinds_without_workflow_leave_devices_after_their_days(village: Village) -> None:
    wang = village.device("王芳")
    old = wang.create("visit", purpose="screening", note="旧")
    settled(village, wang)
    later(village, 25)
    village.by_clerk(old.id, fields={"note": "改"})
    fresh = wang.create("visit", purpose="screening", note="新")
    settled(village, wang)
    later(village, 10)
    assert sweep(village) == {}, "whoever was written ten days ago is not old"
    later(village, 19)
    village.by_clerk(fresh.id, fields={"note": "又改"})
    later(village, 2)
    assert sweep(village) == {"visit": (1, 0)}
    settled(village, wang)
    assert set(holds(wang)) == {fresh.id}
    assert_converged(village, wang, GRID)
    assert [one.what for one in wang.news()] == [], "that its days were over is no news"
    assert village.office("GET", f"/v1/records/{old.id}")["fields"]["note"] == "改"


def test_a_legal_hold_keeps_it(village: Village, desk: Desk) -> None:
    wang = village.device("王芳")
    held, goes = (wang.create("visit", purpose="screening", note=WORDS) for _ in range(2))
    settled(village, wang)
    desk.hold(held.id)
    later(village, 2_000)
    assert sweep(village) == {"visit": (1, 1)}
    assert (village.state(held.id).erased, village.state(goes.id).erased) == (False, True)
    desk.lift(held.id)
    assert sweep(village) == {"visit": (0, 1)}
    assert desk.tables_with() == set()


def test_a_township_may_keep_it_longer_shorter_or_for_good(village: Village) -> None:
    wang = village.device("王芳")
    wang.create("visit", purpose="screening", note="x")
    settled(village, wang)
    later(village, 1_500)
    engine = village.services.engine

    def rule(days: int | None) -> None:
        row = RuleRow("visit", days, "县档案局3号文", "operator", village.now_ms)
        village.run(retention.set_length(engine, TOWN, row))

    for days in (None, 1_501):
        rule(days)
        assert sweep(village, dry_run=True) == {"visit": (1, 0)}
    rule(100)
    assert sweep(village, dry_run=True) == {"visit": (1, 1)}
    kinds = village.services.registry.current()
    length = {one.kind: one for one in village.run(retention.lengths_of(engine, TOWN, kinds))}
    assert (length["visit"].on_server, length["visit"].source) == (100, "set")
    assert (length["matter"].on_server, length["matter"].source) == (3_650, "declared")
    assert village.run(retention.unset_length(engine, TOWN, "visit", village.now_ms))
    assert not village.run(retention.unset_length(engine, TOWN, "visit", village.now_ms))
    assert sweep(village, dry_run=True) == {"visit": (1, 1)}, "1,095 days, as declared"
    with pytest.raises(RefusedError):
        rule(0)


def test_several_processes_do_it_once(village: Village, desk: Desk) -> None:
    wang = village.device("王芳")
    for _ in range(45):
        wang.create("visit", purpose="screening", note=WORDS)
    settled(village, wang)
    later(village, 2_000)

    async def together() -> list[list[Swept]]:
        return await asyncio.gather(*(sweeping.look(village.services, 60) for _ in range(3)))

    done = [one for each in village.run(together()) for one in each]
    assert [(one.kind, one.left_devices, one.erased) for one in done] == [("visit", 0, 45)]
    assert len(village.rows("erasures")["erasures"]) == 45
    assert village.run(sweeping.look(village.services, 60)) == [], "it is not looked through again so soon"
    assert desk.tables_with() == set()
    township = village.run(snapshot(village.services.engine, partial(required, township=TOWN)))
    assert township.counter == max(row[2] for row in village.rows("receipts")["receipts"])
    settled(village, wang)
    assert not on_device(wang)


def test_whoever_writes_meanwhile_keeps_the_record(village: Village) -> None:
    """Found before the lock, looked at again behind it."""
    wang = village.device("王芳")
    made = wang.create("visit", purpose="screening", note="x")
    settled(village, wang)
    later(village, 2_000)
    kinds = village.services.registry.current()

    before = village.state(made.id).version

    async def written_meanwhile(township: str, work: object) -> int:
        await asyncio.to_thread(_edit_elsewhere, village, made.id)
        return await village.services.write(township, work)  # type: ignore[arg-type]

    village.run(
        retention.sweep(village.services.engine, TOWN, kinds, village.now_ms, write=written_meanwhile)
    )
    assert village.state(made.id).version > before
    assert not village.state(made.id).erased


def _edit_elsewhere(village: Village, record: str) -> None:
    village.by_clerk(record, fields={"note": "刚改"})


def test_what_was_removed_is_told_and_that_is_written_down(village: Village, desk: Desk) -> None:
    wang = village.device("王芳")
    made = [wang.create("visit", purpose="screening", note=WORDS) for _ in range(2)]
    settled(village, wang)
    desk.erase(made[0].id)
    later(village, 2_000)
    sweep(village)
    found = village.run(retention.report(village.services.engine, TOWN, 0, village.now_ms))
    assert [(one.kind, one.cause, one.records) for one in found] == [
        ("visit", "asked", 1),
        ("visit", "retention", 1),
    ]
    rows = sorted(row for row in village.rows("audit_entries")["audit_entries"] if row[0] == TOWN)
    assert [row[3] for row in rows][-3:] == ["record_erased", "retention_done", "retention_told"]
