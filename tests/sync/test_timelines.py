"""A server that was restored from an older copy (failures, row 11): recognised, and given back what it lost."""

from dataclasses import replace

from server import restoring
from server.devices.service import revoke
from server.reach import Caller, Reach
from server.records import service as records
from server.records.editing import Edit
from server.records.writing import Target
from server.storage import tables
from sync_protocol.changes import Act
from tests.sync.device import Device, enrolled, two_devices
from tests.sync.town import Town, a_town, backup, id_of, restore

REPORT = Act("report", "fresh", "reported")


async def subjects(town: Town) -> set[str]:
    return {content[5]["subject"] for content in (await town.held(town.grids)).values()}


async def test_row_11_what_was_acknowledged_after_the_backup_is_offered_again(database_url: str) -> None:
    async with a_town(database_url) as town:
        one, other = await two_devices(town)
        copy = await backup(town.server)
        for device in (one, other):
            device.create(subject=f"after {device.number}", act=REPORT)
            await device.sync_all()
        await restore(town.server, copy)
        assert await subjects(town) == {"before 1", "before 2"}
        answer = await one.sync()
        assert answer.offer_above is not None
        assert int(answer.server.rpartition(":")[2]) == 2
        for device in (one, other, one):
            await device.sync_all()
            await device.assert_equals_the_server()
        assert await subjects(town) == {"before 1", "after 1", "before 2", "after 2"}
        numbers = [row.number for row in await town.rows(tables.records)]
        assert len(set(numbers)) == 4


async def test_row_11_a_new_timeline_gives_no_number_again_and_is_opened_once(database_url: str) -> None:
    async with a_town(database_url) as town:
        one, other = await enrolled(town, 1), await enrolled(town, 2)
        for device in (one, other):
            device.create(subject="before")
            await device.sync_all()
        copy = await backup(town.server)
        lost = []
        for device in (one, other):
            device.create(subject="after")
            await device.sync_all()
            lost += [verdict.n for verdicts in device.verdicts.values() for verdict in verdicts]
        await restore(town.server, copy)
        head = (await town.township()).counter
        for device in (one, other, one, other):
            await device.sync_all()
        numbers = [row.n for row in await town.changes() if row.n > head]
        assert min(numbers) > max(lost)
        assert len((await town.township()).lost_spans) == 1


async def test_a_server_that_runs_on_over_an_older_database_gives_no_number_again(database_url: str) -> None:
    """Failures, row 11. A standby that lagged has taken its primary's place; who comes first knows nothing of it."""
    async with a_town(database_url) as town:
        one, away = await enrolled(town, 1), await enrolled(town, 2)
        await away.sync_all()
        copy = await backup(town.server)
        for at in range(3):
            one.create(subject=f"acknowledged {at}")
            await one.sync_all()
        lost = {verdict.n for verdicts in one.verdicts.values() for verdict in verdicts}
        heads = dict(town.server.services.heads)
        await restore(town.server, copy)
        town.server.services.heads.update(heads)  # it was no process that has just been started
        first = away.create(subject="first")
        await away.sync_all()
        assert away.verdicts[first.id][-1].n > max(lost)
        for device in (one, away, one):
            await device.sync_all()
            await device.assert_equals_the_server()
        assert await subjects(town) == {"first", *(f"acknowledged {at}" for at in range(3))}
        assert len((await town.township()).lost_spans) == 1


async def test_nor_does_the_office_that_writes_there_before_any_device(database_url: str) -> None:
    """Failures, row 11. Found by `make chaos`: a worker's edit replaced what the office had written, unseen."""
    async with a_town(database_url) as town:
        one = await enrolled(town, 1)
        matter = one.create(subject="lamp")
        await one.sync_all()
        copy = await backup(town.server)
        for at in range(3):
            one.edit(matter.record, fields={"heads": at})
            await one.sync_all()
        lost = (await town.township()).counter
        heads = dict(town.server.services.heads)
        await restore(town.server, copy)
        town.server.services.heads.update(heads)
        office = Caller(id_of(900), "office", "clerk", Reach((town.code,)), frozenset())
        await records.update(town.server.services, office, Target(matter.record), Edit(fields={"level": 9}))
        assert (await town.record(matter.record)).version > lost


