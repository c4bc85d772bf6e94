"""What leaves a device, what never reaches one, and what becomes of edits made before it was known (G5)."""

from typing import Any

import msgspec
import pytest

from sync_protocol.changes import Act
from sync_protocol.messages import Page, Verdict
from tests.server.office_server import GRID, NEXT_GRID, VILLAGE, OfficeServer
from tests.sync.phone import Phone, office, phone, scope, stored

FAR = f"{VILLAGE}003"


async def shared(server: OfficeServer, *phones: Phone) -> tuple[str, int]:
    """A matter that every phone has read, and its version."""
    made = phones[0].matter(fields={"narrative": "原来的。"})
    await phones[0].send(made)
    for one in phones:
        await one.read()
    return made.record, (await server.state(made.record)).version


async def only(one: Phone, **more: Any) -> Page:
    (page,) = await one.read(**more)
    return page


async def test_row_7_a_record_that_is_moved_leaves_and_reaches_its_new_grid(
    server: OfficeServer, wang: Phone
) -> None:
    far = await phone(server, "赵六", FAR)
    record, _ = await shared(server, wang, far)
    moved = await office(server, record, place=FAR)
    left = await only(wang)
    assert [(e.id, e.n, e.why, e.state) for e in left.exits] == [(record, moved.n, "moved", None)]
    assert (left.records, left.digests[GRID].count) == ([], 0)
    came = await only(far)
    assert [(row.id, row.whole, row.place) for row in came.records] == [(record, True, FAR)]
    assert came.digests[FAR].count == 1


async def test_row_7_an_edit_made_before_the_move_was_known_waits_for_the_office(
    server: OfficeServer, wang: Phone
) -> None:
    record, base = await shared(server, wang)
    await office(server, record, place=FAR)
    edit = wang.edit(record, base, fields={"title": "漏电"})
    answer = await wang.send(edit)
    assert [(v.result, v.code) for v in answer.verdicts] == [("quarantined", "not_in_scope")]
    assert answer.page is not None
    assert [e.id for e in answer.page.exits] == [record]
    kept = (await stored(server, edit.id))[edit.id]
    assert msgspec.json.decode(kept.payload)["fields"] == {"title": "漏电"}
    assert (await server.state(record)).values["title"] == "路灯不亮"


@pytest.mark.parametrize("why", ["closed", "deleted"])
async def test_row_7_closing_and_deleting_are_exits_too(server: OfficeServer, wang: Phone, why: str) -> None:
    if why == "deleted":
        made = wang.device.create(fields={"title": "草稿"})
        await wang.send(made)
        record = made.record
        await wang.read()
        await office(server, record, do="delete")
    else:
        record, _ = await shared(server, wang)
        await office(server, record, act=Act("void", "reported", "void"), reason="重复")
    page = await only(wang)
    assert [(e.id, e.why) for e in page.exits] == [(record, why)]
    assert page.digests[GRID].count == 0


async def test_a_grid_that_is_taken_away_is_dropped_and_never_sent_again(wang: Phone, li: Phone) -> None:
    await scope(wang, GRID, NEXT_GRID)
    await scope(li, GRID, NEXT_GRID)
    there = li.matter(place=NEXT_GRID)
    await li.send(there)
    assert [row.id for row in (await only(wang)).records] == [there.record]
    await scope(wang, GRID)
    await li.send(li.edit(there.record, 0, after=there.id, fields={"title": "与你无关"}))
    gone = await only(wang)
    assert (gone.drop, gone.records, tuple(gone.digests)) == ((NEXT_GRID,), [], (GRID,))
    assert (await only(wang)).drop == ()
    await scope(wang, GRID, NEXT_GRID)
    back = await only(wang)
    assert (back.restart, back.fresh, [row.whole for row in back.records]) == (
        (NEXT_GRID,),
        (NEXT_GRID,),
        [True],
    )


async def test_a_grid_that_is_asked_for_but_not_owned_is_not_sent(server: OfficeServer, wang: Phone) -> None:
    far = await phone(server, "赵六", FAR)
    await far.send(far.matter(place=FAR))
    page = await only(wang, reread=(FAR,))
    assert (page.records, page.exits, tuple(page.digests)) == ([], [], (GRID,))


async def test_row_31_a_verdict_out_of_scope_is_a_code_and_nothing_else(
    server: OfficeServer, wang: Phone
) -> None:
    """The record lies elsewhere now, was closed, is somebody else's, or never was: one and the same answer."""
    far = await phone(server, "赵六", FAR)
    foreign = far.matter(place=FAR, fields={"title": "独此一句"})
    await far.send(foreign)
    moved, base = await shared(server, wang)
    closed, _ = await shared(server, wang)
    await office(server, moved, place=FAR, fields={"title": "独此一句"})
    await office(server, closed, act=Act("void", "reported", "void"), reason="重复")
    never = server.new_id()
    edits = [
        wang.edit(record, base, fields={"title": "x"}) for record in (moved, closed, foreign.record, never)
    ]
    answer = await wang.send(*edits)
    assert answer.verdicts == [
        Verdict(edit.id, "quarantined", verdict.n, "not_in_scope")
        for edit, verdict in zip(edits, answer.verdicts, strict=True)
    ]
    assert "独此一句" not in msgspec.json.encode(answer).decode()
    assert answer.page is not None
    assert {e.id: (e.state is None, e.number is None) for e in answer.page.exits} == {
        moved: (True, True),
        closed: (False, False),
    }


async def test_a_new_record_out_of_scope_waits_for_the_office(server: OfficeServer, wang: Phone) -> None:
    made = wang.matter(place=FAR)
    (verdict,) = (await wang.send(made)).verdicts
    assert verdict == Verdict(made.id, "quarantined", verdict.n, "not_in_scope")
    assert made.id in await stored(server, made.id)


async def test_a_revoked_device_hands_in_and_reads_nothing(
    server: OfficeServer, wang: Phone, li: Phone
) -> None:
    """Failures, row 8."""
    from server.devices.service import revoke

    await li.send(li.matter(fields={"title": "与你无关"}))
    await revoke(server.services.engine, wang.device.id, now_ms=server.now_ms)
    made = wang.matter()
    answer = await wang.send(made)
    assert (answer.revoked, answer.page, answer.profile) == (True, None, None)
    assert [(v.result, v.code) for v in answer.verdicts] == [("quarantined", "revoked_device")]
    assert made.id in await stored(server, made.id)
