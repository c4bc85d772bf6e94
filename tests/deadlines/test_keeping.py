"""The pass: whatever happens to a matter, its deadlines are right afterwards, and each thing is told once."""

import asyncio
from collections import Counter

import msgspec
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.deadlines import installing, keeping
from server.deadlines.keeping import GRACE_MS, keep
from server.deadlines.shipped import shipped_rules
from server.kinds.registry import Registry
from server.reach import Reach
from server.reckoning.rules import Length, RuleSet
from server.services import Services
from server.storage import deadline_entries, deadline_passes, deadlines, following, townships
from server.storage.deadline_entries import Entry
from server.storage.deadlines import Event
from server.storage.engine import open_engine, snapshot, transact
from server.storage.townships import Township
from sync_protocol.limits import DEFAULTS
from tests.deadlines.desk import DAY_MS, HOUR_MS, Desk, at, desk_of
from tests.server.office_server import TOWN, office_server

START = at("2026-03-02 10:00")


async def test_what_happens_to_a_matter_moves_its_deadlines(database_url: str) -> None:
    async with desk_of(database_url) as desk:
        desk.move_to(START)
        record = await desk.report(source="walk_in")
        await desk.keep()
        there = await desk.deadlines(record)
        assert {rule: row.status for rule, row in there.items()} == dict.fromkeys(
            ("owner_by_night", "resolve", "statutory_reply"), "running"
        )
        assert there["owner_by_night"].due_ms == at("2026-03-03 00:00")
        assert there["resolve"].due_ms == START + 30 * DAY_MS
        desk.move_to(START + HOUR_MS)
        await desk.push(desk.edit(record, urgency="same_day", level="village"))
        await desk.push(desk.step(record, "accept"), desk.step(record, "assign"))
        await desk.keep()
        there = await desk.deadlines(record)
        assert {rule for rule, row in there.items() if row.status == "running"} == {
            "same_day", "small_within_a_day", "feedback", "resolve", "statutory_resolve",
        }  # fmt: skip
        assert there["small_within_a_day"].due_ms == START + HOUR_MS + DAY_MS
        assert there["feedback"].due_ms == at("2026-03-05 11:00")
        await desk.push(desk.edit(record, urgency=None))
        await desk.push(desk.step(record, "handle assigned"), desk.step(record, "resolve"))
        await desk.keep()
        there = await desk.deadlines(record)
        assert there["same_day"].status == "dropped"
        assert {row.status for rule, row in there.items() if rule != "same_day"} == {"met"}


async def test_no_owner_by_night_and_no_feedback_are_told(database_url: str) -> None:
    async with desk_of(database_url) as desk:
        desk.move_to(START)
        await desk.keep()
        lost, silent = await desk.report(), await desk.report()
        await desk.push(desk.step(silent, "accept"), desk.step(silent, "assign"))
        await desk.keep_at(START + 4 * DAY_MS)
        assert await desk.told(lost) == [
            ("owner_by_night", "warning", at("2026-03-02 20:00")),
            ("owner_by_night", "escalation", at("2026-03-03 00:00")),
        ]
        assert await desk.told(silent) == [
            ("feedback", "warning", at("2026-03-04 10:00")),
            ("feedback", "escalation", at("2026-03-05 10:00")),
        ]
        event = (await desk.events(silent))[-1]
        assert (event.role, event.measures) == ("leader", "circulate supervise")


async def test_a_change_that_is_still_on_its_way_counts(database_url: str) -> None:
    """Received before the date, committed after somebody has looked: the date was kept, and nothing is told."""
    async with desk_of(database_url) as desk:
        desk.move_to(START)
        await desk.keep()
        record = await desk.report()
        due = at("2026-03-03 00:00")
        await desk.keep_at(due - HOUR_MS)
        desk.move_to(due + GRACE_MS - 1)
        await desk.keep()
        desk.move_to(due - 1)
        await desk.push(desk.step(record, "accept"), desk.step(record, "handle"))
        await desk.keep_at(due)
        assert [(rule, sort) for rule, sort, _ in await desk.told(record)] == [("owner_by_night", "warning")]


