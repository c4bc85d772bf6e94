"""The store on real files: what survives a kill, a wrong passphrase, damage, a full disk, an older copy."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from client_sdk import (
    Busy,
    FieldClient,
    NotEnrolled,
    Offline,
    QueueNotEmpty,
    StoreDamaged,
    StoreFull,
    WrongPassphrase,
)
from client_sdk.store.epoch import EpochFile
from client_sdk.store.schema import MIGRATIONS
from sync_protocol.errors import Incompatible
from sync_protocol.messages import SyncAnswer
from tests.client.conftest import PASSPHRASE, OpenDevice, limit_pages
from tests.client.town import Town, cut

ROOT = Path(__file__).parents[2]
SAVES_AND_TELLS = """
import sys
from client_sdk import FieldClient
client = FieldClient.open(sys.argv[1], passphrase=sys.argv[2])
n = 0
while True:
    record = client.create("matter", title=f"matter {n}")
    record = client.update(record, narrative="more")
    print(record.id, flush=True)
    n += 1
"""


@pytest.mark.parametrize("saves", [1, 7, 40])
def test_what_a_save_returned_survives_a_kill(open_device: OpenDevice, tmp_path: Path, saves: int) -> None:
    """G2: the process dies without warning right after save returned; record and queue entry are there."""
    open_device().close()
    arguments = [sys.executable, "-c", SAVES_AND_TELLS, str(tmp_path / "worker.rbk"), PASSPHRASE]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, cwd=ROOT) as child:
        assert child.stdout is not None
        told = [child.stdout.readline().strip() for _ in range(saves)]
        child.send_signal(signal.SIGKILL)
        told += [line.strip() for line in child.stdout if line.endswith("\n")]
    device = open_device()
    queued = [entry.record for entry in device.queue()]
    for record in told:
        assert queued.count(record) == 2
        assert device.get(record).fields["narrative"] == "more"


def test_nothing_of_a_record_can_be_read_from_the_files(device: FieldClient, tmp_path: Path) -> None:
    device.create("matter", title="needle in a haystack", narrative="针")
    device.close()
    for file in tmp_path.iterdir():
        content = file.read_bytes()
        assert b"needle" not in content, file
        assert "针".encode() not in content, file
        assert b"SQLite format" not in content, file


def test_a_wrong_passphrase_opens_nothing(device: FieldClient, open_device: OpenDevice) -> None:
    matter = device.create("matter", title="a")
    device.close()
    with pytest.raises(WrongPassphrase):
        open_device(passphrase="another")
    assert open_device().get(matter.id) == matter


@pytest.mark.parametrize("offset", [0, 100, 4096, 20_000, 40_000, 90_000])
def test_a_damaged_page_is_told_and_never_read_as_something_else(
    device: FieldClient, open_device: OpenDevice, tmp_path: Path, offset: int
) -> None:
    for n in range(40):
        device.create("matter", title=f"a{n}", narrative="x" * 500)
    before = everything(device)
    device.close()
    path = tmp_path / "worker.rbk"
    content = bytearray(path.read_bytes())
    for at in range(offset, min(offset + 64, len(content))):
        content[at] ^= 0xFF
    path.write_bytes(content)
    try:
        after = everything(open_device())
    except StoreDamaged as error:
        assert "worker.rbk" in str(error)  # noqa: PT017 (either outcome is right)
    else:
        assert after == before
        assert offset > 4096


@pytest.mark.parametrize("part", [0.0, 0.3, 0.9])
def test_a_truncated_file_is_told(
    device: FieldClient, open_device: OpenDevice, tmp_path: Path, part: float
) -> None:
    for n in range(40):
        device.create("matter", title=f"a{n}", narrative="x" * 500)
    device.close()
    path = tmp_path / "worker.rbk"
    os.truncate(path, int(path.stat().st_size * part))
    with pytest.raises(StoreDamaged):
        everything(open_device())


def everything(device: FieldClient) -> object:
    return device.me(), device.list(), device.queue(), device.problems()


def test_a_missing_store_is_not_replaced_by_an_empty_one(
    device: FieldClient, open_device: OpenDevice, tmp_path: Path
) -> None:
    device.close()
    (tmp_path / "worker.rbk").unlink()
    with pytest.raises(StoreDamaged, match="missing"):
        open_device()


def test_a_damaged_or_missing_key_file_is_told_apart_from_a_wrong_passphrase(
    device: FieldClient, open_device: OpenDevice, tmp_path: Path
) -> None:
    device.close()
    key = tmp_path / "worker.rbk.key"
    content = key.read_bytes()
    for damaged in (content[:-20], content.replace(b'"format":1', b'"format":2'), b"", b"{}"):
        key.write_bytes(damaged)
        with pytest.raises(StoreDamaged, match="key"):
            open_device()
    key.unlink()
    with pytest.raises(StoreDamaged, match="key"):
        open_device()
    key.write_bytes(content)
    open_device()


def test_a_key_file_that_asks_for_absurd_costs_is_refused(
    device: FieldClient, open_device: OpenDevice, tmp_path: Path
) -> None:
    from client_sdk.store import sidecar

    device.close()
    key = tmp_path / "worker.rbk.key"
    content = sidecar.read(key)
    assert content is not None
    content["kdf"]["memory_kib"] = 2**40
    sidecar.write(key, content)
    with pytest.raises(StoreDamaged):
        open_device()


def test_a_full_store_refuses_the_save_and_keeps_the_queue(device: FieldClient) -> None:
    before = device.create("matter", title="before")
    limit_pages(device, 2)
    with pytest.raises(StoreFull):
        fill(device)
    kept = device.list("matter")
    assert kept[0] == before
    assert len(device.queue()) == len(kept)
    limit_pages(device, 10_000)
    device.create("matter", title="after")
    assert device.sync().sent == len(kept) + 1


def fill(device: FieldClient) -> None:
    for n in range(100):
        device.create("matter", title=f"a{n}", narrative="x" * 4_000)


def test_a_full_disk_refuses_the_save_and_keeps_the_queue(open_device: OpenDevice, tmp_path: Path) -> None:
    open_device().close()
    unshare = ["unshare", "--user", "--map-root-user", "--mount"]
    arguments = [
        sys.executable,
        "-m",
        "tests.client.full_disk",
        str(tmp_path / "worker.rbk"),
        PASSPHRASE,
        str(tmp_path / "small"),
    ]
    done = subprocess.run([*unshare, *arguments], capture_output=True, text=True, check=False, cwd=ROOT)
    if "unshare" in done.stderr:  # containers may forbid name spaces, but then often let root mount
        done = subprocess.run(arguments, capture_output=True, text=True, check=False, cwd=ROOT)
    if "cannot mount" in done.stdout:
        return  # nobody may mount a file system here; the limit on pages above stands for the disk then
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["error"] == "StoreFull"
    assert told["saved"] == told["queued"] == told["again"]


def test_an_older_copy_of_the_database_forks_and_keeps_its_ids(
    open_device: OpenDevice, town: Town, tmp_path: Path
) -> None:
    """Failures, row 12: counters reused by a restored device must not swallow its changes."""
    device = open_device()
    device.create("matter", title="sent before the copy")
    device.sync()
    unsent = device.create("matter", title="unsent in the copy")
    device.close()
    shutil.copy(tmp_path / "worker.rbk", tmp_path / "copy")
    device = open_device()
    device.create("matter", title="sent after the copy")
    device.sync()
    device.close()
    shutil.copy(tmp_path / "copy", tmp_path / "worker.rbk")

    restored = open_device()
    entries = restored.queue()
    assert [entry.record for entry in entries] == [unsent.id]
    new = restored.create("matter", title="made in the restored copy")
    report = restored.sync()
    assert report.complete
    assert (report.sent, report.duplicates) == (2, 1)
    epochs = [request.epoch for request in town.requests]
    assert epochs[-1] != epochs[0]
    assert entries[0].id in town.verdicts
    assert new.id in town.states
    assert len({change.id for change in town.taken}) == len(town.taken) == 4
    assert {record.fields["title"] for record in restored.list("matter")} == {
        "sent before the copy",
        "unsent in the copy",
        "sent after the copy",
        "made in the restored copy",
    }


def test_a_store_that_was_not_restored_never_forks(open_device: OpenDevice, town: Town) -> None:
    device = open_device()
    for n in range(3):
        device.create("matter", title=f"a{n}")
        device.sync()
        device.create("matter", title=f"b{n}")
        device.close()
        device = open_device()
    device.sync()
    assert len({request.epoch for request in town.requests}) == 1
    assert [change.n for change in town.taken] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("content", [None, b"", b"garbage", b'{"epoch":"x","counter":3,"check":"0"}'])
def test_a_lost_epoch_file_costs_a_fork_and_nothing_else(
    open_device: OpenDevice, town: Town, tmp_path: Path, content: bytes | None
) -> None:
    device = open_device()
    device.create("matter", title="a")
    device.sync()
    device.create("matter", title="b")
    device.close()
    file = tmp_path / "worker.rbk.epoch"
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    device = open_device()
    assert device.sync().sent == 1
    assert len({request.epoch for request in town.requests}) == 2


def test_the_epoch_file_never_goes_back(tmp_path: Path) -> None:
    path = tmp_path / "x.epoch"
    one, other = EpochFile(path), EpochFile(path)
    one.begin("e")
    one.reach("e", 9)
    other.reach("e", 4)
    assert EpochFile(path).counter == 9


def test_a_server_that_saw_another_copy_makes_this_one_fork(device: FieldClient, town: Town) -> None:
    """Failures, row 12: a folder cloned as a whole looks the same on both machines; the server notices."""
    device.create("matter", title="a")
    turns = [True]

    def fork_once(answer: SyncAnswer) -> SyncAnswer:
        if turns and turns.pop():
            return SyncAnswer(answer.protocol, answer.nonce, answer.server, answer.now, fork=True)
        return answer

    town.after = fork_once
    ids = [entry.id for entry in device.queue()]
    assert device.sync().complete
    first, second = town.requests
    assert first.epoch != second.epoch
    assert sorted(town.verdicts) == sorted(ids)


def test_a_second_sync_on_the_same_store_is_busy(
    device: FieldClient, town: Town, open_device: OpenDevice
) -> None:
    """Failures, row 21: from another thread, and from another opening of the same file."""
    inside, go_on = threading.Event(), threading.Event()

    def hold(_: object) -> None:
        inside.set()
        assert go_on.wait(10)

    town.before = hold
    other = open_device()
    device.create("matter", title="a")
    running = threading.Thread(target=device.sync)
    running.start()
    assert inside.wait(10)
    for client in (device, other):
        with pytest.raises(Busy):
            client.sync()
    saved = other.create("matter", title="saved meanwhile")
    also = device.create("matter", title="saved meanwhile, too")
    go_on.set()
    running.join()
    assert [entry.record for entry in device.queue()] == [saved.id, also.id]
    town.before = lambda _: None
    assert device.sync().sent == 2


def test_the_lock_dies_with_its_process(device: FieldClient, tmp_path: Path) -> None:
    holds = (
        "import sys, time; from pathlib import Path; from client_sdk.store.lock import sync_lock\n"
        "with sync_lock(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    arguments = [sys.executable, "-c", holds, str(tmp_path / "worker.rbk.lock")]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, cwd=ROOT) as child:
        assert child.stdout is not None
        child.stdout.readline()
        with pytest.raises(Busy):
            device.sync()
        child.kill()
    assert device.sync().complete


def test_row_20_unsent_changes_are_never_wiped_or_given_to_another_device(
    device: FieldClient, tmp_path: Path
) -> None:
    """Failures, row 20."""
    draft = device.create("matter", title="draft", draft=True)
    for refused in (device.wipe, lambda: device.enrol("http://town", code="AAAA-BBBB")):
        with pytest.raises(QueueNotEmpty, match="1"):
            refused()
    assert device.get(draft.id).delivery == "draft"
    device.submit(draft)
    device.sync()
    device.wipe()
    assert list(tmp_path.glob("worker.rbk*")) == [tmp_path / "worker.rbk.enrolled"]


def test_a_mistake_of_a_statement_is_not_told_as_a_wiped_store(device: FieldClient) -> None:
    with pytest.raises(StoreDamaged, match="SQLITE_ERROR") as told, device._store.write() as tx:
        tx.run("ALTER TABLE changes ADD COLUMN claim BLOB")  # it is there
    assert "wiped" not in str(told.value)


def test_row_20_another_program_that_has_a_wiped_store_open_saves_nothing_into_the_void(
    device: FieldClient, open_device: OpenDevice
) -> None:
    with open_device() as other:
        device.wipe()
        with pytest.raises(StoreDamaged, match="wiped"):
            other.create("matter", title="nowhere")


def test_another_enrolment_starts_over(device: FieldClient, town: Town) -> None:
    device.create("matter", title="a")
    device.sync()
    before = device.me().device
    device.enrol("http://town", code="AAAA-BBBB")
    assert device.me().device != before
    assert device.list() == []
    assert device.sync().received == 1
    assert len(town.keys) == 2


def test_a_lost_answer_to_an_enrolment_is_asked_for_again_with_the_same_key(
    open_device: OpenDevice, town: Town
) -> None:
    device = open_device(enrol=False)
    whole = town._respond
    town._respond = cut  # type: ignore[assignment,method-assign]  # the town answers otherwise
    with pytest.raises(Offline):
        device.enrol("http://town", code="ABCD-EFGH")
    with pytest.raises(NotEnrolled):
        device.me()
    town._respond = whole  # type: ignore[method-assign]  # as before
    device.enrol("http://town", code="ABCD-EFGH")
    first, second = (key.public_bytes_raw() for key in town.keys.values())
    assert first == second
    assert device.sync().complete


def test_a_store_of_a_newer_program_is_not_touched(device: FieldClient, open_device: OpenDevice) -> None:
    with device._store.write() as tx:
        tx.run(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    device.close()
    with pytest.raises(Incompatible):
        open_device()


def test_saving_from_many_threads_gives_dense_counters(device: FieldClient, town: Town) -> None:
    def save(name: str) -> None:
        for n in range(10):
            device.create("matter", title=f"{name}{n}")

    threads = [threading.Thread(target=save, args=(f"t{n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    device.sync()
    assert [change.n for change in town.taken] == list(range(1, 61))


def test_row_28_tables_have_a_rowid_and_ids_grow(device: FieldClient, town: Town) -> None:
    """Rows lie in the order of their saving, not in that of random keys."""
    ids = [device.create("matter", title=f"{n}").id for n in range(50)]
    device.sync()
    assert ids == sorted(ids)
    changes = [change.id for change in town.taken]
    assert changes == sorted(changes)
    with device._store.read() as tx:
        tables = [sql for (sql,) in tx.rows("SELECT sql FROM sqlite_master WHERE type = 'table'")]
        assert len(tables) > 5
        assert [sql for sql in tables if "WITHOUT ROWID" in sql.upper()] == []
        assert [id_ for (id_,) in tx.rows("SELECT id FROM changes ORDER BY rowid")] == changes
