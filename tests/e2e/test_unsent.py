"""What is unsent stays, and is said: a device that waits, changes hands, is wiped, or syncs twice at once."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from client_sdk import (
    FieldClient,
    HttpTransport,
    Offline,
    QueueNotEmpty,
    RoundbookError,
    WrongPassphrase,
)
from client_sdk.transport import Response
from tests.e2e.links import Link, dead
from tests.e2e.processes import CHECKOUT, serving
from tests.e2e.village import GRID, NEXT_GRID, PASSPHRASE, START_MS, Clock, Village, assert_converged, settled

HOUR_MS = 3_600_000
DEVICE = [sys.executable, "-c", "from client_sdk.cli import main; main()"]


def test_row_6_waiting_since_is_shown_through_a_partition_of_two_days(village: Village) -> None:
    """The queue says what waits and since when, whatever was tried meanwhile; the first good link empties it."""
    link, clock = Link(village.link), Clock()
    device = village.device("王芳", transport=link, clock=clock)
    device.sync()
    link.up = dead
    saved: list[int] = []
    for hour in range(48):
        clock.at_ms = START_MS + hour * HOUR_MS
        device.create("well", title=f"{hour}")
        saved.append(clock.at_ms)
        with pytest.raises(Offline):
            device.sync()
        assert [(one.status, one.saved_ms // HOUR_MS) for one in device.queue()] == [
            ("queued", at // HOUR_MS) for at in saved
        ]
        assert {one.delivery for one in device.list("well")} == {"waiting"}
    link.up = lambda body: body
    assert device.sync().sent == 48
    assert device.queue() == []
    settled(village, device)


def test_row_20_no_way_of_leaving_loses_what_is_unsent(village: Village) -> None:
    """Another user, wiping, enrolling again, another passphrase: refused with the count. The rescue file carries it."""
    device = village.device("王芳")
    device.create("well", title="draft", draft=True)
    for n in range(4):
        device.create("well", title=f"secret {n}")
    ways = (
        device.wipe,
        lambda: device.enrol("http://loopback", code=village.code("李强")),
        lambda: device.enrol("http://loopback", code=village.code("王芳", NEXT_GRID)),
    )
    for leave in ways:
        with pytest.raises(QueueNotEmpty, match="5"):
            leave()
    device.close()
    with pytest.raises(WrongPassphrase):
        village.open("王芳", passphrase="a new one")
    device = village.open("王芳")
    assert (len(device.queue()), device.me().name) == (5, "王芳")
    rescued = village.folder / "w.rescue"
    assert device.rescue(rescued) == 5
    assert b"secret" not in rescued.read_bytes()
    new = village.device("再来")
    assert [new.take_in(rescued, passphrase=PASSPHRASE) for _ in range(2)] == [5, 0]
    new.sync()
    assert sorted(one.fields["title"] for one in new.list("well")) == [
        "draft",
        *(f"secret {n}" for n in range(4)),
    ]
    with pytest.raises(QueueNotEmpty, match="5"):
        device.wipe()
    draft = next(one for one in device.queue() if one.status == "draft")
    device.submit(device.get(draft.record))
    assert device.sync().duplicates == 5
    assert len(village.held(GRID)) == 5
    device.wipe()
    assert list(village.folder.glob("王芳*")) == []


@pytest.mark.parametrize("left", ["nothing", "the database"])
def test_row_20_a_reinstall_that_took_a_part_says_what_is_missing(village: Village, left: str) -> None:
    """An empty store in place of a lost one would look as if nothing had been there."""
    device = village.device("王芳")
    device.create("well", title="unsent")
    device.close()
    store = village.folder / "王芳.rbk"
    kept = store.read_bytes()
    store.unlink()
    if left == "the database":
        store.write_bytes(kept)
        store.with_name("王芳.rbk.key").rename(village.folder / "key")
    with pytest.raises(RoundbookError, match=r"王芳\.rbk"):
        village.open("王芳")
    if left == "the database":
        (village.folder / "key").rename(store.with_name("王芳.rbk.key"))
    else:
        store.write_bytes(kept)
    device = village.open("王芳")
    assert device.sync().sent == 1


@pytest.mark.slow
def test_row_21_of_two_syncs_in_two_processes_the_second_says_so(village: Village) -> None:
    """The first is held before its answer is taken in; the second, a process of its own, ends and sends nothing."""
    device = village.device("王芳")
    device.create("well", title="once")
    device.close()
    with serving(village.url, village.folder) as (url, _):
        link = Link(HttpTransport(url))
        device = village.open("王芳", transport=link)
        device.set_server(url)
        inside, go_on = threading.Event(), threading.Event()

        def hold(response: Response) -> Response:
            inside.set()
            assert go_on.wait(60)
            return response

        link.down = hold
        first = threading.Thread(target=device.sync)
        first.start()
        try:
            assert inside.wait(60)
            second = command(village.folder / "王芳.rbk", "sync")
            assert second.returncode == 1
            assert "正在同步" in second.stderr
            assert "a sync is running on this store already" in second.stderr
            saved = command(village.folder / "王芳.rbk", "create", "well", "title=meanwhile", "--json")
            assert saved.returncode == 0, saved.stderr
        finally:
            go_on.set()
            first.join()
        link.close()
        assert [one.record for one in device.queue()] == [json.loads(saved.stdout)["id"]]
        device.close()
        assert command(village.folder / "王芳.rbk", "sync").returncode == 0
    assert sorted(row["result"] for row in village.changes().values()) == ["applied", "applied"]
    with FieldClient.open(village.folder / "王芳.rbk", passphrase=PASSPHRASE) as again:
        assert again.queue() == []
        assert_converged(village, again, GRID)


def command(store: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`roundbook-device` in a process of its own."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("ROUNDBOOK_")}
    own = {"PYTHONPATH": str(CHECKOUT), "ROUNDBOOK_STORE": str(store), "ROUNDBOOK_PASSPHRASE": PASSPHRASE}
    return subprocess.run(
        [*DEVICE, *arguments], env={**plain, **own}, capture_output=True, text=True, check=False, timeout=60
    )
