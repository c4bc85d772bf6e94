"""The conflict inbox over the push (G7; failures, row 9): what a row keeps, how it is joined, decided, told."""

from typing import Any

from server.storage import tables
from sync_protocol.changes import Act, Change
from sync_protocol.state import DECISION, FIELD
from tests.sync.device import Device, enrolled
from tests.sync.town import Differing, Town, a_town


async def differing(town: Town, **fields: Any) -> tuple[Device, Device, Change]:
    """Two devices that hold one record, which the first has made."""
    one, other = await enrolled(town, 1), await enrolled(town, 2)
    made = one.create(**fields)
    await one.sync_all()
    await other.sync_all()
    return one, other, made


async def only(town: Town, status: str) -> Differing:
    [conflict] = await town.conflicts()
    assert conflict.status == status
    return conflict


async def test_row_9_both_values_base_authors_times_and_rule_are_kept(database_url: str) -> None:
    async with a_town(database_url) as town:
        one, other, made = await differing(town, subject="base")
        town.server.now += 1_000
        first = one.edit(made.record, fields={"subject": "one"})
        town.server.now += 1_000
        second = other.edit(made.record, fields={"subject": "other"})
        await one.sync_all()
        await other.sync_all()
        conflict = await only(town, "by_rule")
        assert (conflict.path, conflict.rule, conflict.sides.base) == ("subject", "latest", "base")
        sides = [(s.value, s.writer.by, s.writer.change, s.writer.rank) for s in conflict.sides.values]
        assert sides == [("other", other.id, second.id, FIELD), ("one", one.id, first.id, FIELD)]
        stamps = [side.writer.stamp for side in conflict.sides.values]
        assert stamps == [second.at, first.at]
        await one.sync_all()
        assert one.held[made.record].values == {"subject": "other"}
        assert [(r.change, r.outcome) for r in one.receipts] == [(first.id, "not_kept")]


async def test_row_9_one_action_restores_the_other_value(database_url: str) -> None:
    async with a_town(database_url) as town:
        one, other, made = await differing(town, subject="base")
        town.server.now += 1_000
        one.edit(made.record, fields={"subject": "one"})
        town.server.now += 1_000
        other.edit(made.record, fields={"subject": "other"})
        await one.sync_all()
        await other.sync_all()
        conflict = await only(town, "by_rule")
        verdict = await town.edit(made.record, fields={"subject": "one"}, decides=conflict.id, reason="核实")
        assert verdict.result == "applied"
        decided = await only(town, "decided")
        assert decided.decision == verdict.id
        for device in (one, other):
            await device.sync_all()
            assert device.held[made.record].values == {"subject": "one"}
        assert (one.receipts[-1].outcome, other.receipts[-1].outcome) == ("kept", "not_kept")
        assert {one.receipts[-1].reason, other.receipts[-1].reason} == {"核实"}
        [writer] = [w for w in (await town.record(made.record)).marks.writers if w.rank == DECISION]
        assert writer.change == verdict.id


async def test_one_open_row_a_path_which_later_losers_join(database_url: str) -> None:
    async with a_town(database_url) as town:
        one, other, made = await differing(town, heads=0)
        one.edit(made.record, fields={"heads": 1})
        await one.sync_all()
        first = other.edit(made.record, fields={"heads": 2})
        other.edit(made.record, fields={"heads": 3}, on={"heads": first.id})
        answer = await other.sync()
        assert [verdict.result for verdict in answer.verdicts] == ["conflict", "conflict"]
        conflict = await only(town, "open")
        assert (conflict.values, conflict.sides.base) == ([1, 2, 3], 0)


async def test_a_later_edit_that_saw_it_replaces_the_value_and_leaves_the_row_open(database_url: str) -> None:
    async with a_town(database_url) as town:
        one, other, made = await differing(town, heads=0)
        one.edit(made.record, fields={"heads": 1})
        other.edit(made.record, fields={"heads": 2})
        await one.sync_all()
        await other.sync_all()
        await one.sync_all()
        one.edit(made.record, fields={"heads": 9})
        answer = await one.sync()
        assert [verdict.result for verdict in answer.verdicts] == ["applied"]
        assert (await town.record(made.record)).values["heads"] == 9
        assert (await only(town, "open")).values == [1, 2]


async def test_a_decision_that_had_not_seen_what_stands_closes_nothing(database_url: str) -> None:
    """The clerk decides on an older screen; meanwhile somebody who saw the standing value has changed it."""
    async with a_town(database_url) as town:
        one, other, made = await differing(town, heads=0)
        one.edit(made.record, fields={"heads": 1})
        other.edit(made.record, fields={"heads": 2})
        await one.sync_all()
        await other.sync_all()
        seen = (await town.record(made.record)).version
        conflict = await only(town, "open")
        await one.sync_all()
        one.edit(made.record, fields={"heads": 9})
        await one.sync_all()
        await town.edit(made.record, fields={"heads": 2}, base=seen, decides=conflict.id)
        values = (await town.record(made.record)).values
        after = [row for row in await town.conflicts() if row.status == "open"]
        assert values["heads"] == 2 or after, "the decision has no effect, and nobody is asked any more"


async def test_two_paths_of_one_record_are_two_rows(database_url: str) -> None:
    async with a_town(database_url) as town:
        one, other, made = await differing(town, heads=0, subject="base")
        one.edit(made.record, fields={"heads": 1, "subject": "one"})
        other.edit(made.record, fields={"heads": 2, "subject": "other"})
        await one.sync_all()
        await other.sync_all()
        assert {row.path for row in await town.conflicts()} == {"heads", "subject"}


async def test_a_record_that_was_reported_and_deleted_at_once_is_not_deleted(database_url: str) -> None:
    """Its number comes at the end of the push; a numbered record is voided, whatever came in one request."""
    async with a_town(database_url) as town:
        device = await enrolled(town, 1)
        made = device.create(act=Act("report", "fresh", "reported"))
        gone = device.edit(made.record, do="delete", after=made.id)
        await device.sync_all()
        assert (device.verdicts[gone.id][0].result, device.verdicts[gone.id][0].code) == (
            "quarantined",
            "not_permitted",
        )
        state = await town.record(made.record)
        assert (state.deleted, state.number) == (False, f"{town.code}-2026-00001")
        assert len(await town.rows(tables.exits)) == 0