async def test_a_device_that_knows_only_the_old_timeline_may_come_first(database_url: str) -> None:
    """It sees no difference and writes on; what others had acknowledged in the lost span is lost all the same."""
    async with a_town(database_url) as town:
        one, away = await enrolled(town, 1), await enrolled(town, 2)
        await away.sync_all()
        copy = await backup(town.server)
        for at in range(3):
            one.create(subject=f"acknowledged {at}")
            await one.sync_all()
        await restore(town.server, copy)
        for at in range(2):
            away.create(subject=f"first {at}")
        await away.sync_all()
        for device in (one, away, one):
            await device.sync_all()
            await device.assert_equals_the_server()
        assert await subjects(town) == {"first 0", "first 1", *(f"acknowledged {at}" for at in range(3))}


async def test_a_new_epoch_of_the_device_hides_no_lost_create_from_the_server(database_url: str) -> None:
    """A device that died while it applied the answer takes a new epoch, in which nothing is missing.

    Found by the simulation: what it had sent on was taken in before its create, and went into quarantine.
    """
    async with a_town(database_url) as town:
        one = await enrolled(town, 1)
        await one.sync_all()
        copy = await backup(town.server)
        made = one.create(subject="lost")
        await one.sync_all()
        await restore(town.server, copy)
        one.edit(made.record, fields={"subject": "later"})
        one._fork(id_of(77_000))
        answer = await one.sync()
        assert (answer.verdicts, answer.offer_above) == ([], 0)
        await one.sync_all()
        assert [verdict.result for verdicts in one.verdicts.values() for verdict in verdicts][1:] == [
            "applied"
        ] * 2
        assert await subjects(town) == {"later"}
        await one.assert_equals_the_server()


async def test_a_revoked_device_hands_in_after_a_restore_in_whatever_epoch(database_url: str) -> None:
    """It gets no page, so each of its requests tells of the restore: what it sends is taken in all the same."""
    async with a_town(database_url) as town:
        one = await enrolled(town, 1)
        await one.sync_all()
        copy = await backup(town.server)
        made = one.create(subject="lost")
        await one.sync_all()
        await restore(town.server, copy)
        await revoke(town.server.services.engine, one.id, now_ms=town.server.now)
        one.edit(made.record, fields={"subject": "later"})
        one._fork(id_of(77_000))
        answer = await one.sync()
        assert [(verdict.result, verdict.code) for verdict in answer.verdicts] == [
            ("quarantined", "revoked_device")
        ]
        assert answer.page is None


async def test_an_edit_on_a_lost_version_overwrites_nothing_that_was_written_since(database_url: str) -> None:
    """Its base is a number of the lost span, which counts as the head of the backup."""
    async with a_town(database_url) as town:
        one = await enrolled(town, 1)
        made = one.create(heads=0)
        await one.sync_all()
        copy = await backup(town.server)
        one.edit(made.record, fields={"heads": 1})
        await one.sync_all()
        one.edit(made.record, fields={"heads": 2})  # made on the lost version, not yet sent
        await restore(town.server, copy)
        await one.sync()
        await town.edit(made.record, fields={"heads": 7})
        await one.sync_all()
        assert (await town.record(made.record)).values["heads"] == 7
        [conflict] = await town.conflicts()
        assert set(conflict.values) == {7, 1, 2}


async def test_what_the_restored_server_says_of_the_scope_counts(database_url: str) -> None:
    """A grid that the device had in the lost time is none of its grids any more (G5)."""
    async with a_town(database_url) as town:
        one = await enrolled(town, 1, town.grids[0])
        await one.sync_all()
        copy = await backup(town.server)
        one.grids = town.grids[:2]
        await town.set_device(one.id, grids=list(one.grids))
        one.create(town.grids[1], subject="there")
        await one.sync_all()
        await restore(town.server, copy)
        one.grids = town.grids[:1]
        await one.sync_all()
        await one.assert_equals_the_server()
        assert one.held == {}
        [verdict] = [verdicts[-1] for verdicts in one.verdicts.values()]
        assert (verdict.result, verdict.code) == ("quarantined", "not_in_scope")


