"""Failures, rows 8 and 20: a device is revoked at every moment of a sync. All it had arrives once, then it is wiped."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from client_sdk import FieldClient, LinkBroken, Offline, Policy, QueueNotEmpty, Response, Revoked
from client_sdk.store import keyfile
from client_sdk.transport import TOTAL_S
from tests.e2e.village import PASSPHRASE, Village, reported

SMALL = Policy(changes_max=2, attempts_max=3)


class Death(BaseException):
    """The program is killed."""


class Link:
    """Revokes before or after an exchange, by its number, and loses the answers that a test says."""

    def __init__(self, village: Village) -> None:
        self.village = village
        self.revoked_at: tuple[str, int] = ("", 0)
        self.device = ""
        self.lost: set[int] = set()
        self.made = 0

    def exchange(
        self, method: str, path: str, headers: dict[str, str], body: bytes, timeout_s: float = TOTAL_S
    ) -> Response:
        del timeout_s
        self.made += 1
        if self.revoked_at == ("before", self.made):
            self.village.revoke(self.device)
        answer = self.village.link.exchange(method, path, headers, body)
        if self.revoked_at == ("after", self.made):
            self.village.revoke(self.device)
        if self.made in self.lost:
            raise LinkBroken("cut")
        return answer

    def close(self) -> None: ...


def filled(village: Village, link: Link) -> tuple[FieldClient, set[str]]:
    """A device that holds a record, and seven unsent changes, two of them of a draft; and their ids."""
    device = village.device("王芳", transport=link)
    first = reported(device)
    device.sync()
    device.update(first, note="改过")
    for _ in range(2):
        reported(device)
    draft = device.create("well", title="草稿", draft=True)
    device.update(draft, note="还没写完")
    link.made = 0
    return device, {entry.id for entry in device.queue()}


def to_the_end(village: Village, device: FieldClient, link: Link) -> None:
    """Syncs again and again, opened anew each time, until the device knows that it was revoked."""
    for _ in range(20):
        try:
            device.sync(policy=SMALL)
        except Revoked:
            if not (village.folder / "王芳.rbk").exists():
                return
        except Offline:
            pass
        device.close()
        try:
            device = village.open("王芳", transport=link, to_sync=True)
        except Revoked:
            return
    raise AssertionError("it never learns")


def assert_handed_in(village: Village, ids: set[str]) -> None:
    """Each change is stored once, and nothing of the device is left but files that nobody made."""
    stored = village.changes()
    assert ids <= stored.keys()
    assert len(stored) == len(ids) + 2
    left = sorted(path.name for path in village.folder.iterdir() if path.name.startswith("王芳"))
    assert left == []


@pytest.mark.parametrize("at", range(1, 5))
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("lost", [set(), {1, 3}])
def test_row_8_revoked_around_each_exchange(village: Village, at: int, when: str, lost: set[int]) -> None:
    link = Link(village)
    device, ids = filled(village, link)
    link.device, link.revoked_at, link.lost = device.me().device, (when, at), lost
    to_the_end(village, device, link)
    assert_handed_in(village, ids)


@pytest.mark.parametrize("at", range(1, 15, 3))
def test_row_8_a_program_that_dies_at_a_step_ends_all_the_same(village: Village, at: int) -> None:
    """Revoked from the start, killed after the step `at`, opened again."""
    link = Link(village)
    device, ids = filled(village, link)
    village.revoke(device.me().device)
    steps: list[Any] = []

    def die(progress: Any) -> None:
        steps.append(progress)
        if len(steps) == at:
            raise Death

    try:
        device.sync(die, policy=SMALL)
    except (Death, Revoked):
        device.close()
    if (village.folder / "王芳.rbk").exists():
        try:
            device = village.open("王芳", transport=link, to_sync=True)
        except Revoked:
            pass
        else:
            to_the_end(village, device, link)
    assert_handed_in(village, ids)


def test_row_8_nothing_is_shown_or_saved_between_the_answer_and_the_wipe(village: Village) -> None:
    link = Link(village)
    device, ids = filled(village, link)
    other = village.open("王芳", transport=link)  # another program that has the store open
    village.revoke(device.me().device)
    link.lost = set(range(2, 30))
    assert not device.sync(policy=SMALL).complete  # the first answer came, and said so
    for client in (device, other):
        for use in (client.list, client.queue, client.me, lambda c=client: c.create("well", title="井")):
            with pytest.raises(Revoked):
                use()
        with pytest.raises(Revoked):
            client.rescue(village.folder / "x.rescue")
    device.close()
    other.close()
    with pytest.raises(Revoked, match="the next sync hands in"):
        village.open("王芳", transport=link)
    link.lost = set()
    to_the_end(village, village.open("王芳", transport=link, to_sync=True), link)
    assert_handed_in(village, ids)


def test_a_wipe_that_was_interrupted_is_finished(village: Village, tmp_path: Path) -> None:
    link = Link(village)
    device, _ = filled(village, link)
    device.close()
    keyfile.destroy(tmp_path / "王芳.rbk.key")
    again = village.open("王芳", transport=link)
    assert again.queue() == []
    again.close()
    shutil.copy(tmp_path / "王芳.rbk", tmp_path / "copy.rbk")
    assert keyfile.unwrap(tmp_path / "王芳.rbk.key", PASSPHRASE) is not None


def test_by_file_too(village: Village, tmp_path: Path) -> None:
    from server.rescue.http import answer_file

    link = Link(village)
    device, ids = filled(village, link)
    village.revoke(device.me().device)
    for _ in range(2):  # the second carries the drafts, which the first did not know to hand in
        device.write_request(tmp_path / "a.request")
        answer = village.run(answer_file(village.services, (tmp_path / "a.request").read_bytes()))
        (tmp_path / "a.answer").write_bytes(answer)
        device.take_answer(tmp_path / "a.answer")
        if not (tmp_path / "王芳.rbk").exists():
            break
    assert_handed_in(village, ids)


def test_row_20_a_worker_who_hands_over_loses_nothing(village: Village, tmp_path: Path) -> None:
    """The owner of a store changes by a new enrolment, and only with an empty queue."""
    device = village.device("王芳")
    reported(device)
    code = village.code("李强")
    with pytest.raises(QueueNotEmpty):
        device.enrol("http://loopback", code=code)
    device.replace_key()
    device.sync()
    device.enrol("http://loopback", code=code)
    assert (device.me().name, device.list(), device.queue()) == ("李强", [], [])
    reported(device)
    assert device.sync().complete
    assert len(device.list()) == 2
    carried = village.device("周敏")
    kept = reported(carried, title="带过去")
    carried.rescue(tmp_path / "own.rescue")
    assert device.take_in(tmp_path / "own.rescue", passphrase=PASSPHRASE) == 2
    device.sync()
    assert carried.sync().duplicates == 2
    assert village.state(kept.id).values["title"] == "带过去"
