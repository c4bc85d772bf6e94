"""What is acknowledged is stored with its effect, found by its id, and counted once (G1, G3, G6)."""

import asyncio
from typing import Any

import msgspec
import pytest
from sqlalchemy import event

from server.storage import changes
from sync_protocol.changes import Put
from tests.server.office_server import TOWN, OfficeServer
from tests.sync.phone import Phone, stored

NO_CHOICE = {"category": "no such"}


async def test_every_acknowledged_change_is_found_by_its_id(
    server: OfficeServer, wang: Phone, li: Phone
) -> None:
    """G1: applied, merged, displaced, in conflict, in quarantine: each with its verdict and what it said."""
    made = wang.matter(fields={"people_involved": 3})
    (first,) = (await wang.send(made)).verdicts
    base = (await server.state(made.record)).version
    theirs = li.edit(made.record, base, fields={"people_involved": 5, "title": "东头"})
    ours = wang.edit(made.record, base, fields={"people_involved": 7, "title": "西头"})
    beside = wang.edit(made.record, base, fields={"source": "no such"})
    unknown = wang.device.create(kind="no_such_kind", fields={"a": 1})
    foreign = wang.edit(server.new_id(), base, fields={"title": "x"})
    verdicts = [
        first,
        *(await li.send(theirs)).verdicts,
        *(await wang.send(ours, beside, unknown, foreign)).verdicts,
    ]
    assert [(v.result, v.code) for v in verdicts] == [
        ("applied", None),
        ("applied", None),
        ("conflict", None),
        ("quarantined", "invalid_field"),
        ("quarantined", "unknown_kind"),
        ("quarantined", "not_in_scope"),
    ]
    sent = [made, theirs, ours, beside, unknown, foreign]
    found = await stored(server, *(change.id for change in sent))
    for change, verdict in zip(sent, verdicts, strict=True):
        kept = found[change.id]
        assert (kept.n, kept.result, kept.code) == (verdict.n, verdict.result, verdict.code)
        said = msgspec.json.decode(kept.payload)
        assert said["record"] == change.record
        assert said.get("fields", {}) == msgspec.json.decode(change.fields)
    again = [
        *(await li.send(theirs)).verdicts,
        *(await wang.send(made, ours, beside, unknown, foreign)).verdicts,
    ]
    assert sorted(again, key=lambda v: v.n) == [msgspec.structs.replace(v, duplicate=True) for v in verdicts]


async def test_row_2_a_change_sent_again_has_one_effect_and_its_first_verdict(
    server: OfficeServer, wang: Phone
) -> None:
    """G3: the answer was lost; the same request comes again, as it was and in another epoch's order."""
    made = wang.matter()
    entry = Put("measures", server.new_id(), msgspec.Raw(b'{"text":"\xe6\x8d\xa2\xe7\x81\xaf"}'))
    edit = wang.edit(made.record, 0, after=made.id, ops=(entry,))
    bad = wang.edit(made.record, 0, after=made.id, fields=NO_CHOICE)
    first = (await wang.send(made, edit, bad)).verdicts
    before = await server.state(made.record)
    again = (await wang.send(made, edit, bad)).verdicts
    wang.epoch = server.new_id()
    shuffled = [msgspec.structs.replace(change, n=n) for n, change in enumerate((bad, edit, made), 1)]
    third = (await wang.send(*shuffled)).verdicts
    assert again == [msgspec.structs.replace(verdict, duplicate=True) for verdict in first]
    assert sorted(third, key=lambda v: v.n) == again
    after = await server.state(made.record)
    assert (after.version, after.values, after.number) == (before.version, before.values, before.number)


async def test_a_change_twice_in_one_request_counts_once(server: OfficeServer, wang: Phone) -> None:
    made = wang.matter()
    one, other = (await wang.send(made, made)).verdicts
    assert (one.result, one.duplicate, other.duplicate, one.n) == ("applied", False, True, other.n)
    assert (await server.state(made.record)).number == f"{TOWN}-2025-00001"


async def test_row_3_what_comes_before_its_predecessor_is_asked_for_from_there(
    server: OfficeServer, wang: Phone
) -> None:
    """An edit whose create was lost on the way, and the second of two edits: nothing is taken, nothing skipped."""
    made = wang.matter()
    first = wang.edit(made.record, 0, after=made.id, fields={"title": "一"})
    second = wang.edit(made.record, 0, after=made.id, on={"title": first.id}, fields={"title": "二"})
    early = await wang.send(first, second, lowest=1)
    assert (early.send_from, early.verdicts) == (1, [])
    assert await stored(server, first.id, second.id) == {}
    holed = await wang.send(made, second, lowest=1)
    assert (holed.send_from, [v.id for v in holed.verdicts]) == (2, [made.id])
    rest = await wang.send(first, second, lowest=2)
    assert [v.result for v in rest.verdicts] == ["applied", "applied"]
    assert (await server.state(made.record)).values["title"] == "二"


async def test_row_3_a_gap_that_the_device_cannot_fill_is_released(server: OfficeServer, wang: Phone) -> None:
    wang.matter()  # lost with the device's old store
    kept = wang.matter()
    answer = await wang.send(kept, lowest=2)
    assert (answer.send_from, [v.result for v in answer.verdicts]) == (None, ["applied"])
    assert kept.record in [row.id for row in (answer.page.records if answer.page is not None else [])]
    assert (await server.state(kept.record)).number == f"{TOWN}-2025-00001"