async def test_a_timeline_that_had_no_change_hides_nothing_when_it_is_lost_too(database_url: str) -> None:
    """Failures, row 11. A cursor may stand beyond every number that was given, and name a change that is there.

    Found by the simulation: its device read nothing of what others wrote, until the digests were compared.
    """
    async with a_town(database_url) as town:
        one, other, away = [await enrolled(town, number) for number in (1, 2, 3)]
        one.create(subject="before")
        for device in (one, other, away):
            await device.sync_all()
        copy = await backup(town.server)
        one.create(subject="lost")
        await one.sync_all()
        await other.sync_all()
        await restore(town.server, copy)
        await other.sync_all()  # notices it, and has nothing to offer
        await restore(town.server, copy)
        for at in range(2):
            away.create(subject=f"later {at}")
        await away.sync_all()  # knows nothing of either lost timeline
        for device in (other, one, other, away):
            await device.sync_all()
            await device.assert_equals_the_server()
        assert await subjects(town) == {"before", "lost", "later 0", "later 1"}


async def test_what_a_copy_lacks_twice_is_never_numbered_alike(database_url: str) -> None:
    """The same old copy is restored a second time: the timeline between is lost as well."""
    async with a_town(database_url) as town:
        one, other = await two_devices(town)
        copy = await backup(town.server)
        given: list[int] = []
        for at in range(2):
            one.create(subject=f"lost {at}", act=REPORT)
            await one.sync_all()
            given += [row.n for row in await town.changes()]
            await restore(town.server, copy)
        kept = {row.n for row in await town.changes()}
        for device in (one, other, one):
            await device.sync_all()
            await device.assert_equals_the_server()
        fresh = {row.n for row in await town.changes()} - kept
        assert min(fresh) > max(given)
        assert await subjects(town) == {"before 1", "before 2", "lost 0", "lost 1"}


async def test_a_copy_of_the_device_that_wrote_since_hides_nothing_that_this_one_has_to_offer(
    database_url: str,
) -> None:
    """Failures, rows 11 and 12. The backup is put back twice, and the numbers of the time between are given again.

    Found by the simulation: of the second copy only what lay above the first one's last change was asked for.
    """
    async with a_town(database_url) as town:
        one = await enrolled(town, 1)
        one.create(subject="before")
        await one.sync_all()
        clone = replace(
            one, queue=[], sent=dict(one.sent), verdicts=dict(one.verdicts), held=dict(one.held), receipts=[]
        )
        clone._fork(id_of(55_000))
        copy = await backup(town.server)

        async def syncs(device: Device) -> None:
            device.serial = max(one.serial, clone.serial)  # the two share it
            await device.sync_all()

        for device, subject in ((clone, "of the clone"), (one, "of the first")):
            device.create(subject=subject)
            await syncs(device)
        await restore(town.server, copy)
        await syncs(clone)
        await restore(town.server, copy)
        await syncs(one)
        one.create(subject="later")
        await syncs(one)
        for device in (clone, one):
            await syncs(device)
            await device.assert_equals_the_server()
        assert await subjects(town) == {"before", "of the clone", "of the first", "later"}


async def test_what_its_author_had_seen_in_the_lost_time_is_no_difference(database_url: str) -> None:
    """The create and the own edit stood on the screen; offered again, they have numbers above every lost base."""
    async with a_town(database_url) as town:
        one, other = await enrolled(town, 1), await enrolled(town, 2)
        copy = await backup(town.server)
        made = one.create(subject="lamp")
        await one.sync_all()
        one.edit(made.record, fields={"heads": 1})
        await one.sync_all()
        one.edit(made.record, fields={"heads": 2})
        await one.sync_all()
        await other.sync_all()
        other.edit(made.record, fields={"level": 3})
        await other.sync_all()
        await restore(town.server, copy)
        for device in (one, other, one):
            await device.sync_all()
            await device.assert_equals_the_server()
        values = (await town.record(made.record)).values
        assert (values["heads"], values["level"]) == (2, 3)
        assert await town.conflicts() == []


