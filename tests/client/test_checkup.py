"""`roundbook-device doctor`: each damaged state that a test can make, told apart, with what to do; nothing changed."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from client_sdk import FieldClient
from client_sdk.checkup import Look, look
from client_sdk.cli import main
from client_sdk.store.epoch import EpochFile
from tests.client.conftest import PASSPHRASE, OpenDevice


@pytest.fixture
def store(device: FieldClient, tmp_path: Path) -> Path:
    """A closed store: one record received, one change waiting."""
    device.create("matter", title="received")
    device.sync()
    device.create("matter", title="waiting")
    device.close()
    return tmp_path / "worker.rbk"


def beside(store: Path, kind: str) -> Path:
    return store.with_name(f"{store.name}.{kind}")


def found(store: Path, passphrase: str = PASSPHRASE) -> dict[str, Look]:
    before = {path.name: path.read_bytes() for path in store.parent.glob(f"{store.name}*")}
    looks = {one.name: one for one in look(store, passphrase)}
    assert all(one.do for one in looks.values() if one.state != "well")
    after = {path.name: path.read_bytes() for path in store.parent.glob(f"{store.name}*")}
    assert {name: after.get(name) for name in before} == before
    return looks


def bad(looks: dict[str, Look]) -> set[str]:
    return {name for name, one in looks.items() if one.state == "bad"}


def test_a_sound_store(store: Path) -> None:
    looks = found(store)
    assert bad(looks) == set()
    assert {name: one.state for name, one in looks.items() if one.state != "well"} == {"device": "note"}
    assert "1 changes are not sent" in looks["device"].says


def _cut(store: Path) -> None:
    data = store.read_bytes()
    store.write_bytes(data[: len(data) // 2])


def _scratch(store: Path) -> None:
    data = bytearray(store.read_bytes())
    data[len(data) // 2] ^= 0xFF
    store.write_bytes(data)


DAMAGE: dict[str, tuple[Callable[[Path], object], set[str]]] = {
    "missing": (lambda store: store.unlink(), {"store"}),
    "empty": (lambda store: store.write_bytes(b""), {"store"}),
    "cut short": (_cut, {"content", "store_damaged"}),
    "a damaged page": (_scratch, {"content", "store_damaged"}),
    "no key file": (lambda store: beside(store, "key").unlink(), {"key"}),
    "a damaged key file": (lambda store: beside(store, "key").write_text("{}"), {"key"}),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_files(store: Path, damage: str) -> None:
    work, one_of = DAMAGE[damage]
    work(store)
    assert bad(found(store)) <= one_of
    assert bad(found(store))


def test_a_wrong_passphrase(store: Path) -> None:
    assert bad(found(store, "another")) == {"wrong_passphrase"}


def test_nothing_there(tmp_path: Path) -> None:
    assert bad(found(tmp_path / "none.rbk")) == {"store"}


def test_copies_of_another_age_are_explained(store: Path, open_device: OpenDevice) -> None:
    for kind in ("", "epoch"):
        path = beside(store, kind) if kind else store
        shutil.copyfile(path, path.with_name(f"old-{path.name}"))
    with open_device() as device:
        device.sync()
    beside(store, "epoch").rename(store.with_name("new-epoch"))
    assert "missing" in found(store)["epoch"].says
    shutil.copyfile(store.with_name("old-worker.rbk.epoch"), beside(store, "epoch"))
    assert "the epoch file is an older copy" in found(store)["epoch"].says
    shutil.copyfile(store.with_name("new-epoch"), beside(store, "epoch"))
    shutil.copyfile(store.with_name("old-worker.rbk"), store)
    EpochFile(beside(store, "epoch")).reach(EpochFile(beside(store, "epoch")).epoch or "", 99)
    assert "the store is an older copy" in found(store)["epoch"].says


def test_records_and_edits_that_do_not_hang_together(store: Path, open_device: OpenDevice) -> None:
    with open_device() as device:
        (received,) = device.list(delivery="received")
        device.sync()
        device.update(device.get(received.id), title="edited")
        with device._store.write() as tx:
            tx.run("UPDATE records SET state = 'done' WHERE id <> ?", received.id)
            tx.run("DELETE FROM records WHERE id = ?", received.id)
            tx.run("DELETE FROM reports WHERE record = ?", received.id)
    looks = found(store)
    assert bad(looks) == {"records"}
    assert looks["queue"].state == "note"


def test_a_store_of_another_version(store: Path, open_device: OpenDevice) -> None:
    for version, state in ((99, "bad"), (1, "note")):
        with open_device() as device, device._store.write() as tx:
            (now,) = tx.row("PRAGMA user_version") or (0,)
            tx.run(f"PRAGMA user_version = {version}")
        assert found(store)["schema"].state == state
        from client_sdk.store import keyfile
        from client_sdk.store.database import Database

        database = Database(store, keyfile.unwrap(beside(store, "key"), PASSPHRASE) or b"")
        with database.write() as tx:
            tx.run(f"PRAGMA user_version = {now}")
        database.close()


def test_the_command(
    store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ROUNDBOOK_PASSPHRASE", PASSPHRASE)
    key = beside(store, "key")
    for there, code in ((True, 0), (False, 1)):
        if not there:
            key.unlink()
        with pytest.raises(SystemExit) as ended:
            main(["--store", str(store), "doctor", "--json"])
        assert (ended.value.code, json.loads(capsys.readouterr().out)["ok"]) == (code, code == 0)
    with pytest.raises(SystemExit):
        main(["--store", str(store), "doctor"])
    told = capsys.readouterr().out
    assert "密钥文件" in told
    assert "BAD" in told
