"""Whole rounds: real devices, the real server, links and clocks that fail. Each guarantee from end to end."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest

from client_sdk import (
    InvalidRecord,
    LinkBroken,
    NotFound,
    Offline,
    Policy,
    QueueNotEmpty,
    Response,
    Revoked,
)
from sync_protocol.changes import Act
from tests.e2e.links import Link, dead, lost, times
from tests.e2e.village import (
    GRID,
    NEXT_GRID,
    PASSPHRASE,
    START_MS,
    TOWN,
    Clock,
    Village,
    assert_converged,
    everything_local,
    holds,
    reported,
    settled,
)

TINY = Policy(page_bytes_max=1_024, page_bytes_min=1_024)
YEAR_MS = 365 * 24 * 3_600_000
SECRET = "周某某要求保密"


def test_five_up_and_five_down_take_one_round_trip(village: Village) -> None:
    link = Link(village.link)
    one, other = village.device("王芳", transport=link), village.device("李强")
    one.sync(), other.sync()
    for n in range(5):
        other.create("well", title=f"theirs {n}")
        one.create("well", title=f"ours {n}")
    other.sync()
    before = link.exchanges
    report = one.sync()
    assert (link.exchanges - before, report.round_trips) == (1, 1)
    assert (report.sent, report.applied, report.received, report.complete) == (5, 5, 5, True)
    assert len(one.list("well")) == 10
    settled(village, one, other)


def test_two_workers_and_the_office_on_the_same_matter(village: Village) -> None:
    """G1 to G8 on one record with a field for each merge rule."""
    one, other = village.device("王芳"), village.device("李强")
    well = reported(one, note="井台完好。水泵有异响。水质清澈。", households=5, tags=["pump"])
    one.sync(), other.sync()
    mine, theirs = one.get(well.id), other.get(well.id)
    assert mine.number == theirs.number == f"{TOWN}-2026-00001"
    one.update(mine, households=6, title="村东老井", note="井台开裂。水泵有异响。水质清澈。", depth=7.5)
    one.increment(mine, "visits", 2)
    one.add(mine, "tags", "road")
    one.append(mine, "measures", text="装护栏")
    other.update(theirs, households=7, note="井台完好。水泵有异响。水质浑浊。", depth=8.5)
    other.increment(theirs, "visits", 3)
    other.discard(theirs, "tags", "pump")
    other.append(theirs, "measures", text="修水泵")
    etag = village.office("GET", f"/v1/records/{well.id}")["version"]
    seen = {"if-match": f'"{etag}"'}
    edit = {"fields": {"households": 9}, "entries": {"measures": {"append": [{"text": "镇里拨款"}]}}}
    assert village.ask("PATCH", f"/v1/records/{well.id}", edit, seen).status == 200
    settled(village, one, other)
    assert holds(one) == holds(other)
    assert one.digest() == other.digest()
    fields = one.get(well.id).fields
    assert (fields["households"], fields["title"], fields["depth"], fields["visits"]) == (
        9,
        "村东老井",
        8.5,
        5,
    )
    assert (fields["note"], fields["tags"]) == ("井台开裂。水泵有异响。水质浑浊。", ["road"])
    assert sorted(entry["text"] for entry in fields["measures"].values()) == ["修水泵", "装护栏", "镇里拨款"]
    (conflict,) = village.office("GET", "/v1/conflicts")["conflicts"]
    shown = village.office("GET", f"/v1/conflicts/{conflict['id']}")
    assert {side["value"] for side in shown["values"]} == {6, 7, 9}
    ((problem,), (their_problem,)) = one.problems(), other.problems()
    assert (problem.values["households"].own, their_problem.values["households"].own) == (6, 7)
    pick = next(side["change"] for side in shown["values"] if side["value"] == 7)
    village.office("POST", f"/v1/conflicts/{conflict['id']}/resolve", {"pick": pick, "reason": "入户核实"})
    settled(village, one, other)
    assert one.get(well.id).fields["households"] == other.get(well.id).fields["households"] == 7
    left = [problem for device in (one, other) for problem in device.problems()]
    assert not [problem for problem in left if "households" in problem.values]
    rows = village.changes()
    assert {row["result"] for row in rows.values()} == {"applied", "merged", "conflict"}


PORTALS: tuple[tuple[int, str, bytes], ...] = (
    (200, "text/html", b"<html>login</html>"),
    (200, "application/json", b"{}"),
    (200, "application/json", b""),
    (200, "application/json", b"\xff"),
    (200, "application/json", b"[" * 100_000),
    (200, "application/json", b'{"protocol":"2026-11-21","nonce":"x","server":"y:1","now":1,"verdicts":[]}'),
    (302, "text/html", b""),
    (204, "", b""),
    (403, "text/html", b"blocked"),
    (401, "text/html", b"pay"),
    (404, "application/json", b'{"code":"not_found"}'),
    (500, "application/problem+json", b'{"code":"internal"}'),
    (413, "application/problem+json", b"\xff"),
)


def test_row_5_what_a_captive_portal_says_is_no_answer(village: Village) -> None:
    """Failures, row 5; G2."""
    link = Link(village.link)
    device = village.device("王芳", transport=link)
    well = reported(device)
    waiting, before = device.queue(), holds(device)
    for status, kind, body in PORTALS:
        said = Response(status, {"content-type": kind}, body)
        link.down = lambda _, said=said: said  # type: ignore[misc]  # a lambda with a default
        with pytest.raises(Offline):
            device.sync()
        assert (device.queue(), holds(device)) == (waiting, before)
    old = link.got[0]
    link.down = lambda _: old  # an answer of this very server, to another request
    with pytest.raises(Offline):
        device.sync()
    assert device.queue() == waiting
    link.down = lambda response: response
    assert device.sync().duplicates == 2
    assert device.get(well.id).number is not None
    assert len(village.changes()) == 2


def test_row_11_a_verdict_that_brings_no_cursor_ends_nothing(village: Village) -> None:
    """Failures, rows 5 and 11; G2. A proxy sends the request twice, and the answer to the second one arrives.

    Should the server be restored now, only a cursor of this time could tell it what it has forgotten. Found by the
    simulation: the change counted as received, and nobody offered it again.
    """
    link = Link(village.link)
    device = village.device("王芳", transport=link)
    device.sync()
    well = reported(device)
    answers: list[Response] = []

    class Twice:
        def exchange(self, *request: Any) -> Response:
            village.link.exchange(*request)
            answers.append(village.link.exchange(*request))
            return answers[-1]

        def close(self) -> None: ...

    link.inner = Twice()
    link.up = lambda body: dead(body) if answers else body
    device.sync()
    assert link.answer.serial is not None
    assert [one.duplicate for one in link.answer.verdicts] == [True, True]
    assert [one.status for one in device.queue()] == ["queued", "queued"]
    link.up, link.inner = lambda body: body, village.link
    assert device.sync().duplicates == 2
    assert device.get(well.id).delivery == "received"
    assert len(village.changes()) == 2


def test_row_2_the_server_dies_between_commit_and_answer(village: Village) -> None:
    """Failures, row 2; G3: whatever is lost how often, each change counts once."""
    link = Link(village.link)
    device = village.device("王芳", transport=link)
    well = reported(device, visits=1)
    for n in range(1, 4):
        link.down = times(n, lost)  # type: ignore[assignment]  # the link fails on purpose
        device.increment(device.get(well.id), "visits", 1)
        device.append(device.get(well.id), "measures", text=f"{n}")
        assert device.sync().complete
    assert device.get(well.id).fields["visits"] == 4
    assert len(device.get(well.id).fields["measures"]) == 3
    assert len(village.changes()) == 8
    settled(village, device)


@pytest.mark.parametrize("way", ["up", "down"])
def test_a_link_that_is_cut_at_every_second_byte(village: Village, way: str) -> None:
    """Up: the server gets a torn body. Down: the device does. At the end every change is there, once."""
    link = Link(village.link)
    device, other = village.device("王芳", transport=link), village.device("李强")
    well = reported(device)
    device.sync()
    device.increment(well, "visits", 1)
    device.append(device.get(well.id), "measures", text="装护栏")
    at = 0

    def torn_up(body: bytes) -> bytes:
        nonlocal at
        at += 2
        return body[: at - 2]

    def torn_down(response: Response) -> Response:
        nonlocal at
        if way == "up":
            return lost(response) if response.status != 200 else response
        at += 2
        if at % 4:
            raise LinkBroken("cut", 100, at)
        return msgspec.structs.replace(response, body=response.body[: at - 2])

    link.up, link.down = (torn_up if way == "up" else link.up), torn_down
    report = device.sync(policy=Policy(attempts_max=2_000))
    assert (report.complete, report.sent) == (True, 2)
    assert link.exchanges > 90
    assert at > (len(link.sent[-1]) if way == "up" else len(link.got[-1].body))
    assert device.queue() == []
    assert len(village.changes()) == 4
    settled(village, device, other)
    assert other.get(well.id).fields["visits"] == 1
    assert len(other.get(well.id).fields["measures"]) == 1


def test_row_6_partitions_of_every_length(village: Village) -> None:
    """Failures, row 6: the upload goes on by itself within a sync, and with the next one after that."""
    link = Link(village.link)
    device = village.device("王芳", transport=link)
    made = 0
    for broken in (dead, lost):
        for length in range(12):
            device.create("well", title=f"{made}")
            made += 1
            hook = times(length, broken)
            link.up, link.down = lambda body: body, lambda response: response
            setattr(link, "up" if broken is dead else "down", hook)
            for _ in range(length // 5):
                with pytest.raises(Offline):
                    device.sync()
                assert len(device.queue()) == 1
            assert device.sync().complete
            assert device.queue() == []
    assert len(village.held(GRID)) == made
    settled(village, device)


CLOCKS = (0, 4_070_908_800_000, START_MS - 30 * YEAR_MS, START_MS + 20 * YEAR_MS, -1_000_000, START_MS)


def test_row_10_clocks_from_1970_to_2099_and_jumps(village: Village) -> None:
    """Failures, row 10; G8: nothing is refused, nothing lies before a contact or after its receipt."""
    clocks = [Clock(at) for at in CLOCKS]
    devices = [village.device(f"钟{n}", clock=clock) for n, clock in enumerate(clocks)]
    well = reported(devices[0])
    settled(village, *devices)
    for turn in range(3):
        for n, (device, clock) in enumerate(zip(devices, clocks, strict=True)):
            device.update(device.get(well.id), title=f"{turn}-{n}")
            clock.at_ms = CLOCKS[(n + turn + 1) % len(CLOCKS)]  # between the save and the sync
            device.create("well", title=f"own {turn}-{n}")
            assert device.sync().complete
            clock.at_ms += (-1) ** turn * YEAR_MS
    settled(village, *devices)
    rows = village.changes().values()
    assert all(START_MS <= row["stamp_ms"] <= row["received_ms"] for row in rows)
    assert all(0 <= row["uncertainty_ms"] <= row["received_ms"] for row in rows)
    # The clock of 2099 does not win for ever: whoever has seen everything writes last.
    last = devices[0].update(devices[0].get(well.id), title="last")
    settled(village, *devices)
    assert {device.get(last.id).fields["title"] for device in devices} == {"last"}
    assert len(village.held(GRID)) == 1 + 3 * len(CLOCKS)


def test_row_7_a_worker_is_moved_with_unsent_edits(village: Village) -> None:
    """Failures, row 7; G5: at rest nothing out of scope, and what was edited before is in quarantine."""
    worker, stays = village.device("王芳", GRID, NEXT_GRID), village.device("李强", NEXT_GRID)
    old = reported(stays, note=SECRET)
    settled(village, stays, worker)
    stays.sync()
    newer = stays.update(stays.get(old.id), note=f"{SECRET}，新")
    edited = worker.update(worker.get(old.id), households=4)
    made = worker.create("well", grid=NEXT_GRID, title="没来得及报")
    village.set_grids(worker, GRID)
    stays.sync()
    report = worker.sync()
    assert (report.quarantined, report.removed, report.complete) == (2, 1, True)
    assert {problem.code for problem in worker.problems()} == {"not_in_scope"}
    assert len(village.quarantine()) == 2
    local = everything_local(worker)
    assert SECRET not in local
    assert newer.fields["note"] not in local
    assert old.number is None or old.number not in local
    assert worker.list(grid=NEXT_GRID, delivery="received") == []
    for change in village.quarantine():
        village.office("POST", f"/v1/quarantine/{change}/replay", {})
    worker.sync(), stays.sync()
    assert worker.problems() == []
    assert stays.get(old.id).fields["households"] == 4
    assert stays.get(made.id).fields["title"] == "没来得及报"
    assert SECRET not in everything_local(worker)
    for record in (edited, made):
        with pytest.raises(NotFound):
            worker.get(record.id)
    assert_converged(village, worker, GRID)
    assert_converged(village, stays, NEXT_GRID)


def test_a_revoked_device_hands_in_and_reads_nothing(village: Village) -> None:
    """Failures, row 8."""
    device, other = village.device("王芳"), village.device("李强")
    well = reported(device)
    settled(village, device, other)
    device.update(device.get(well.id), title="改了")
    device.create("well", title="没报的")
    other.create("well", title=SECRET)
    other.sync()
    village.revoke(device.me().device)
    with pytest.raises(Revoked):
        device.sync()
    assert len(village.quarantine()) == 2
    assert not list(village.folder.glob("王芳*"))
    for use in (device.list, device.queue, device.sync):
        with pytest.raises(Revoked):
            use()
    assert len(village.quarantine()) == 2


def test_row_20_a_device_is_not_wiped_while_anything_is_unsent(village: Village) -> None:
    """Failures, row 20."""
    device = village.device("王芳")
    draft = device.create("well", title="草稿", draft=True)
    for _ in range(2):
        with pytest.raises(QueueNotEmpty, match="1"):
            device.wipe()
        with pytest.raises(QueueNotEmpty):
            device.enrol("http://loopback", code=village.code("王芳"))
        draft = device.submit(draft)
    device.sync()
    device.wipe()
    assert list(village.folder.glob("王芳*")) == []
    assert village.held(GRID)[draft.id][3] == {"title": "草稿"}


def test_row_22_registration_numbers_have_no_gaps(village: Village) -> None:
    """Failures, row 22: many devices at once, with refused changes and lost answers between."""
    links = [Link(village.link) for _ in range(6)]
    devices = [village.device(f"工{n}", transport=link) for n, link in enumerate(links)]

    def work(n: int) -> None:
        device, link = devices[n], links[n]
        for turn in range(5):
            reported(device)
            device.create("well", title="只是草稿")
            link.down = times(turn % 2, lost)  # type: ignore[assignment]  # the link fails on purpose
            device.sync()

    with ThreadPoolExecutor(len(devices)) as pool:
        list(pool.map(work, range(len(devices))))
    settled(village, *devices)
    numbers = sorted(number for _, _, number, _ in village.held(GRID).values() if number is not None)
    assert numbers == [f"{TOWN}-2026-{n:05}" for n in range(1, 31)]


def test_row_24_what_the_office_returns_is_corrected(village: Village) -> None:
    """Failures, row 24."""
    device = village.device("王芳")
    well = reported(device)
    device.sync()
    act = Act("return", "reported", "returned", "请补充户数")
    verdict = village.by_clerk(well.id, act=act, reason="请补充户数")
    assert verdict.result == "applied", verdict
    device.sync()
    (problem,) = device.problems()
    assert (problem.what, problem.record.state, problem.record.delivery) == (
        "returned",
        "returned",
        "attention",
    )
    again = problem.answer("resubmit", note="已补充", households=3)
    assert again is not None
    device.sync()
    assert (device.get(well.id).state, device.problems()) == ("reported", [])
    assert device.get(well.id).number == f"{TOWN}-2026-00001"
    assert village.state(well.id).values["households"] == 3


def test_row_30_an_edit_of_an_old_screen(village: Village) -> None:
    """Failures, row 30: the base is what the screen showed, whatever pages have come meanwhile."""
    device, other = village.device("王芳"), village.device("李强")
    well = reported(device, households=5)
    settled(village, device, other)
    screen = device.get(well.id)
    other.update(other.get(well.id), households=8)
    other.sync(), device.sync()
    assert device.get(well.id).fields["households"] == 8
    device.update(screen, households=6)
    assert device.sync().conflicts == 1
    assert device.get(well.id).fields["households"] == 8
    by_version = device.update(well.id, base=screen.version, households=7)
    assert by_version.fields["households"] == 7
    assert device.sync().conflicts == 1
    assert device.sync().complete
    fresh = device.update(device.get(well.id), households=9)
    device.sync()
    assert device.get(fresh.id).fields["households"] == 9
    (conflict,) = village.office("GET", "/v1/conflicts")["conflicts"]
    values = village.office("GET", f"/v1/conflicts/{conflict['id']}")["values"]
    assert {8, 6, 7} <= {side["value"] for side in values}
    settled(village, device, other)


def test_row_12_a_device_restored_or_cloned_forks_and_everything_arrives_once(village: Village) -> None:
    """Failures, row 12."""
    device = village.device("王芳")
    device.create("well", title="before")
    device.sync()
    device.create("well", title="in both copies")
    device.close()
    for file in list(village.folder.glob("王芳.rbk*")):
        (village.folder / file.name.replace("王芳", "副本")).write_bytes(file.read_bytes())
    copies = [village.open("王芳", passphrase=PASSPHRASE), village.open("副本", passphrase=PASSPHRASE)]
    for n in range(3):
        for name, copy in zip("AB", copies, strict=True):
            copy.create("well", title=f"{name}{n}")
            assert copy.sync().complete
    titles = sorted(values["title"] for _, _, _, values in village.held(GRID).values())
    assert titles == ["A0", "A1", "A2", "B0", "B1", "B2", "before", "in both copies"]
    for copy in copies:
        copy.sync()
        assert copy.queue() == []
        assert_converged(village, copy, GRID)


def test_what_the_server_would_not_take_is_refused_at_the_save(village: Village) -> None:
    """A worker hears of it while there is something to be done, and the queue has no dead weight."""
    device = village.device("王芳")
    well = reported(device)
    wrong: tuple[Any, ...] = ("a\0b", "\ud800", "x\udfff", 7)
    for said in wrong:
        for name in ("note", "reason"):
            with pytest.raises(InvalidRecord):
                device.act(well, "settle", **{name: said})
        with pytest.raises(InvalidRecord):
            device.update(well, title=said)
        with pytest.raises(InvalidRecord):
            device.create("well", title=said)
        with pytest.raises(InvalidRecord):
            device.append(well, "measures", text=said)
        with pytest.raises(InvalidRecord):
            device.add(well, "tags", said)
    for by in (2**31 + 1, -(2**31) - 1, 2**70, 0.5, float("nan"), True):
        with pytest.raises(InvalidRecord):
            device.increment(well, "visits", by)
        with pytest.raises(InvalidRecord):
            device.update(well, visits=by)
    assert len(device.queue()) == 2
    texts = ("👨‍👩‍👧‍👦" * 14, "\u202eabc", "\ufeffx", "e\u0301", "\uffff\U0010ffff", "   ", "\u2028\x7f\x01")
    for text in texts:
        device.update(device.get(well.id), title=text)
    device.increment(device.get(well.id), "visits", 2**31)
    report = device.sync()
    assert (report.quarantined, report.applied) == (0, 2 + len(texts) + 1)
    settled(village, device)
