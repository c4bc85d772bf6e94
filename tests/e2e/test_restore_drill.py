"""The restore drill: a real server, real devices over sockets, a backup under load, a death, an older copy.

On SQLite by `roundbook backup` and `restore`, on PostgreSQL by the very commands that their help names. What
docs/recovery.md promises to an operator is asserted here: nothing acknowledged is missing, no registration
number stands twice, each device equals the server. The same for a device that comes back from an older copy.
"""

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import make_url

from client_sdk import FieldClient, NotEnrolled, Policy, Progress, Record, Revoked
from sync_protocol.limits import DEFAULTS
from tests.e2e.processes import CHECKOUT, serving
from tests.e2e.village import GRID, NEXT_GRID, PASSPHRASE, Village, assert_converged, holds
from tests.postgres import installed
from tests.privacy.desk import Desk
from tests.processes import completed
from tests.vaults import TEXT

WORKERS = {"王芳": (GRID,), "李强": (GRID,), "周敏": (NEXT_GRID,)}


def command(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own, as an operator runs it; what is empty in `variables` is not set."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("ROUNDBOOK_")}
    own = {"PYTHONPATH": str(CHECKOUT), "ROUNDBOOK_MASTER_KEY": TEXT, **variables}
    return completed(arguments, {**plain, **{name: value for name, value in own.items() if value}})


def roundbook(*arguments: str) -> str:
    done = command(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def tool(name: str, *arguments: str) -> None:
    """A program of PostgreSQL, from the wheel that brings the server of the tests."""
    command = (str(installed() / "bin" / name), *arguments)
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr


class Drill:
    """The operator's side: one database, its backup, and the database that is served after the restore."""

    def __init__(self, village: Village) -> None:
        self.village = village
        self.url = self._first = village.url
        self.copy = village.folder / "backup"

    @property
    def plain_url(self) -> str:
        return make_url(self.url).set(drivername="postgresql").render_as_string(hide_password=False)

    def back_up(self) -> str:
        if self.url.startswith("sqlite"):
            return roundbook("backup", str(self.copy), "--database", self.url)
        tool("pg_dump", "--format=custom", f"--file={self.copy}", self.plain_url)
        return ""

    def restore(self) -> str:
        """Brings the backup back, and leaves `village` looking at what is served from now on."""
        if self.url.startswith("sqlite"):
            return roundbook("restore", str(self.copy), "--replace", "--database", self.url)
        maintenance, new = self.plain_url, f"{make_url(self.url).database}_restored"
        tool("createdb", f"--maintenance-db={maintenance}", new)
        self.url = make_url(self.url).set(database=new).render_as_string(hide_password=False)
        tool("pg_restore", "--exit-on-error", "--no-owner", f"--dbname={self.plain_url}", str(self.copy))
        roundbook("migrate", "--database", self.url)
        self.village.url = self.url
        self.village.services = self.village._services(DEFAULTS)
        return ""

    def leave(self) -> None:
        """Closes what this process has open of the database."""
        self.village.run(self.village.services.engine.dispose())

    def clean(self) -> None:
        """Drops the database that the restore made."""
        self.leave()
        made, self.url = make_url(self.url).database or "", self._first
        if made != make_url(self._first).database:
            tool("dropdb", "--force", f"--maintenance-db={self.plain_url}", made)


@pytest.fixture
def drill(village: Village) -> Iterator[Drill]:
    made = Drill(village)
    yield made
    made.clean()


Fleet = dict[str, FieldClient]


def enrolled(drill: Drill) -> None:
    """The devices of the village; nothing of this process keeps the database open afterwards."""
    for name, grids in WORKERS.items():
        drill.village.device(name, *grids).close()
    drill.leave()


@contextmanager
def fleet(village: Village, url: str) -> Iterator[Fleet]:
    """Every device, over real sockets, with the system's clock."""
    devices = {
        name: FieldClient.open(village.folder / f"{name}.rbk", passphrase=PASSPHRASE) for name in WORKERS
    }
    try:
        for device in devices.values():
            device.set_server(url)
        yield devices
    finally:
        for device in devices.values():
            device.close()


def report(device: FieldClient, title: str) -> Record:
    return device.act(device.create("well", title=title), "report")


def everybody(devices: Fleet, rounds: int = 3) -> None:
    for _ in range(rounds):
        for device in devices.values():
            assert device.sync().complete


def acknowledged(devices: Fleet) -> set[str]:
    """The ids of the changes that the server has said it has."""
    found = set()
    for device in devices.values():
        with device._store.read() as tx:
            found |= {id_ for (id_,) in tx.rows("SELECT id FROM changes WHERE status = 'acknowledged'")}
    return found


def numbers(devices: Fleet) -> dict[str, str]:
    return {
        record: number for device in devices.values() for record, (_, _, number, _) in holds(device).items()
    }


def under_load(devices: Fleet, work: Callable[[], str]) -> str:
    """Does the work while a device reports and syncs without a pause."""
    ended, reported = threading.Event(), threading.Event()

    def busy() -> None:
        at = 0
        while not ended.is_set():
            report(devices["王芳"], f"under load {at}")
            devices["王芳"].sync()
            at += 1
            if at > 2:
                reported.set()

    thread = threading.Thread(target=busy)
    thread.start()
    try:
        assert reported.wait(60)
        return work()
    finally:
        ended.set()
        thread.join(60)


def assert_says_what_comes_next(drill: Drill, said: str) -> None:
    if not drill.url.startswith("sqlite"):
        return
    assert "is restored: " in said
    assert "What stood there before is kept as " in said
    assert "each device sends again" in said
    listed = roundbook("township", "list", "--database", drill.url)
    assert "was restored: look again at what the office decided from " in " ".join(listed.split())
    (span,) = json.loads(roundbook("township", "list", "--database", drill.url, "--json"))[0]["lost"]
    assert span["since"] <= span["until"]  # in whole seconds, and the drill may take less than one
    assert span["missing_numbers"]


def assert_whole(village: Village, devices: Fleet, promised: set[str]) -> None:
    """What the guarantees say of a fleet that has synced."""
    assert promised <= village.changes().keys()
    held = village.held(GRID, NEXT_GRID)
    given = [number for _, _, number, _ in held.values() if number is not None]
    assert len(given) == len(set(given))
    for name, device in devices.items():
        assert_converged(village, device, *WORKERS[name])
        assert device.queue() == []
        assert device.problems() == []


@pytest.mark.slow
def test_row_11_a_server_restored_from_a_backup_under_load_gets_everything_back(drill: Drill) -> None:
    village = drill.village
    enrolled(drill)
    with serving(drill.url, village.folder) as (url, _), fleet(village, url) as devices:
        for name, device in devices.items():
            report(device, f"before, by {name}")
        everybody(devices)
        said = under_load(devices, drill.back_up)
        if said:
            assert "every page checked; townships 2, records " in said
        for name, device in devices.items():
            report(device, f"after, by {name}")
        everybody(devices)
        theirs = next(one for one in devices["李强"].list("well") if one.fields["title"] == "after, by 王芳")
        devices["李强"].update(theirs, note="井台完好。")
        report(devices["周敏"], "saved, not yet sent")
        devices["李强"].sync()
        promised, known = acknowledged(devices), numbers(devices)
        assert len(promised) > len(known)
    assert_says_what_comes_next(drill, drill.restore())
    with serving(drill.url, village.folder) as (url, _), fleet(village, url) as devices:
        new = report(devices["李强"], "new, before anybody else comes")
        everybody(devices)
        assert devices["李强"].get(new.id).number not in known.values()
        assert_whole(village, devices, promised)
        titles = {one.fields["title"] for device in devices.values() for one in device.list("well")}
        assert titles >= {f"{when}, by {name}" for when in ("before", "after") for name in WORKERS}
        assert "saved, not yet sent" in titles
        kept = numbers(devices)
        assert {record: kept[record] for record in known} == known
        edited = devices["王芳"].get(theirs.id)
        assert edited.fields["note"] == "井台完好。"


@pytest.mark.slow
def test_row_12_a_device_restored_from_an_older_copy_meets_a_restored_server(drill: Drill) -> None:
    """Both ends came back from the past, the device from an older one than the server."""
    village = drill.village
    enrolled(drill)
    store, copy = village.folder / "王芳.rbk", village.folder / "王芳.old"
    with serving(drill.url, village.folder) as (url, _):
        with fleet(village, url) as devices:
            report(devices["王芳"], "in the copy, not yet sent")
        shutil.copyfile(store, copy)
        with fleet(village, url) as devices:
            everybody(devices)
            report(devices["王芳"], "after the copy")
            everybody(devices)
            drill.back_up()
            report(devices["李强"], "after the backup")
            everybody(devices)
            promised = acknowledged(devices)
    drill.restore()
    copy.replace(store)
    with serving(drill.url, village.folder) as (url, _), fleet(village, url) as devices:
        everybody(devices)
        report(devices["王芳"], "goes on")
        everybody(devices)
        assert_whole(village, devices, promised)
        titles = [one.fields["title"] for one in devices["王芳"].list("well")]
        assert sorted(titles) == [
            "after the backup",
            "after the copy",
            "goes on",
            "in the copy, not yet sent",
        ]


@pytest.mark.slow
def test_a_device_that_was_enrolled_after_the_backup_comes_back_by_its_rescue_file(drill: Drill) -> None:
    """The restored server does not know it: what it had sent lies on it alone, its number too."""
    village = drill.village
    village.device("王芳").close()
    drill.leave()
    drill.back_up()
    late = village.device("李强")
    made = report(late, "sent and answered")
    late.sync()
    known = numbers({"李强": late})[made.id]
    report(late, "not sent")
    drill.leave()
    drill.restore()
    file = village.folder / "late.rescue"
    with serving(drill.url, village.folder) as (url, _):
        lost = village.open("李强", transport=None)
        lost.set_server(url)
        with pytest.raises(NotEnrolled):
            lost.sync()
        assert lost.rescue(file, answered=True) == 4
        said = roundbook(
            "device", "code", "--worker", "王芳", "--grid", GRID, "--json", "--database", drill.url
        )
        new = village.open("again", transport=None)
        new.enrol(url, code=json.loads(said)["code"])
        assert [new.take_in(file, passphrase=PASSPHRASE) for _ in range(2)] == [4, 0]
        new.sync()
        assert sorted(one.fields["title"] for one in new.list("well")) == ["not sent", "sent and answered"]
        assert new.get(made.id).number == known
        assert_converged(village, new, GRID)


@pytest.mark.slow
def test_what_was_erased_leaves_no_gap_that_a_restored_server_waits_for_for_ever(drill: Drill) -> None:
    """Failures, row 11. The server asks for a change that no device keeps any more: it was erased after the backup."""
    village = drill.village
    device = village.device("王芳")
    report(device, "kept")
    device.sync()
    drill.leave()
    drill.back_up()
    gone = report(device, "erased later")
    device.sync()
    Desk(village).erase(gone.id)
    device.sync()
    report(device, "not sent")
    device.close()
    drill.leave()
    drill.restore()
    with serving(drill.url, village.folder) as (url, _):
        device = village.open("王芳", transport=None)
        device.set_server(url)
        for _ in range(2):
            assert device.sync().complete
        assert {one.fields["title"] for one in device.list("well")} == {"kept", "not sent"}
        assert_converged(village, device, GRID)


@pytest.mark.slow
def test_a_device_that_is_revoked_after_a_restore_hands_in_what_was_lost_once_and_is_wiped(
    drill: Drill,
) -> None:
    """It gets no page that would move its cursor out of the lost time: the answer alone has to."""
    village = drill.village
    device = village.device("王芳")
    device.sync()
    drill.leave()
    drill.back_up()
    for at in range(4):
        report(device, f"lost {at}")
    device.sync()
    lost = set(village.changes())
    device.close()
    drill.leave()
    drill.restore()
    exchanges: list[Progress] = []

    def counted(progress: Progress) -> None:
        exchanges.append(progress)
        assert len(exchanges) < 60, "it comes to no end"

    with serving(drill.url, village.folder) as (url, _):
        device = village.open("王芳", transport=None)
        device.set_server(url)
        village.revoke(device.me().device)
        with pytest.raises(Revoked):
            device.sync(counted, policy=Policy(changes_max=3))
    assert set(village.changes()) == lost
    assert not (village.folder / "王芳.rbk").exists()
