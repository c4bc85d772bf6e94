"""Registration numbers that stand on citizens' slips, after the server was put back (failures, row 11)."""

import pytest

from server import restoring
from server.privacy.matters import erase_matter
from server.quarantine import service as quarantine
from server.quarantine.replaying import Correction
from server.reach import Caller, Reach
from server.records.writing import Target
from server.storage import tables
from sync_protocol.changes import Act
from sync_protocol.registration import Claim
from tests.sync.device import enrolled, two_devices
from tests.sync.town import Town, a_town, backup, id_of, restore

REPORT = Act("report", "fresh", "reported")


async def numbers(town: Town) -> dict[str, str]:
    """Record to its registration number."""
    return {str(row.record_id): row.number for row in await town.rows(tables.records) if row.number}


@pytest.mark.parametrize("first", [0, 1])
async def test_a_matter_that_is_offered_again_keeps_its_registration_number(
    database_url: str, first: int
) -> None:
    """Failures, row 11. Whoever comes first, and whatever is reported in between."""
    async with a_town(database_url) as town:
        devices = await two_devices(town)
        copy = await backup(town.server)
        for at in range(4):
            devices[at % 2].create(subject=f"after {at}", act=REPORT)
            await devices[at % 2].sync_all()
        for device in devices:
            await device.sync_all()
        known = await numbers(town)
        await restore(town.server, copy)
        new = devices[first].create(subject="new", act=REPORT)
        for device in (devices[first], devices[1 - first], devices[first]):
            await device.sync_all()
            await device.assert_equals_the_server()
        found = await numbers(town)
        assert found.pop(new.record) not in known.values()
        assert found == known
        [span] = (await town.township()).lost_spans
        assert span.registers == ((2026, 3, 6),)
        assert span.since_ms <= span.noticed_ms


async def test_a_number_that_somebody_else_has_got_since_is_given_up_and_told(database_url: str) -> None:
    async with a_town(database_url) as town:
        one, other = await two_devices(town)
        await other.sync_all()
        copy = await backup(town.server)
        mine = one.create(subject="mine", act=REPORT)
        await one.sync_all()
        lost = (await numbers(town))[mine.record]
        await restore(town.server, copy)
        theirs = other.create(subject="theirs", act=REPORT)
        await other.sync_all()  # knows only the old timeline: nobody can notice yet
        await one.sync_all()
        found = await numbers(town)
        assert found[theirs.record] == lost
        assert found[mine.record] not in {lost, None}
        told = one.verdicts[mine.id][-1]
        assert (told.number, told.formerly) == (found[mine.record], lost)
        assert one.verdicts[mine.id][0].formerly is None


async def test_the_number_of_what_goes_to_quarantine_waits_there_with_it(database_url: str) -> None:
    """Failures, row 11. The matter lies where the device has no business any more: the office takes the change in.

    The matter has the number of its slip again. Nobody else gets it meanwhile, not even from a device that knows
    nothing of the lost time.
    """
    async with a_town(database_url) as town:
        one, other = await enrolled(town, 1, *town.grids[:2]), await enrolled(town, 2)
        await one.sync_all()
        await other.sync_all()
        copy = await backup(town.server)
        mine = one.create(town.grids[1], subject="mine", act=REPORT)
        await one.sync_all()
        lost = (await numbers(town))[mine.record]
        await restore(town.server, copy)
        await town.set_device(one.id, grids=list(town.grids[:1]))
        one.grids = town.grids[:1]
        await one.sync_all()
        told = one.verdicts[mine.id][-1]
        assert (told.result, told.code, told.number, told.formerly) == (
            "quarantined", "not_in_scope", None, lost,
        )  # fmt: skip
        theirs = other.create(subject="theirs", act=REPORT)
        await other.sync_all()
        office = Caller(id_of(900), "office", "clerk", Reach((town.code,)), frozenset())
        await quarantine.replay(
            town.server.services, office, Target(mine.id), Correction(reason="the grid was another one's")
        )
        found = await numbers(town)
        assert found[mine.record] == lost
        assert found[theirs.record] != lost