@pytest.mark.parametrize("looks", [1, 3, 40])
async def test_what_is_told_does_not_depend_on_when_somebody_looks(database_url: str, looks: int) -> None:
    async with desk_of(database_url) as desk:
        desk.move_to(START)
        await desk.keep()
        times = {START + (nth + 1) * 70 * DAY_MS // looks for nth in range(looks)}
        records, days = [], (10, 27, 31, 46, 100)
        for _ in days:
            records.append(await desk.report(source="letter"))
            await desk.push(desk.step(records[-1], "accept"), desk.step(records[-1], "handle"))
        acts = [(START + day * DAY_MS, record) for day, record in zip(days, records, strict=True)]
        for now_ms, what in sorted([*acts, *((ms, "") for ms in times)]):
            desk.move_to(now_ms)
            if what:
                await desk.push(desk.step(what, "resolve"))
            else:
                await desk.keep()
        await desk.keep_at(START + 101 * DAY_MS)
        resolve = [("warning", 25), ("explanation", 30), ("escalation", 45)]
        law = [("warning", 50), ("escalation", 60), ("explanation", 60)]
        for day, record in zip(days, records, strict=True):
            told = [(sort, (ms - START) / DAY_MS) for _, sort, ms in await desk.told(record)]
            assert told == [one for one in [*resolve, *law] if one[1] < day]


async def test_several_processes_tell_each_thing_once(database_url: str) -> None:
    async with desk_of(database_url) as desk:
        desk.move_to(START)
        await desk.keep()
        for _ in range(12):
            await desk.report()
        desk.move_to(START + 50 * DAY_MS)
        engines = [open_engine(database_url, pool_size=2) for _ in range(3)]
        ours = desk.server.services
        others = [
            Services(one, Registry(one, ours.clock), ours.clock, ours.random, DEFAULTS) for one in engines
        ]
        done = await asyncio.gather(*(keep(one, TOWN) for one in others))
        assert sum(one.told for one in done) == 12 * 7
        events = await _events(desk)
        assert [event.n for event in events] == sorted({event.n for event in events})
        assert set(Counter((e.record_id, e.rule, e.sort) for e in events).values()) == {1}
        # After a restart.
        assert await keep(others[0], TOWN) == keeping.Done()
        for one in engines:
            await one.dispose()


async def test_a_restored_server_tells_again_what_was_lost_under_higher_numbers(database_url: str) -> None:
    async with desk_of(database_url) as desk:
        desk.move_to(START)
        record = await desk.report()
        await desk.keep_at(START + DAY_MS)
        before = await _events(desk)

        async def restore(connection: AsyncConnection) -> Township:
            township = await townships.lock(connection, TOWN)
            assert township is not None
            above, now_ms = township.counter, desk.server.now_ms
            return await townships.open_epoch(connection, township, above=above, since_ms=0, now_ms=now_ms)

        opened = await transact(desk.server.services.engine, restore)
        await desk.keep_at(START + 26 * DAY_MS)
        later = (await _events(desk))[len(before) :]
        assert [event.sort for event in later if event.rule == "resolve"] == ["warning"]
        assert all(event.n > opened.counter for event in later)
        await desk.push(desk.step(record, "accept"))
        await desk.keep()
        assert (await desk.deadlines(record))["owner_by_night"].status == "running"


async def test_a_rule_that_changes_is_applied_to_everything_in_small_steps(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "RECORDS_AT_ONCE", 2)
    async with desk_of(database_url) as desk:
        desk.move_to(START)
        await desk.keep()
        records = [await desk.report() for _ in range(5)]
        closed = await desk.report()
        await desk.push(desk.step(closed, "accept"), desk.step(closed, "resolve accepted"))
        await desk.keep_at(START + 26 * DAY_MS)
        shorter = msgspec.structs.replace(shipped_rules().rules["resolve"], length=Length(days=20))
        own = RuleSet({"resolve": shorter}, without=("owner_by_night",))
        engine = desk.server.services.engine
        assert (await installing.install(engine, TOWN, own, desk.server.now_ms)).revision == 1
        assert not (await installing.install(engine, TOWN, own, desk.server.now_ms)).new
        desk.move_to(desk.server.now_ms + HOUR_MS)
        done = await desk.keep()
        assert (done.reckoned, done.more) == (6, False)
        for record in records:
            there = await desk.deadlines(record)
            assert set(there) == {"resolve", "statutory_reply"}
            assert there["resolve"].due_ms == START + 20 * DAY_MS
        # The earlier date has passed: that is told at once, and only what the later date was not told of.
        days = [("explanation", 20), ("warning", 25), ("escalation", 35)]
        for upto, now_ms in ((2, desk.server.now_ms), (3, START + 36 * DAY_MS)):
            await desk.keep_at(now_ms)
            told = [
                (sort, (ms - START) / DAY_MS)
                for rule, sort, ms in await desk.told(records[0])
                if rule == "resolve"
            ]
            assert told == days[:upto]
        assert await desk.told(closed) == []


async def test_rules_of_a_later_release_are_left_alone(database_url: str) -> None:
    async with desk_of(database_url) as desk:
        desk.move_to(START)
        await desk.keep()
        engine = desk.server.services.engine

        async def later(connection: AsyncConnection) -> None:
            standing = await deadline_passes.lock(connection, TOWN)
            newer = msgspec.structs.replace(standing, edition=standing.edition + 1)
            await deadline_passes.move(connection, TOWN, newer)

        await transact(engine, later)
        record = await desk.report()
        assert await desk.keep() == keeping.Done()
        assert await desk.deadlines(record) == {}


async def test_matters_from_before_there_were_rules_are_not_told_of_what_is_over(database_url: str) -> None:
    async with desk_of(database_url) as desk:
        desk.move_to(START)
        open_one, over = await desk.report(source="letter"), await desk.report(source="letter")
        for record in (open_one, over):
            await desk.push(desk.step(record, "accept"), desk.step(record, "handle"))
        desk.move_to(START + 90 * DAY_MS)
        await desk.push(desk.step(over, "resolve"))
        await desk.keep_at(START + 91 * DAY_MS)
        assert await desk.told(over) == []
        # What runs late is told at once, without warnings of dates that have passed.
        assert [(rule, sort) for rule, sort, _ in await desk.told(open_one)] == [
            ("resolve", "explanation"),
            ("resolve", "escalation"),
            ("statutory_resolve", "escalation"),
            ("statutory_resolve", "explanation"),
        ]


async def test_a_working_day_of_a_year_without_a_notice_is_marked(database_url: str) -> None:
    async with desk_of(database_url) as desk:
        desk.move_to(at("2026-12-30 10:00"))
        record = await desk.report()
        await desk.push(desk.step(record, "accept"), desk.step(record, "assign"))
        await desk.keep()
        assert {rule for rule, row in (await desk.deadlines(record)).items() if row.uncertain} == {"feedback"}
        engine = desk.server.services.engine
        year = msgspec.structs.replace(shipped_rules().years["2026"], holidays=())
        await installing.install(engine, TOWN, RuleSet(years={"2027": year}), desk.server.now_ms)
        await desk.keep()
        assert not (await desk.deadlines(record))["feedback"].uncertain


async def test_a_replayed_change_counts_from_when_it_was_taken_in(database_url: str) -> None:
    async with office_server(database_url) as server, await server.client() as office:
        desk = Desk(server)
        await desk.keep()
        phone = await server.device("王芳")
        change = phone.create(fields={"title": "水渠", "nature": "dispute", "urgency": "at_once"})
        (verdict,) = await phone.push(change)
        assert verdict.result == "quarantined"
        server.now_ms += DAY_MS
        await desk.keep()
        answer = await office.post(
            f"/v1/quarantine/{change.id}/replay", json={"fields": {"urgency": "same_day"}}
        )
        assert answer.status_code == 200, answer.text
        await desk.push(desk.step(change.record, "report"))
        await desk.keep()
        there = await desk.deadlines(change.record)
        assert there["same_day"].started_ms == server.now_ms


async def test_what_is_sealed_is_not_needed_and_what_was_erased_has_no_deadlines(database_url: str) -> None:
    async with desk_of(database_url) as desk:
        desk.move_to(START)
        record, erased = await desk.report(), await desk.report()
        engine = desk.server.services.engine
        entry = Entry(
            entry_id=desk.server.new_id(),
            record_id=erased,
            rule="resolve",
            started_n=1,
            sort="explanation",
            words="当事人外出",
            author=desk.server.new_id(),
            written_ms=START,
        )
        await transact(engine, lambda c: deadline_entries.add(c, TOWN, entry))

        async def store(connection: AsyncConnection) -> None:
            # As the vault and an erasure leave them.
            of = (
                "UPDATE changes SET payload = :payload, effects = :effects "
                "WHERE township_id = :t AND record_id = :record"
            )
            sealed = b'{"kind":"matter","do":"create","fields":{"title":"x","parties":{"e":{"name":\x1e1:q8==\x1e}}},'
            sealed += b'"act":{"to":"reported"}}'
            rows = ((record, sealed, b'[["parties/e/name",\x1e1:q8==\x1e,null]]'), (erased, b"", b"[]"))
            for one, payload, effects in rows:
                await connection.execute(
                    text(of), {"t": TOWN, "record": one, "payload": payload, "effects": effects}
                )

        await transact(engine, store)
        await desk.keep()
        assert set(await desk.deadlines(record)) == {"owner_by_night", "resolve", "statutory_reply"}
        assert await desk.deadlines(erased) == {}
        entries = await snapshot(engine, lambda c: deadline_entries.of_records(c, TOWN, [erased]))
        assert [one.words for one in entries] == [""]


async def _events(desk: Desk) -> list[Event]:
    async def read(connection: AsyncConnection) -> list[Event]:

        shown = await deadlines.told(connection, TOWN, 0, None, 10_000, Reach((TOWN,)))
        return [one.row for one in shown]

    return await snapshot(desk.server.services.engine, read)
