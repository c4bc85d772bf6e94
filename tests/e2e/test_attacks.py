"""Many at once, sizes at the limits, kinds that change under way."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from client_sdk import InvalidRecord, Policy
from client_sdk.loopback import LoopbackTransport
from server.app import create_app
from server.services import open_services
from server.settings import Settings
from tests.e2e.links import Link
from tests.e2e.raw import RawDevice
from tests.e2e.village import GRID, NEXT_GRID, TOWN, WELL, Village, assert_converged, holds
from tests.vaults import TEXT

TINY = Policy(page_bytes_max=1_024, page_bytes_min=1_024)


@pytest.fixture
def processes(village: Village) -> Iterator[list[LoopbackTransport]]:
    """Three servers beside each other on one database: each with its own engine, thread and memory."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(LoopbackTransport(create_app(settings, open_services(settings))))
            for settings in [Settings(database=village.url, pool_size=3, master_key=TEXT)] * 3
        ]


def test_row_1_several_servers_and_many_devices_at_once(
    village: Village, processes: list[LoopbackTransport]
) -> None:
    """G3, G4 and row 1: every device talks to another server each time; nobody misses a late commit."""
    links = [Link(village.link) for _ in range(8)]
    devices = [village.device(f"工{n}", GRID, NEXT_GRID, transport=link) for n, link in enumerate(links)]
    shared = devices[0].create("well", grid=GRID, title="shared", visits=0)
    devices[0].sync()
    for device in devices:
        device.sync()

    def work(n: int) -> None:
        device = devices[n]
        for turn in range(6):
            links[n].inner = processes[(n + turn) % len(processes)]
            device.increment(device.get(shared.id), "visits", 1)
            device.append(device.get(shared.id), "measures", text=f"{n}-{turn}")
            device.update(device.get(shared.id), households=100 * n + turn)
            grid = (GRID, NEXT_GRID)[turn % 2]
            device.act(device.create("well", grid=grid, title=f"{n}-{turn}"), "report")
            device.sync(policy=TINY if turn % 2 else None)

    with ThreadPoolExecutor(len(devices)) as pool:
        list(pool.map(work, range(len(devices))))
    for device in devices * 2:
        assert device.sync().complete
    assert len({str(sorted(holds(device).items())) for device in devices}) == 1
    assert_converged(village, devices[0], GRID, NEXT_GRID)
    stands = village.state(shared.id).values
    assert (stands["visits"], len(stands["measures"])) == (48, 48)
    rows = village.changes().values()
    assert len({row["n"] for row in rows}) == len(rows) == 1 + 8 * 6 * 5
    numbers = sorted(row[2] for row in holds(devices[0]).values() if row[2] is not None)
    assert numbers == [f"{TOWN}-2026-{n:05}" for n in range(1, 49)]


def test_row_15_saving_from_many_threads_while_syncs_run(village: Village) -> None:
    """Failures, row 15: what is saved meanwhile stays, and nothing is sent twice."""
    device = village.device("王芳")
    well = device.create("well", title="shared", visits=0)
    done = threading.Event()

    def save(thread: int) -> None:
        for n in range(15):
            device.increment(device.get(well.id), "visits", 1)
            device.create("well", title=f"{thread}-{n}")

    def sync() -> None:
        while not done.is_set():
            device.sync()

    with ThreadPoolExecutor(5) as pool:
        syncing = pool.submit(sync)
        for saving in [pool.submit(save, thread) for thread in range(4)]:
            saving.result()
        done.set()
        syncing.result()
    while device.queue():
        device.sync()
    device.sync()
    assert village.state(well.id).values["visits"] == 60
    assert len(village.held(GRID)) == 61
    assert len(village.changes()) == 1 + 120
    assert_converged(village, device, GRID)


