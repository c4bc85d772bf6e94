"""Bad input among good (failures, row 4), on both databases: each gets its code, nothing of the rest is touched."""

from typing import Any

import msgspec
import pytest

from sync_protocol.changes import Act, encode
from sync_protocol.codes import CODES
from sync_protocol.messages import Verdict
from tests.protocol.desk import add, drop, entry, increment, put
from tests.protocol.hostile import HOSTILE, SECRET
from tests.sync.device import Device, enrolled
from tests.sync.town import START_MS, a_town, served


async def good_among(device: Device, *bad: bytes) -> dict[str, Verdict]:
    """Sends bad elements between good changes until the queue is empty; the last verdict of each."""
    first = device.create(subject="first")
    device.queue += bad
    device.edit(first.record, fields={"subject": "last"}, base=0, after=first.id)
    await device.sync_all()
    record = await device.town.record(first.record)
    assert record.values == {"subject": "last"}
    await device.assert_equals_the_server()
    return {change: verdicts[-1] for change, verdicts in device.verdicts.items()}


async def test_row_4_whatever_comes_the_others_are_taken(database_url: str) -> None:
    """All at once; the counters of those that have one are not even in order."""
    async with a_town(database_url) as town:
        device = await enrolled(town, 1)
        counted = [raw.replace(b'"n": 9', b'"n": 0') for raw in HOSTILE.values()]
        found = await good_among(device, *counted)
        stored = await town.changes()
        assert {row.result for row in stored} == {"applied", "quarantined"}
        assert {row.code for row in stored if row.code} <= set(CODES)
        assert all(SECRET.encode() not in bytes(row.verdict) for row in stored)
        quarantined = [verdict for verdict in found.values() if verdict.result == "quarantined"]
        assert all(verdict.code and verdict.n for verdict in quarantined)
        kept = {bytes(row.payload) for row in stored if row.result == "quarantined"}
        lost = [name for name, raw in zip(HOSTILE, counted, strict=True) if raw not in kept]
        assert len(lost) < 5, lost  # readable ones are kept as they were read


async def test_the_same_again_is_a_resend_and_nothing_else(database_url: str) -> None:
    """G3 for what cannot be read: no second row, the same answer."""
    async with a_town(database_url) as town:
        device = await enrolled(town, 1)
        raws = [raw.replace(b'"n": 9', b'"n": 0') for raw in HOSTILE.values()]
        device.queue += raws
        first = await device.ask()
        rows = len(await town.changes())
        again = await device.ask()
        assert len(await town.changes()) == rows
        assert again.unanswered == first.unanswered
        plain = [msgspec.structs.replace(verdict, duplicate=False) for verdict in again.verdicts]
        assert sorted(plain, key=_by_number) == sorted(
            (msgspec.structs.replace(verdict, duplicate=False) for verdict in first.verdicts), key=_by_number
        )


def _by_number(verdict: Verdict) -> int:
    return verdict.n


