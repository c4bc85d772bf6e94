"""The recovery key and the lease: what a worker cannot open any more, the township can, and nobody else."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import delete

from client_sdk import FieldClient, Revoked, StoreLocked, WrongPassphrase
from client_sdk.checkup import look
from client_sdk.store import keys as device_keys
from client_sdk.store import meta
from server.recovery import handing, opening, service, stored
from server.recovery.handing import Handed
from server.refused import RefusedError
from server.storage import tables
from server.storage.engine import transact
from sync_protocol.lease import DAY_MS, Running
from tests.e2e.village import PASSPHRASE, START_MS, TOWN, Clock, Village, a_village, reported, settled

NEW = "新口令 with more words"
LEASE_DAYS = 30


@pytest.fixture
def leased(database_url: str, tmp_path: Path) -> Iterator[Village]:
    """A township that declares a lease."""
    with a_village(database_url, tmp_path, lease_days=LEASE_DAYS) as prepared:
        yield prepared


def key_file(village: Village, name: str) -> Path:
    return village.folder / f"{name}.rbk.key"


def unsealed(village: Village, name: str) -> bytes:
    sealed = opening.read(key_file(village, name).read_bytes(), name)
    return opening.unseal(sealed, village.run(service.halves(village.services.engine, TOWN)))


def recover(village: Village, name: str) -> Handed:
    unsent = stored.read(village.folder / f"{name}.rbk", unsealed(village, name))
    return village.run(handing.hand_in(village.services, unsent))


def acts(village: Village) -> list[str]:
    return [row[3] for row in village.rows("audit_entries")["audit_entries"]]


def with_unsent(village: Village, **more: Any) -> tuple[FieldClient, set[str]]:
    """A device with a record that the township has, an edit, two new reports and a draft that it has not."""
    device = village.device("王芳", **more)
    first = reported(device)
    device.sync()
    device.update(first, note="后来写的")
    reported(device)
    device.create("well", title="草稿", draft=True)
    return device, {entry.id for entry in device.queue()}


def test_what_a_forgotten_passphrase_closed_is_taken_in_once(village: Village) -> None:
    device, ids = with_unsent(village)
    handed = recover(village, "王芳")  # the program may still run: a copy is read
    assert (handed.sent, handed.quarantined, handed.duplicates) == (len(ids), 0, 0)
    assert ids <= village.changes().keys()
    assert acts(village).count("device_recovered") == 1
    assert recover(village, "王芳").duplicates == len(ids)
    report = device.sync()
    assert (report.sent, report.duplicates) == (len(ids) - 1, len(ids) - 1)
    for draft in [entry.record for entry in device.queue()]:
        device.submit(device.get(draft))
    settled(village, device)


def test_of_a_revoked_device_it_waits_for_the_office(village: Village) -> None:
    device, ids = with_unsent(village)
    village.revoke(device.me().device)
    handed = recover(village, "王芳")
    assert (handed.sent, handed.quarantined) == (len(ids), len(ids))
    assert ids == village.quarantine().keys()


def test_another_passphrase_opens_the_store_and_the_old_one_does_not(village: Village) -> None:
    device, ids = with_unsent(village)
    device.close()
    sealed = opening.read(key_file(village, "王芳").read_bytes(), "key")
    key_file(village, "王芳").write_bytes(
        opening.with_passphrase(sealed, unsealed(village, "王芳"), NEW, village.random)
    )
    with pytest.raises(WrongPassphrase):
        village.open("王芳")
    again = village.open("王芳", passphrase=NEW)
    assert {entry.id for entry in again.queue()} == ids
    again.set_passphrase("第三个")
    again.close()
    again = village.open("王芳", passphrase="第三个")
    assert again.sync().complete
    assert unsealed(village, "王芳")  # what is sealed stays


def test_a_store_that_only_says_it_is_a_device_is_refused(village: Village) -> None:
    """Anybody can seal a key to the recovery key: the store has to hold the device's private key."""
    device, _ = with_unsent(village)
    forger = village.device("李强")
    reported(forger)
    with forger._store.inner.write() as tx:
        own = meta.identity(tx)
        assert own is not None
        meta.put_identity(tx, msgspec.structs.replace(own, device=device.me().device))
    before = village.rows()
    with pytest.raises(RefusedError, match="no device of this server"):
        recover(village, "李强")
    assert village.rows() == before