async def test_what_somebody_else_wrote_meanwhile_still_differs(database_url: str) -> None:
    """The create counts as seen, and not the office's value that stands on it now."""
    async with a_town(database_url) as town:
        one, other = await enrolled(town, 1), await enrolled(town, 2)
        copy = await backup(town.server)
        made = one.create(subject="lamp")
        await one.sync_all()
        await other.sync_all()
        other.edit(made.record, fields={"heads": 1})
        await restore(town.server, copy)
        await one.sync_all()
        await town.edit(made.record, fields={"heads": 7})
        await other.sync_all()
        assert (await town.record(made.record)).values["heads"] == 7
        [conflict] = await town.conflicts()
        assert set(conflict.values) == {7, 1}


async def test_two_timelines_with_one_epoch_are_not_taken_for_each_other(database_url: str) -> None:
    """Failures, row 11. Found by simulation 13418: the database was put back twice, and each time epoch 2 was opened.

    A device that had begun to read again in the first one went on in the second, past what had been deleted between.
    """
    async with a_town(database_url) as town:
        writer, one, other = await enrolled(town, 1), await enrolled(town, 2), await enrolled(town, 3)
        matters = [writer.create(subject=f"v{at}") for at in range(4)]
        await writer.sync_all()
        copy = await backup(town.server)
        lost = await enrolled(town, 4)
        lost.create(subject="lost")
        await lost.sync_all()
        for device in (one, other):
            await device.sync_all()
        await restore(town.server, copy)
        answer = await one.sync(page_bytes=1)
        assert (answer.offer_above is not None, one.complete) == (True, False)
        await restore(town.server, copy)
        writer.edit(matters[0].record, do="delete")
        await writer.sync_all()
        assert (await other.sync_all()).server == answer.server
        for device in (one, other, writer):
            await device.sync_all()
            await device.assert_equals_the_server()


async def test_what_builds_on_something_lost_waits_for_it_though_a_copy_has_counted_here(
    database_url: str,
) -> None:
    """Failures, rows 3, 11 and 12. Found by simulation 18072: edits of what was still to be offered were refused.

    After the restore a clone was first, with the number that its original had given to what is lost; so nothing seemed
    to be missing before what the original sent next.
    """
    async with a_town(database_url) as town:
        one = await enrolled(town, 1)
        await one.sync_all()
        clone = replace(one, queue=[], sent={}, verdicts={}, held={}, receipts=[])
        copy = await backup(town.server)
        made = one.create(subject="of the first")
        await one.sync_all()
        await restore(town.server, copy)
        clone.create(subject="of the clone")
        await clone.sync_all()
        one.serial = max(one.serial, clone.serial)  # the two share it
        edits = [one.edit(made.record, fields={"level": level}) for level in (1, 2)]
        await one.sync_all()
        # Their base is a number that stands for something else here, so the edits may differ from the create.
        assert {one.verdicts[edit.id][-1].result for edit in edits} <= {"applied", "conflict"}
        assert one.held[made.record].values["level"] == 2
        await one.assert_equals_the_server()
        assert await subjects(town) == {"of the clone", "of the first"}


async def test_a_restore_by_hand_that_nobody_noticed_hides_nothing_behind_the_next_one(
    database_url: str,
) -> None:
    """Failures, row 11. Found by simulation 201: what was offered began at the head of the second backup."""
    async with a_town(database_url) as town:
        one, other = await enrolled(town, 1), await enrolled(town, 2)
        copy = await backup(town.server)
        for at in range(2):
            one.create(subject=f"acknowledged {at}")
        await one.sync_all()
        await restore(town.server, copy)
        other.create(subject="of the other")
        await other.sync_all()
        copy = await backup(town.server)
        await restore(town.server, copy)
        await restoring.note_restore(town.server.engine, {}, town.server.now)
        for device in (one, other, one):
            await device.sync_all()
            await device.assert_equals_the_server()
        assert await subjects(town) == {"acknowledged 0", "acknowledged 1", "of the other"}
