"""Two real devices and the office on one server: what the office decides and replays reaches the devices."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from client_sdk.field import FieldClient
from client_sdk.loopback import LoopbackTransport
from client_sdk.office import OfficeClient
from server.devices.service import give_code
from server.staff import service as staff
from server.staff.service import Candidate
from tests.server.office_server import GRID, NEXT_GRID, TOWN, OfficeServer
from tests.wiring import application

URL = "http://office.test"
PASSPHRASE = "correct horse"


class Village:
    """A server, two enrolled devices of one grid, and an application of the office."""

    def __init__(self, running: OfficeServer, link: LoopbackTransport, folder: Path) -> None:
        self.running, self.link = running, link
        link.run(running.prepare())
        self.office = OfficeClient(URL, token=link.run(running.token()), transport=link)
        self.one, self.two = (self.enrolled(folder, name) for name in ("李四", "王五"))

    def enrolled(self, folder: Path, worker: str) -> FieldClient:
        server = self.running
        engine, random = server.services.engine, server.random
        person = Candidate(worker, "grid_worker", TOWN)
        self.link.run(staff.add(engine, person, now_ms=server.now_ms, random=random))
        given = self.link.run(
            give_code(engine, worker, [GRID], lifetime_ms=600_000, now_ms=server.now_ms, random=random)
        )
        device = FieldClient.open(
            folder / f"{worker}.rbk",
            passphrase=PASSPHRASE,
            clock=lambda: server.now_ms,
            transport=self.link,
            sleep=lambda _: None,
        )
        device.enrol(URL, code=given.code)
        device.sync()
        return device

    def settle(self) -> None:
        """Both devices sync until neither has anything to say."""
        for _ in range(2):
            for device in (self.one, self.two):
                self.running.now_ms += 60_000
                assert device.sync().complete

    def agree(self) -> None:
        """Each device holds exactly what the office reads of the grid, compared value by value (G4)."""
        export = {
            record.id: (record.state, record.number, record.fields)
            for record in self.office.records(grid=GRID, closed=False)
        }
        for device in (self.one, self.two):
            held = {record.id: (record.state, record.number, dict(record.values)) for record in device.list()}
            assert held == export
        assert self.one.digest() == self.two.digest()


@pytest.fixture
def village(database_url: str, tmp_path: Path) -> Iterator[Village]:
    running = OfficeServer(database_url)
    with application(running.services) as running.app, LoopbackTransport(running.app) as link:
        made = Village(running, link, tmp_path)
        yield made
        made.one.close()
        made.two.close()


def reported(village: Village, **fields: Any) -> str:
    matter = village.one.create("matter", grid=GRID, title="路灯不亮", **fields)
    village.one.act(matter, "report")
    village.settle()
    return matter.id


def test_a_decision_travels_to_both_devices(village: Village) -> None:
    """Failures, row 9."""
    record = reported(village)
    for device, people in ((village.one, 5), (village.two, 7)):
        device.update(device.get(record), people_involved=people)
    village.settle()
    (found,) = village.office.conflicts()
    assert [problem.what for problem in village.two.problems()] == ["differs"]
    village.office.resolve(found, pick=found.values[1], reason="两家都在场")
    village.settle()
    for device in (village.one, village.two):
        assert device.get(record).fields["people_involved"] == 7
        assert device.problems() == []
    assert "kept" in [one.what for one in village.two.news()]
    village.agree()


def test_a_replayed_change_comes_back_to_its_device_as_applied(village: Village) -> None:
    record = reported(village)
    moved = village.office.update(village.office.get(record), grid=NEXT_GRID)
    edit = village.one.update(village.one.get(record), narrative="灯杆歪了。")
    village.settle()
    assert edit.delivery == "waiting"
    assert [problem.code for problem in village.one.problems()] == ["not_in_scope"]
    village.agree()

    (waiting,) = village.office.quarantine()
    assert waiting.who.author_name == "李四"
    done = village.office.replay(waiting, reason="确认属实")
    assert [one.result for one in done.taken] == ["applied"]
    village.office.update(moved, grid=GRID)
    village.settle()
    for device in (village.one, village.two):
        assert device.get(record).fields["narrative"] == "灯杆歪了。"
    assert village.one.problems() == []
    assert village.one.get(record).delivery == "received"
    village.agree()


def test_a_discarded_change_leaves_the_device_s_screen(village: Village) -> None:
    record = reported(village)
    village.office.update(village.office.get(record), grid=NEXT_GRID)
    village.one.update(village.one.get(record), narrative="写错了。")
    village.settle()
    (waiting,) = village.office.quarantine()
    village.office.replay(waiting, discard=True, reason="写错了地方")
    village.office.update(village.office.get(record), grid=GRID)
    village.settle()
    assert village.one.get(record).fields["narrative"] is None
    assert village.one.problems() == []
    village.agree()


def test_what_the_office_writes_reaches_the_devices(village: Village) -> None:
    ticket = village.office.create("matter", key="12345:1", township=TOWN, title="噪音")
    village.settle()
    assert village.one.list() == []
    placed = village.office.update(ticket, grid=GRID)
    longer = village.office.append(placed, "measures", text="已联系城管。")
    village.settle()
    held = village.one.get(ticket.id)
    assert held.number == ticket.number
    village.one.update(held, narrative="夜里十点以后。")
    village.office.update(longer, title="夜间噪音")
    village.settle()
    assert village.two.get(ticket.id).fields["title"] == "夜间噪音"
    assert village.office.get(ticket.id).fields["narrative"] == "夜里十点以后。"
    village.agree()
