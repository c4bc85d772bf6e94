"""A device that was stolen: whoever has its files, and not the passphrase, reads nothing.

The files are searched byte by byte, in each encoding in which a text could lie there, and a text that is known
to lie there is found by the same search.
"""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from client_sdk import FieldClient
from tests.e2e.village import GRID, PASSPHRASE, Village
from tests.processes import CHECKOUT

TITLE, NARRATIVE, NAME = "针渠水堵塞needle-title", "针两户争水needle-narrative", "针周秀兰needle-name"
TELEPHONE, PLACE, DRAFT = "13812349876", "针村东头老槐树needle-place", "针草稿未交needle-draft"
TORN = "针写到一半needle-torn"
NEEDLES = (TITLE, NARRATIVE, NAME, TELEPHONE, PLACE, DRAFT, TORN, PASSPHRASE)
ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "gb18030")
DIES_WHILE_WRITING = """
import os, signal, sys
from client_sdk import FieldClient
device = FieldClient.open(sys.argv[1], passphrase=sys.argv[2])
with device._store.write() as tx:
    tx.run("PRAGMA cache_size = 4")  # so that pages of the open transaction are on the disk
    for n in range(400):
        tx.run("INSERT INTO meta VALUES (?, ?)", f"{n} {sys.argv[3]}", (sys.argv[3] * 50).encode())
    os.kill(os.getpid(), signal.SIGKILL)
"""


def readable(folder: Path, *needles: str) -> list[tuple[str, str, str]]:
    """Which needle lies readable in which file, in which encoding."""
    return [
        (file.name, needle, encoding)
        for file in sorted(folder.rglob("*"))
        if file.is_file()
        for needle in needles
        for encoding in ENCODINGS
        if needle.encode(encoding) in file.read_bytes()
    ]


def filled(village: Village) -> FieldClient:
    """A device with everything that a device may hold: sent, waiting, draft, answered, a person's contact."""
    device = village.device("王芳")
    party: dict[str, Any] = {"name": NAME, "contact": TELEPHONE}
    matter = device.create("matter", grid=GRID, nature="dispute", title=TITLE, place_description=PLACE)
    device.append(matter, "parties", **party)
    device.sync()
    device.update(device.get(matter.id), narrative=NARRATIVE)
    device.create("matter", grid=GRID, nature="dispute", title=DRAFT, draft=True)
    return device


def test_no_file_of_a_stolen_device_can_be_read(village: Village, tmp_path: Path) -> None:
    device = filled(village)
    store = tmp_path / "王芳.rbk"
    carried = tmp_path / "carried"
    carried.mkdir()
    device.rescue(carried / "own.rescue", answered=True)
    device.write_request(carried / "own.request")
    with device._store.read() as tx:
        (seed,) = tx.rows("SELECT value FROM meta WHERE key = 'private_key'")[0]
    while_open = readable(tmp_path, *NEEDLES)
    files = {file.name for file in tmp_path.rglob("*") if file.is_file()}
    assert {"王芳.rbk", "王芳.rbk-wal", "own.rescue", "own.request"} <= files, files
    device.close()
    died = subprocess.run(
        [sys.executable, "-c", DIES_WHILE_WRITING, str(store), PASSPHRASE, TORN],
        cwd=CHECKOUT,
        check=False,
        timeout=120,
    )
    assert died.returncode == -signal.SIGKILL
    journal = store.with_name(f"{store.name}-wal")
    assert journal.stat().st_size > 100_000  # pages of the torn transaction
    device_files = [file for file in tmp_path.rglob("*") if "roundbook.db" not in file.name]
    assert while_open == []
    assert readable(tmp_path, *NEEDLES) == []
    for file in device_files:
        if file.is_file():
            content = file.read_bytes()
            assert bytes(seed) not in content, file
            assert b"SQLite format" not in content, file
    again = village.open("王芳")
    assert [one.fields.get("title") for one in again.list() if one.fields.get("title") == DRAFT] == [DRAFT]


def test_the_search_finds_what_is_readable(tmp_path: Path) -> None:
    for encoding in ENCODINGS:
        (tmp_path / encoding).write_bytes(b"\0" + TITLE.encode(encoding) + b"\xff")
    assert [(name, encoding) for name, _, encoding in readable(tmp_path, TITLE)] == [
        (encoding, encoding) for encoding in sorted(ENCODINGS)
    ]


@pytest.mark.parametrize("words", ["", "wrong", PASSPHRASE.upper()])
def test_a_rescue_file_opens_with_its_passphrase_only(village: Village, tmp_path: Path, words: str) -> None:
    from sync_protocol.errors import WrongPassphrase

    device = filled(village)
    device.rescue(tmp_path / "own.rescue")
    other = village.open("李强")
    with pytest.raises(WrongPassphrase):
        other.take_in(tmp_path / "own.rescue", passphrase=words)
    assert other.queue() == []