def test_an_office_that_keeps_the_key_is_needed(village: Village) -> None:
    engine = village.services.engine
    _, ids = with_unsent(village)
    kept = service.written(village.run(service.halves(engine, TOWN)))
    village.run(service.noted(engine, TOWN, offline=True, now_ms=village.now_ms))
    with pytest.raises(RefusedError, match="--key"):
        recover(village, "王芳")
    sealed = opening.read(key_file(village, "王芳").read_bytes(), "key")
    with pytest.raises(RefusedError, match="another recovery key"):
        opening.unseal(sealed, service.Halves(TOWN, (bytes(range(32)),)))
    key = opening.unseal(sealed, service.read(kept, "office.key"))
    assert len(stored.read(village.folder / "王芳.rbk", key).payloads) == len(ids)
    assert acts(village).count("recovery_key_exported") == 1
    for damaged in (kept[:-5], kept.replace(b"a", b"b", 1), b"", b"{}"):
        with pytest.raises(RefusedError, match="damaged"):
            service.read(damaged, "office.key")


def test_a_device_from_before_there_was_a_key_gets_it_by_its_next_sync(village: Village) -> None:
    engine = village.services.engine

    async def none(connection: Any) -> None:
        await connection.execute(delete(tables.recovery_keys))

    village.run(transact(engine, none))
    device, _ = with_unsent(village)
    with pytest.raises(RefusedError, match="never sealed"):
        recover(village, "王芳")
    assert TOWN in village.run(service.ensure(engine, village.now_ms))
    assert village.run(service.ensure(engine, village.now_ms)) == []
    village.now_ms += 60_000  # a process remembers profiles for a while
    device.sync()
    assert recover(village, "王芳").sent == 1
    village.run(service.renew(engine, TOWN, now_ms=village.now_ms))
    before = key_file(village, "王芳").read_bytes()
    assert recover(village, "王芳").duplicates == 1
    village.now_ms += 60_000
    device.sync()
    assert key_file(village, "王芳").read_bytes() != before
    assert recover(village, "王芳").duplicates == 1


def test_a_lease_that_ended_locks_until_the_next_contact(leased: Village) -> None:
    clock = Clock()
    device, ids = with_unsent(leased, clock=clock)
    device.close()
    clock.at_ms += LEASE_DAYS * DAY_MS - 60_000
    leased.open("王芳", clock=clock).close()
    clock.at_ms += 120_000
    with pytest.raises(StoreLocked, match=r"同步一次.*roundbook-device sync"):
        leased.open("王芳", clock=clock)
    (closed,) = [one for one in look(leased.folder / "王芳.rbk", PASSPHRASE) if one.state == "bad"]
    assert (closed.name, "roundbook-device sync" in closed.do) == ("store_locked", True)
    clock.at_ms -= 10 * DAY_MS  # turned back: nothing opens
    with pytest.raises(StoreLocked):
        leased.open("王芳", clock=clock)
    device = leased.open("王芳", clock=clock, to_sync=True)
    for use in (device.list, device.queue, device.me, device.problems, device.news):
        with pytest.raises(StoreLocked):
            use()
    assert device.sync().complete
    assert ids & leased.changes().keys()
    assert len(device.list()) == 3
    device.close()
    leased.open("王芳", clock=clock)


def test_a_locked_store_takes_what_is_new_and_shows_nothing(leased: Village) -> None:
    """A worker without a network and with a wrong clock goes on recording."""
    clock = Clock()
    device, _ = with_unsent(leased, clock=clock)
    old = device.create("well", title="旧井")
    device.close()
    clock.at_ms += (LEASE_DAYS + 1) * DAY_MS
    device = leased.open("王芳", clock=clock, to_sync=True)
    assert "well" in {kind.name for kind in device.kinds()}
    made = device.create("well", grid=device.grids()[0].code, title="新井")
    made = device.update(made, note="水清")
    held = device.submit(device.create("well", title="草稿", draft=True))
    with pytest.raises(StoreLocked):
        device.update(old, note="x")
    with pytest.raises(StoreLocked):
        device.submit(old)
    with pytest.raises(StoreLocked):
        device.get(made.id)
    device.close()
    again = leased.open("王芳", clock=clock, to_sync=True)
    with pytest.raises(StoreLocked):  # another opening: whoever holds the phone now did not type it
        again.update(made, note="y")
    assert again.sync().complete
    assert leased.state(made.id).values == {"title": "新井", "note": "水清"}
    assert leased.state(held.id).values["title"] == "草稿"
    leased.revoke(again.me().device)
    with pytest.raises(Revoked):
        again.sync()
    with pytest.raises(Revoked):
        again.create("well", title="井")