NONSENSE: dict[str, tuple[dict[str, Any], str]] = {
    "unknown kind": ({"kind": "no_such"}, "unknown_kind"),
    "unknown version": ({"version": 99}, "unknown_version"),
    "version nought": ({"version": 0}, "unreadable"),
    "unknown field": ({"fields": {"colour": SECRET}}, "unknown_field"),
    "wrong type": ({"fields": {"heads": SECRET}}, "invalid_field"),
    "a list for a value": ({"fields": {"subject": [SECRET]}}, "invalid_field"),
    "no object": ({"fields": SECRET}, "invalid_field"),
    "true for a number": ({"fields": {"heads": True}}, "invalid_field"),
    "a fraction for an integer": ({"fields": {"heads": 1.5}}, "invalid_field"),
    "past 64 bits": ({"fields": {"heads": 2**64}}, "invalid_field"),
    "far past 64 bits": ({"fields": {"heads": 10**400}}, "invalid_field"),
    "past what is exact": ({"fields": {"peak": 2**53 + 1}}, "invalid_field"),
    "too long": ({"fields": {"subject": "路" * 201}}, "too_long"),
    "a NUL": ({"fields": {"subject": "a\0b"}}, "invalid_field"),
    "year 0": ({"fields": {"last_seen": "0000-01-01T00:00:00Z"}}, "invalid_field"),
    "year 9999": ({"fields": {"last_seen": "9999-12-31T23:59:59Z"}}, "invalid_field"),
    "a moment without a zone": ({"fields": {"last_seen": "2026-11-21T00:00:00"}}, "invalid_field"),
    "no such code": ({"ops": [add(SECRET)]}, "invalid_field"),
    "a set as a value": ({"fields": {"tags": ["a"]}}, "invalid_field"),
    "entries as a value": ({"fields": {"steps": {}}}, "invalid_field"),
    "an operation of another rule": (
        {"ops": [msgspec.structs.replace(add("a"), field="subject")]},
        "invalid_field",
    ),
    "an operation on no field": ({"ops": [msgspec.structs.replace(add("a"), field=SECRET)]}, "unknown_field"),
    "an entry that is no uuid": ({"ops": [msgspec.structs.replace(put(1), entry=SECRET)]}, "invalid_field"),
    "an entry of nonsense": (
        {"ops": [msgspec.structs.replace(put(1), values=msgspec.Raw(b"7"))]},
        "invalid_field",
    ),
    "an unknown sub-field": ({"ops": [put(1, colour=SECRET)]}, "unknown_field"),
    "too many entries": ({"ops": [put(number) for number in range(501)]}, "too_many_entries"),
    "an increment out of all bounds": ({"ops": [increment(2**60)]}, "invalid_field"),
    "a fraction for a sum": (
        {"ops": [msgspec.structs.replace(increment(1), by=0.5)]},
        "invalid_field",
    ),
    "a step that is not declared": ({"act": Act(SECRET, "fresh", "reported")}, "not_permitted"),
    "a step of the office": ({"act": Act("accept", "reported", "accepted")}, "not_permitted"),
    "a move": ({"place": "321283999201001"}, "not_permitted"),
    "a decision": ({"decides": "01900000-0000-7000-8000-000000000001"}, "not_permitted"),
    "a second create": ({"do": "create", "place": "here", "fields": {}}, "record_exists"),
    "another kind": ({"kind": "note", "fields": {"text": "x"}}, "invalid_field"),
}


async def test_a_change_that_cannot_be_applied_waits_with_its_code(database_url: str) -> None:
    """One township a case, in one database."""
    async with served(database_url) as server:
        for name, (said, code) in NONSENSE.items():
            town = await server.open()
            device = await enrolled(town, server.towns)
            made = device.create(subject="old")
            await device.sync_all()
            values: dict[str, Any] = {"do": "edit", "fields": {}, **said}
            if values.get("place") == "here":
                values["place"] = device.grids[0]
            bad = device.edit(made.record, *values.pop("ops", ()), **values)
            device.edit(made.record, fields={"heads": 3})
            await device.sync_all()
            [verdict] = device.verdicts[bad.id]
            assert (name, verdict.result, verdict.code) == (name, "quarantined", code)
            assert SECRET not in (verdict.reason or ""), name
            assert (await town.record(made.record)).values == {"subject": "old", "heads": 3}, name
            assert bytes((await town.changes())[1].payload) == encode(bad), name


@pytest.mark.parametrize("at", [2**53 - 60_000, 60_000 - 2**53, 0, 253_402_300_800_000, -62_167_219_200_000])
async def test_row_10_no_clock_blocks_a_sync(at: int, database_url: str) -> None:
    """From before the year 0 to past the year 9999; what the clock said is kept beside what was made of it."""
    async with a_town(database_url) as town:
        device = await enrolled(town, 1, ahead_ms=at - START_MS)
        made = device.create(subject="x")
        await device.sync_all()
        town.server.now += 60_000
        device.edit(made.record, fields={"subject": "y"}, mark=2**53)
        await device.sync_all()
        [first, second] = await town.changes()
        assert (first.at_ms, first.offset_ms, first.stamp_ms) == (at, START_MS - at, START_MS)
        assert (first.received_ms, second.received_ms) == (START_MS, START_MS + 60_000)
        assert first.stamp_ms < second.stamp_ms <= second.received_ms
        assert 0 <= second.uncertainty_ms <= 60_000


@pytest.mark.parametrize("other", ["other values", "nonsense", "not readable"])
@pytest.mark.parametrize("same_device", [True, False])
async def test_a_change_id_with_other_content_waits_and_leaves_the_first(
    other: str,
    same_device: bool,  # noqa: FBT001 (pytest names it)
    database_url: str,
) -> None:
    async with a_town(database_url) as town:
        device, stranger = await enrolled(town, 1), await enrolled(town, 2)
        made = device.create(subject="first")
        await device.sync_all()
        sender = device if same_device else stranger
        sender.counter += 1
        fields = {
            "other values": b'{"subject":"other"}',
            "nonsense": b'{"subject":"\xff\xfe"}',
            "not readable": b'{"subject":"\\ud800"}',
        }[other]
        again = msgspec.structs.replace(made, n=sender.counter, fields=msgspec.Raw(fields))
        sender.queue.append(encode(again))
        last = sender.create(subject="after it")
        await sender.sync_all()
        verdict = sender.verdicts[made.id][-1]
        assert (verdict.result, verdict.duplicate) == ("quarantined", False)
        assert verdict.code in {"change_id_reused", "unreadable"}
        assert (await town.record(made.record)).values == {"subject": "first"}
        assert (await town.record(last.record)).values == {"subject": "after it"}