async def test_row_4_one_bad_change_blocks_nothing(server: OfficeServer, wang: Phone) -> None:
    """G6: before it and after it, in the same record and in others, everything is taken."""
    one, two = wang.matter(), wang.matter()
    bad = wang.edit(one.record, 0, after=one.id, fields=NO_CHOICE)
    good = wang.edit(one.record, 0, after=one.id, fields={"title": "好"})
    answer = await wang.send(one, two, bad, good)
    assert [v.result for v in answer.verdicts] == ["applied", "applied", "quarantined", "applied"]
    assert (answer.verdicts[2].code, answer.verdicts[2].field) == ("invalid_field", "category")
    assert (await server.state(one.record)).values["title"] == "好"


async def test_row_12_a_copy_that_counts_on_is_told_to_fork_and_loses_nothing(
    server: OfficeServer, wang: Phone
) -> None:
    """Two copies of one store count on from the same number."""
    made = wang.matter()
    await wang.send(made)
    n = wang.device.n
    mine = wang.edit(made.record, 0, after=made.id, fields={"title": "原机"})
    wang.device.n = n
    theirs = wang.edit(made.record, 0, after=made.id, fields={"place_description": "副本"})
    await wang.send(mine)
    told = await wang.send(theirs)
    assert (told.fork, told.verdicts) == (True, [])
    wang.epoch = server.new_id()
    forked = await wang.send(msgspec.structs.replace(theirs, n=1))
    assert [v.result for v in forked.verdicts] == ["applied"]
    values = (await server.state(made.record)).values
    assert (values["title"], values["place_description"]) == ("原机", "副本")


async def test_row_27_a_verdict_is_told_after_its_commit(server: OfficeServer, wang: Phone) -> None:
    """The commit fails: the request fails, and nothing of it is there."""
    made = wang.matter()
    engine = server.services.engine.sync_engine

    def refuse(_: object) -> None:
        event.remove(engine, "commit", refuse)  # once: what is read afterwards ends in a commit too
        message = "the disk is full"
        raise RuntimeError(message)

    event.listen(engine, "commit", refuse)
    with pytest.raises(RuntimeError, match="the disk is full"):
        await wang.send(made)
    assert await stored(server, made.id) == {}
    (verdict,) = (await wang.send(made)).verdicts
    assert (verdict.result, verdict.duplicate) == ("applied", False)


async def test_row_27_verdict_effect_and_number_are_one_transaction(
    wang: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row 22 as well: whatever step of the writing fails, all is undone, the register of numbers too."""
    made = wang.matter()

    async def broken(*_: object) -> None:
        message = "the server was killed"
        raise RuntimeError(message)

    writers = [("records", "write"), ("changes", "append"), ("conflicts", "write"), ("townships", "bump")]
    for module, name in writers:
        with monkeypatch.context() as patch:
            patch.setattr(f"server.sync.writing.{module}.{name}", broken)
            with pytest.raises(RuntimeError, match="killed"):
                await wang.send(made)
    (verdict,) = (await wang.send(made)).verdicts
    assert (verdict.result, verdict.duplicate, verdict.number) == ("applied", False, f"{TOWN}-2025-00001")


async def test_row_22_numbers_are_given_on_arrival_without_gaps(wang: Phone, li: Phone) -> None:
    """A refused matter, a draft and a resend use none up; no device has a pool that could run out."""
    ours = [
        wang.matter(),
        wang.device.create(fields={"title": "草稿"}),
        wang.matter(fields=NO_CHOICE),
        wang.matter(),
    ]
    theirs = [li.matter(), li.matter()]
    numbers = [v.number for v in (await wang.send(*ours)).verdicts]
    numbers += [v.number for v in (await li.send(*theirs)).verdicts]
    numbers += [v.number for v in (await wang.send(*ours)).verdicts]
    assert [n and int(n[-5:]) for n in numbers] == [1, None, None, 2, 3, 4, 1, None, None, 2]


async def test_row_1_a_reader_misses_nothing_of_many_slow_writers(
    server: OfficeServer, wang: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever commits late has the higher number, so no reader's position runs ahead of a commit."""
    writers = [Phone(server, await server.device(f"写{n}")) for n in range(4)]
    append, calls = changes.append, iter(range(10_000))

    async def slow(*given: Any) -> None:
        await asyncio.sleep(0.002 * (next(calls) % 4))  # between taking the numbers and the commit
        await append(*given)

    monkeypatch.setattr("server.sync.writing.changes.append", slow)
    written: set[str] = set()
    seen: dict[str, int] = {}

    async def write(one: Phone) -> None:
        for _ in range(6):
            made = one.matter()
            (verdict,) = (await one.send(made)).verdicts
            assert verdict.result == "applied"
            written.add(made.record)

    async def read(until: list[asyncio.Task[Any]]) -> None:
        while not all(task.done() for task in until):
            for page in await wang.read():
                seen.update({row.id: row.n for row in page.records})
        for page in await wang.read():
            seen.update({row.id: row.n for row in page.records})

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(write(one)) for one in writers]
        group.create_task(read(tasks))
    assert seen.keys() == written
    assert len(set(seen.values())) == len(written) == 24