def test_a_clock_that_jumps_while_the_machine_runs_locks_nothing(leased: Village) -> None:
    """Nor does one that is turned back give a day more; after another start the clock is all there is."""
    clock, ran = Clock(), [Running("first", 1_000)]
    device, _ = with_unsent(leased, clock=clock, running=lambda: ran[0])
    device.close()

    def opened(start: str, ran_days: float, clock_days: float) -> None:
        ran[0] = Running(start, 1_000 + int(ran_days * DAY_MS))
        shown = Clock(START_MS + int(clock_days * DAY_MS))
        leased.open("王芳", clock=shown, running=lambda: ran[0]).close()

    for clock_days in (400, -400, 0, 9_000, 9_001.5, 1):
        opened("first", LEASE_DAYS - 1, clock_days)
    opened("second", 0, LEASE_DAYS - 1)
    opened("second", 0.5, 500)
    opened("second", 0.75, LEASE_DAYS - 0.25)
    with pytest.raises(StoreLocked):
        opened("second", 1.25, 0)
    with pytest.raises(StoreLocked):  # not put right by turning it back
        opened("third", 0, 0)
    device = leased.open("王芳", clock=clock, running=lambda: ran[0], to_sync=True)
    assert device.sync().complete
    device.close()
    with pytest.raises(StoreLocked):  # a clock that was wrong when the machine started
        opened("fourth", 0, 400)
    with pytest.raises(StoreLocked):
        opened("fourth", 1.5, LEASE_DAYS - 2)
    assert key_file(leased, "王芳").read_bytes().count(b'"wrapped"') == 1, (
        "it was put right: nothing is destroyed"
    )


def test_a_lease_that_ended_on_two_days_leaves_the_store_to_the_township(leased: Village) -> None:
    clock = Clock()
    device, ids = with_unsent(leased, clock=clock)
    device.close()
    for days in (LEASE_DAYS + 1, 1):
        clock.at_ms += days * DAY_MS
        with pytest.raises(StoreLocked):
            leased.open("王芳", clock=clock, **({} if days > 1 else {"to_sync": True}))
    content = msgspec.json.decode(key_file(leased, "王芳").read_bytes())
    assert content.keys() == {"format", "recovery", "check"}
    for words in (PASSPHRASE, "x"):
        with pytest.raises(StoreLocked, match="roundbook device recover"):
            leased.open("王芳", passphrase=words)
    sealed = opening.read(key_file(leased, "王芳").read_bytes(), "key")
    assert recover(leased, "王芳").sent == len(ids)
    key_file(leased, "王芳").write_bytes(
        opening.with_passphrase(sealed, unsealed(leased, "王芳"), NEW, leased.random)
    )
    with pytest.raises(StoreLocked, match="sync"):  # a passphrase is no contact
        leased.open("王芳", passphrase=NEW, clock=Clock())
    again = leased.open("王芳", passphrase=NEW, clock=Clock(), to_sync=True)
    assert again.sync().complete
    assert {entry.id for entry in again.queue()} <= ids
    with again._store.read() as tx:
        assert device_keys.present(tx) is not None


def test_without_a_recovery_key_nothing_is_destroyed(leased: Village) -> None:
    async def none(connection: Any) -> None:
        await connection.execute(delete(tables.recovery_keys))

    leased.run(transact(leased.services.engine, none))
    clock = Clock()
    device, _ = with_unsent(leased, clock=clock)
    device.close()
    for days in (LEASE_DAYS + 1, 1, 1, 1):
        clock.at_ms += days * DAY_MS
        with pytest.raises(StoreLocked, match="roundbook-device sync"):
            leased.open("王芳", clock=clock)
    assert leased.open("王芳", clock=clock, to_sync=True).sync().complete