async def test_a_clones_other_content_under_one_id_is_no_predecessor(database_url: str) -> None:
    """What a later change was made on is the change that was accepted under that id."""
    async with a_town(database_url) as town:
        device, other = await enrolled(town, 1), await enrolled(town, 2)
        made = device.create(heads=0)
        await device.sync_all()
        await other.sync_all()
        first = device.edit(made.record, fields={"heads": 1})
        await device.sync()
        device.counter += 1
        again = msgspec.structs.replace(first, n=device.counter, fields=msgspec.Raw(b'{"heads":5}'))
        device.queue.append(again)
        await device.sync()
        await town.edit(made.record, fields={"heads": 5})
        device.edit(made.record, fields={"heads": 2}, base=first.base, on={"heads": first.id})
        answer = await device.sync()
        assert [verdict.result for verdict in answer.verdicts] == ["conflict"]
        assert (await town.record(made.record)).values["heads"] == 5


async def test_an_altered_or_foreign_cursor_reads_from_the_beginning(database_url: str) -> None:
    async with a_town(database_url) as town:
        device, other = await enrolled(town, 1), await enrolled(town, 2)
        device.create(subject="x")
        await device.sync_all()
        await other.sync_all()
        for cursor in (other.cursor, "", "x" * 5_000, (device.cursor or "")[:-2], "\ud7ff", "é"):
            answer = await device.sync(cursor=cursor)
            assert answer.cursor_refused == "cursor_invalid"
            assert answer.page is not None
            assert answer.page.restart == device.grids
            await device.assert_equals_the_server()


async def test_an_old_serial_gets_verdicts_and_no_page(database_url: str) -> None:
    """It may be a replayed request: what is known is answered for, nothing new is taken, nothing is read."""
    async with a_town(database_url) as town:
        device = await enrolled(town, 1)
        made = device.create(subject="x")
        await device.sync_all()
        device.queue.append(made)
        new = device.create(subject="y")
        answer = await device.ask(serial=1)
        assert [(verdict.id, verdict.duplicate) for verdict in answer.verdicts] == [(made.id, True)]
        assert (answer.page, answer.profile, answer.serial) == (None, None, device.serial - 1)
        assert [row.change_id for row in await town.changes()] == [made.id]
        await device.sync_all()
        assert device.verdicts[new.id][0].result == "applied"


async def _probe(device: Device, record: str) -> list[tuple[str, str | None, str | None, str | None]]:
    """What a device is told that edits a record twice."""
    said = []
    for _ in range(2):
        change = device.edit(record, put(1, words="x"), drop(2), fields={"subject": "probe"}, base=2**50)
        answer = await device.sync()
        said += [(v.result, v.code, v.field, v.reason) for v in answer.verdicts if v.id == change.id]
        assert answer.page is not None
        assert (answer.page.records, answer.page.exits) == ([], [])
    return said


async def test_row_31_unknown_and_out_of_scope_get_one_identical_answer(database_url: str) -> None:
    """A bare code, the first time and every other time, whatever became of the record (G5)."""
    async with a_town(database_url) as town:
        device = await enrolled(town, 1, town.grids[0])
        await device.sync_all()
        fields = {"subject": SECRET, "steps": {entry(1): {"words": SECRET}}}
        elsewhere, closed, deleted, village = (town.fresh_id() for _ in range(4))
        for record in (elsewhere, closed, deleted):
            await town.office(town.change(record, do="create", place=town.grids[1], fields=fields))
        await town.office(town.change(village, do="create", place=town.grids[1][:12], fields=fields))
        await town.step(closed, "report", "reported")
        await town.step(closed, "finish", "finished")
        await town.edit(deleted, do="delete")
        bare = [("quarantined", "not_in_scope", None, None)] * 2
        for record in (town.fresh_id(), elsewhere, closed, deleted, village):
            assert await _probe(device, record) == bare
        [other] = await town.office(
            town.change(town.fresh_id(), do="create", place=town.grids[1], kind="no_such")
        )
        assert other.result == "quarantined"
        waiting = (await town.changes())[-1].record_id
        assert await _probe(device, str(waiting)) == bare
