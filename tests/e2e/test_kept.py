"""What a device keeps for a restored server of records that left it: nobody reads it there, and nothing is lost."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from client_sdk import FieldClient
from server.quarantine.sealed import replay_sealed
from server.recovery import service
from sync_protocol.changes import Act
from sync_protocol.kept import Kept
from tests.e2e.raw import RawDevice
from tests.e2e.village import GRID, PASSPHRASE, TOWN, Village, a_village, assert_converged, settled
from tests.privacy.desk import WORDS, Desk, matter, on_device
from tests.privacy.rows import put_back, taken

CLOSING = (Act("settle", "reported", "settled"), Act("close", "settled", "closed"))


@pytest.fixture
def village(database_url: str, tmp_path: Path) -> Iterator[Village]:
    with a_village(database_url, tmp_path) as prepared:
        yield prepared


@pytest.fixture
def desk(village: Village) -> Desk:
    return Desk(village)


def kept(device: FieldClient) -> list[tuple[str, bool]]:
    """Status of each change that the device still has, and whether it is sealed."""
    with device._store.read() as tx:
        return [(s, bool(x)) for s, x in tx.rows("SELECT status, sealed FROM changes ORDER BY place")]


def closed_matter(village: Village, wang: FieldClient) -> tuple[str, str]:
    """A matter that the device reported, and that was closed: its id and its number."""
    made = matter(wang)
    settled(village, wang)
    number = wang.get(made.id).number
    assert number is not None
    for act in CLOSING:
        assert village.by_clerk(made.id, act=act, reason="当场办结").result == "applied"
    assert on_device(wang)
    settled(village, wang)
    assert made.id not in {one.id for one in wang.list()}
    return made.id, number


def test_what_left_a_device_cannot_be_read_there_and_comes_back_to_a_restored_server(
    village: Village,
) -> None:
    wang = village.device("王芳")
    stays = matter(wang, narrative="还在办。", title="另一件")
    settled(village, wang)
    backup = taken(village)
    record, number = closed_matter(village, wang)
    assert kept(wang) == [("acknowledged", False)] * 3 + [("acknowledged", True)] * 3
    assert WORDS in str(wang.get(stays.id).fields["parties"]), "what it holds it also shows"
    with wang._store.read() as tx:
        said = tx.rows("SELECT payload FROM changes WHERE record = ?", record)
    assert all(WORDS.encode() not in bytes(row[0]) and b"13800138000" not in bytes(row[0]) for row in said)
    put_back(village, backup)
    report = wang.sync()
    assert (report.quarantined, report.complete) == (0, True)
    settled(village, wang)
    state = village.state(record)
    assert (state.number, state.state, WORDS in state.values["narrative"]) == (number, "reported", True)
    assert wang.get(record).number == number
    assert village.quarantine() == {}
    assert wang.problems() == []
    assert_converged(village, wang, GRID)


def test_an_office_that_keeps_the_key_lets_it_wait_in_quarantine(village: Village, desk: Desk) -> None:
    engine = village.services.engine
    private = village.run(service.halves(engine, TOWN))
    village.run(service.noted(engine, TOWN, offline=True, now_ms=village.now_ms))
    wang = village.device("王芳")
    settled(village, wang)
    backup = taken(village)
    record, _ = closed_matter(village, wang)
    put_back(village, backup)
    settled(village, wang)
    assert {one["code"] for one in village.quarantine().values()} == {"sealed"}
    assert (len(village.quarantine()), wang.problems(), wang.queue()) == (3, [], [])
    assert desk.tables_with() == set(), "the server cannot read it either"
    rows = village.rows("changes")
    with wang._store.inner.write() as tx:  # as after a lost answer, and in another epoch
        tx.run("UPDATE changes SET status = 'queued', n = n + 50")
        tx.run("UPDATE meta SET value = '56' WHERE key = 'counter'")
    settled(village, wang)
    assert village.rows("changes") == rows, "sent again it is the same change"

    def brought(*keys: bytes) -> tuple[int, int]:
        services = msgspec.structs.replace(village.services, recovery=keys)
        done = village.run(replay_sealed(services, TOWN))
        return done.taken, done.waiting

    assert brought(bytes(range(32))) == (0, 3)
    assert brought(bytes(range(32)), *private.keys) == (3, 0)
    assert brought(*private.keys) == (0, 0)
    assert village.quarantine() == {}
    state = village.state(record)
    assert (state.state, WORDS in state.values["narrative"]) == ("reported", True)
    settled(village, wang)
    assert wang.get(record).state == "reported"
    assert_converged(village, wang, GRID)


def test_a_rescue_file_carries_it_to_another_device(village: Village) -> None:
    """The server was restored to before this device was enrolled."""
    li = village.device("李强")
    settled(village, li)
    backup = taken(village)
    wang = village.device("王芳")
    record, number = closed_matter(village, wang)
    file = village.folder / "wang.rescue"
    assert wang.rescue(file, answered=True) == 3
    assert WORDS.encode() not in file.read_bytes()
    put_back(village, backup)
    assert li.take_in(file, passphrase=PASSPHRASE) == 3
    assert li.take_in(file, passphrase=PASSPHRASE) == 0
    assert [entry.do for entry in li.queue()] == ["offer"] * 3
    settled(village, li)
    assert (li.get(record).number, WORDS in str(li.get(record).fields)) == (number, True)


def test_nothing_else_takes_its_place(village: Village) -> None:
    """Bound to its township and its id; whatever does not open waits, and blocks nothing."""
    wang, raw = village.device("王芳"), RawDevice(village, "何平")
    closed_matter(village, wang)
    with wang._store.read() as tx:
        (payload,) = tx.row("SELECT payload FROM changes WHERE sealed") or (b"",)
    sealed = msgspec.json.decode(payload, type=Kept)
    moved = msgspec.structs.replace(sealed, id=village.new_id())
    rubbish = msgspec.structs.replace(sealed, id=village.new_id(), sealed="no base64!")
    sent = []
    for one in (moved, rubbish):
        raw.n += 1
        sent.append(msgspec.json.encode(msgspec.structs.replace(one, n=raw.n)))
    answer = raw.sync(*sent, raw.create())
    assert [(v.result, v.code) for v in answer.verdicts] == [("quarantined", "sealed")] * 2 + [
        ("applied", None)
    ]