async def test_a_number_that_waits_in_quarantine_is_its_matters_whatever_earns_it(database_url: str) -> None:
    """Failures, row 11. Another device's older report reaches the restored server, and is applied."""
    async with a_town(database_url) as town:
        one, other = await enrolled(town, 1, *town.grids[:2]), await enrolled(town, 2, town.grids[1])
        await one.sync_all()
        await other.sync_all()
        copy = await backup(town.server)
        matter = other.create(town.grids[1], subject="lamp")
        await other.sync_all()
        await one.sync_all()
        reported = one.edit(matter.record, act=REPORT)
        await one.sync_all()
        lost = (await numbers(town))[matter.record]
        await restore(town.server, copy)
        await one.sync_all()  # before the create is back
        assert one.verdicts[reported.id][-1].formerly == lost
        await other.sync_all()
        again = other.edit(matter.record, act=REPORT)
        await other.sync_all()
        assert other.verdicts[again.id][-1].number == lost
        assert (await numbers(town))[matter.record] == lost


@pytest.mark.parametrize("ended", [False, True])
async def test_a_matter_that_has_got_another_number_first_keeps_that_and_the_worker_is_told_both(
    database_url: str, *, ended: bool
) -> None:
    """Failures, row 11. Two workers reported it; the report that was not sent before the restore comes first.

    Where the matter has ended since, the other report goes to quarantine, and its worker is told all the same.
    """
    async with a_town(database_url) as town:
        one, other, third = [await enrolled(town, number) for number in (1, 2, 3)]
        matter = other.create(subject="lamp")
        for device in (other, one, third):
            await device.sync_all()
        copy = await backup(town.server)
        mine = one.edit(matter.record, act=REPORT)
        theirs = other.edit(matter.record, act=REPORT)
        await one.sync_all()
        lost = (await numbers(town))[matter.record]
        new = third.create(subject="another", act=REPORT)
        await third.sync_all()
        await restore(town.server, copy)
        await third.sync_all()
        await other.sync_all()
        found = other.verdicts[theirs.id][-1].number
        assert found not in {None, lost, (await numbers(town))[new.record]}
        if ended:
            other.edit(matter.record, act=Act("finish", "reported", "finished"))
            await other.sync_all()
        await one.sync_all()
        told = one.verdicts[mine.id][-1]
        came = "quarantined" if ended else "merged"
        assert (told.result, told.number, told.formerly) == (came, found, lost)
        assert (await numbers(town))[matter.record] == found
        assert one.claims[matter.record].number == found


async def test_no_device_can_claim_a_number_that_was_not_given_to_its_record(database_url: str) -> None:
    """Not with a proof of its own making, nor with the proof of another record, nor for another township."""
    async with a_town(database_url) as town:
        one, other = await two_devices(town)
        copy = await backup(town.server)
        theirs = other.create(subject="theirs", act=REPORT)
        await other.sync_all()
        await one.sync_all()
        await restore(town.server, copy)
        claim = other.claims[theirs.record]
        forged = [
            claim,
            Claim(claim.number, "A" * 16),
            Claim(claim.number, ""),
            Claim(f"{town.code}-2026-99999", claim.proof),
            Claim("999999999-2026-00007", claim.proof),
            Claim("一", "一"),
        ]
        for wanted in forged:
            made = one.create(subject="forged", act=REPORT)
            one.claims[made.record] = wanted
        await one.sync_all()
        await other.sync_all()
        found = await numbers(town)
        assert found[theirs.record] == claim.number
        assert sorted(found.values()) == [f"{town.code}-2026-{n:05}" for n in range(1, 10)]


async def test_a_matter_erased_before_its_number_came_back_gets_that_too(database_url: str) -> None:
    """Failures, row 11. Found by simulation 3151: the slip's number stayed missing in the register for good."""
    async with a_town(database_url) as town:
        one = await enrolled(town, 1)
        matter = one.create(subject="lamp")
        await one.sync_all()
        copy = await backup(town.server)
        report = one.edit(matter.record, act=REPORT)
        await one.sync_all()
        number = one.verdicts[report.id][-1].number
        await restore(town.server, copy)
        who = Caller(id_of(900), "office", "administrator", Reach((town.code,), restricted=True), frozenset())
        await erase_matter(town.server.services, who, matter.record, "本人申请")
        await one.sync_all()
        assert one.verdicts[report.id][-1].result == "erased"
        state = await town.record(matter.record)
        assert (state.erased, state.number) == (True, number)
        await one.assert_equals_the_server()
        assert [lost.missing for lost in await restoring.lost(town.server.engine)] == [()]
