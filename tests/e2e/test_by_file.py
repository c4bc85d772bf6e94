"""Villages without any network: requests and answers in files, both ways, with the messages of the sync."""

from pathlib import Path
from typing import Any

import pytest

from client_sdk import FieldClient, NotEnrolled, Refused, Response, Revoked, StoreDamaged
from tests.e2e.links import Link, dead
from tests.e2e.test_restore_drill import command, roundbook
from tests.e2e.village import GRID, NEXT_GRID, OTHER_TOWN, TOWN, Village, assert_converged

SECRET = "周某某要求保密"
TYPE = "application/vnd.roundbook.file"


def hand_in(village: Village, file: Path | bytes, token: str | None = None) -> Response:
    data = file if isinstance(file, bytes) else file.read_bytes()
    token = token or village.token("rescue", name=f"courier {village.now_ms}")
    return village.ask("POST", "/v1/rescue", data, {"authorization": f"Bearer {token}", "content-type": TYPE})


def carried(village: Village, request: Path) -> Path:
    """The answer file to a request file."""
    response = hand_in(village, request)
    assert response.status == 200, response.body
    answer = request.with_suffix(".answer")
    answer.write_bytes(response.body)
    return answer


def offline(village: Village, name: str, *grids: str) -> FieldClient:
    """A device that has been enrolled and never gets a link again."""
    village.device(name, *grids).close()
    link = Link(village.link)
    link.up = dead
    return village.open(name, transport=link)


def everything(device: FieldClient) -> Any:
    with device._store.read() as tx:
        tables = ("records", "changes", "problems", "news", "reports")
        return {name: tx.rows(f"SELECT * FROM {name}") for name in tables}, tx.row(
            "SELECT value FROM meta WHERE key = 'cursor'"
        )


def test_a_device_without_a_network_exchanges_by_file(village: Village) -> None:
    other = village.device("李强")
    theirs = other.create("well", title="theirs")
    other.sync()
    device = offline(village, "王芳")
    mine = device.act(device.create("well", title="mine", note=SECRET), "report")
    request = village.folder / "wang.request"
    assert device.write_request(request) == 2
    assert [entry.status for entry in device.queue()] == ["queued", "queued"]
    assert SECRET.encode() not in request.read_bytes()
    done = device.take_answer(carried(village, request))
    assert (done.answered, done.received, done.left, done.complete) == (2, 1, 0, True)
    assert device.get(mine.id).number == f"{TOWN}-2026-00001"
    device.update(device.get(theirs.id), note="seen by both")
    device.write_request(request)
    assert device.take_answer(carried(village, request)).complete
    assert_converged(village, device, GRID)
    other.sync()
    assert other.get(theirs.id).fields["note"] == "seen by both"
    assert device.digest() == other.digest()


def test_files_that_come_twice_late_or_crosswise_do_no_harm(village: Village) -> None:
    device = village.device("王芳")
    files = [village.folder / f"{n}.request" for n in range(3)]
    for at, file in enumerate(files):
        device.create("well", title=f"well {at}", visits=1)
        assert device.write_request(file) == at + 1
    answers = [carried(village, files[at]) for at in (2, 0, 0, 1)]
    assert len(village.changes()) == 3
    assert device.take_answer(answers[0]).complete
    before = everything(device)
    for stale in answers:
        with pytest.raises(Refused, match="taken in before"):
            device.take_answer(stale)
    assert everything(device) == before
    device.create("well", title="well 3")
    device.write_request(files[0])
    late = carried(village, files[0])
    device.sync()
    with pytest.raises(Refused, match="something was exchanged since"):
        device.take_answer(late)
    assert len(village.changes()) == 4
    assert_converged(village, device, GRID)


def test_a_file_that_is_foreign_or_damaged_changes_nothing(village: Village) -> None:
    device, other = village.device("王芳"), village.device("李强")
    device.create("well", title="a")
    request = village.folder / "wang.request"
    device.write_request(request)
    whole = request.read_bytes()
    rows = village.rows("changes", "records", "devices")
    flipped = bytearray(whole)
    flipped[-1] ^= 1
    bad = [whole[:cut] for cut in range(0, len(whole), max(1, len(whole) // 25))]
    for data in [*bad, bytes(flipped), whole + b"x", b"PK\x03\x04", b"{}"]:
        response = hand_in(village, data)
        assert response.status in {400, 401}, data[:30]
        assert b"Traceback" not in response.body
    assert village.rows("changes", "records", "devices") == rows
    answer = carried(village, request)
    data, before = answer.read_bytes(), everything(device)
    for cut in range(0, len(data), max(1, len(data) // 25)):
        answer.write_bytes(data[:cut])
        with pytest.raises(StoreDamaged, match="copy it again"):
            device.take_answer(answer)
    with pytest.raises(StoreDamaged):
        device.take_answer(request)
    answer.write_bytes(data)
    with pytest.raises(Refused, match="for another device"):
        other.take_answer(answer)
    assert everything(device) == before
    assert device.take_answer(answer).answered == 1


def test_only_a_token_of_the_township_hands_files_in(village: Village) -> None:
    device = village.device("王芳")
    request = village.folder / "wang.request"
    device.create("well", title="a")
    device.write_request(request)
    for token, status in (
        (village.token("records:read", name="reader"), 403),
        (village.token("rescue", name="neighbour", towns=(OTHER_TOWN,)), 404),
        ("nonsense", 401),
    ):
        assert hand_in(village, request, token).status == status
    assert village.changes() == {}
    too_large = b"roundbook file 1\n" + b"x" * village.services.limits.body_bytes_max
    assert hand_in(village, too_large).status == 413
    with pytest.raises(NotEnrolled):
        village.open("nobody").write_request(request)


def test_a_revoked_device_hands_in_by_file_and_reads_nothing(village: Village) -> None:
    device = village.device("王芳")
    device.sync()
    device.create("well", title="a")
    village.revoke(device.me().device)
    request = village.folder / "wang.request"
    device.write_request(request)
    device.take_answer(carried(village, request))
    assert [one["code"] for one in village.quarantine().values()] == ["revoked_device"]
    with pytest.raises(Revoked):
        device.queue()
    assert not list(village.folder.glob("王芳*"))


@pytest.mark.slow
def test_the_office_answers_by_a_command(village: Village) -> None:
    device = offline(village, "王芳", GRID, NEXT_GRID)
    device.create("well", grid=GRID, title="a")
    request, answer = village.folder / "wang.request", village.folder / "wang.answer"
    device.write_request(request)
    said = roundbook("answer", str(request), str(answer), "--database", village.url)
    assert "is taken in. Carry " in said
    assert answer.stat().st_mode & 0o077 == 0
    assert device.take_answer(answer).complete
    assert_converged(village, device, GRID, NEXT_GRID)
    refused = command("answer", str(answer), str(request), "--database", village.url)
    assert refused.returncode == 1
    assert "expected that of a request" in refused.stderr