def test_records_near_every_limit(village: Village) -> None:
    link = Link(village.link)
    device, other = village.device("王芳"), village.device("李强", transport=link)
    matter = device.create("matter", title="大", measures=[{"text": "水" * 10} for _ in range(490)])
    note = "𝕏" * 16_000  # 64,000 bytes
    with pytest.raises(InvalidRecord):
        device.update(matter, narrative="𝕏" * 16_500)
    matter = device.update(matter, narrative=note)
    for n in range(10):
        matter = device.append(matter, "measures", text=f"{n} " + "水" * 1_000)
    with pytest.raises(InvalidRecord):
        device.append(matter, "measures", text="500")
    big = device.create("well", title="大", measures=[{"text": "水" * 20} for _ in range(500)])
    with pytest.raises(InvalidRecord):
        device.create("well", title="大", measures=[{"text": "水" * 50} for _ in range(500)])
    report = device.sync()
    assert (report.complete, report.quarantined) == (True, 0)
    assert other.sync(policy=TINY).complete
    assert_converged(village, other, GRID)
    entry = next(iter(other.get(big.id).fields["measures"]))
    other.edit_entry(other.get(big.id), "measures", entry, text="改")
    other.remove_entry(other.get(matter.id), "measures", next(iter(other.get(matter.id).fields["measures"])))
    other.append(other.get(matter.id), "measures", text="another")
    other.sync()
    device.sync(policy=TINY)
    assert len(device.get(matter.id).fields["measures"]) == 500
    assert_converged(village, device, GRID)
    sizes = [len(response.body) for response in link.got]
    assert max(sizes) < 2**19


def second_version() -> str:
    text = WELL.read_text(encoding="utf-8").replace("version = 1", "version = 2")
    return text.replace(
        "[workflow]\n",
        '[fields.owner]\ntype = "text"\nmerge = "latest"\nprivacy = "plain"\n'
        'title = { zh = "管护人", en = "Keeper" }\nmax_length = 50\n\n[workflow]\n',
        1,
    )


def test_row_23_a_kind_is_upgraded_in_the_middle(village: Village) -> None:
    """Failures, row 23: old and new versions side by side; a version that comes too early waits for its kind."""
    old, new, early = village.device("王芳"), village.device("李强"), RawDevice(village, "赵敏")
    well = old.create("well", title="a")
    old.sync(), new.sync()
    too_early = early.change(record=well.id, version=2, base=2**50, fields={"owner": "老赵", "title": "b"})
    (verdict,) = early.sync(too_early).verdicts
    assert (verdict.result, verdict.code) == ("quarantined", "unknown_version")
    old.update(old.get(well.id), households=3)
    village.install(second_version())
    village.office("POST", f"/v1/quarantine/{too_early['id']}/replay", {})
    new.sync()
    assert new.get(well.id).fields["owner"] == "老赵"
    new.update(new.get(well.id), owner="老钱")
    new.sync()
    assert old.sync().quarantined == 0  # its edit was made with version 1
    shown = old.get(well.id).fields
    assert (shown["owner"], shown["households"], shown["title"]) == ("老钱", 3, "b")
    old.update(old.get(well.id), owner=None)
    old.sync(), new.sync()
    assert new.get(well.id).fields["owner"] is None
    for device in (old, new):
        assert_converged(village, device, GRID)


def test_drafts_deletions_and_old_screens_in_strange_orders(village: Village) -> None:
    one, two = village.device("王芳"), village.device("李强")
    draft = one.create("well", title="草稿", draft=True)
    one.update(draft, note="n")
    one.submit(draft), one.submit(draft)
    one.update(draft, title="from the draft's screen")
    torn = one.create("well", title="torn", draft=True)
    one.delete(torn)
    gone = one.create("well", title="gone", measures=[{"text": "one"}], tags=["pump"])
    one.sync(), two.sync()
    screen, theirs = one.get(gone.id), two.get(gone.id)
    (entry,) = screen.fields["measures"]
    one.remove_entry(screen, "measures", entry)
    one.edit_entry(screen, "measures", entry, text="two")
    one.delete(screen)
    one.delete(screen)
    two.edit_entry(theirs, "measures", entry, text="three")
    two.add(theirs, "tags", "road"), two.discard(theirs, "tags", "pump"), two.add(theirs, "tags", "fence")
    two.increment(theirs, "visits", -3)
    two.delete(theirs)
    one.sync(), two.sync(), one.sync()
    for device in (one, two):
        assert_converged(village, device, GRID)
        assert [e for e in device.queue() if e.status != "quarantined"] == []
    assert one.get(draft.id).fields["title"] == "from the draft's screen"
    assert torn.id not in village.held(GRID)
    state = village.state(gone.id)
    assert state.deleted or state.values["tags"] == ["fence", "road"]
    results = {row["result"] for row in village.changes().values()}
    assert results <= {"applied", "merged", "conflict"}
