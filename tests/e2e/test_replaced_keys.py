"""A device's signing key is replaced: once, whatever is lost on the way, and only its holder can do it."""

import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import delete, update

from client_sdk import FieldClient, LinkBroken, Offline, Response, Revoked
from client_sdk.store import keys
from client_sdk.transport import TOTAL_S
from server.storage.engine import transact
from server.storage.tables import devices, former_keys
from sync_protocol.rotation import ROTATE_DAYS, offered_bytes
from sync_protocol.signing import encode_bytes
from tests.e2e.raw import RawDevice
from tests.e2e.village import Clock, Village, holds, reported

DAY_MS = 86_400_000


class Losing:
    """A link that loses what a test says, by the number of the exchange: the request, or its answer."""

    def __init__(self, village: Village) -> None:
        self.village = village
        self.lost: list[str] = []
        self.made = 0

    def exchange(
        self, method: str, path: str, headers: dict[str, str], body: bytes, timeout_s: float = TOTAL_S
    ) -> Response:
        del timeout_s
        what = self.lost.pop(0) if self.lost else ""
        self.made += 1
        if what == "request":
            raise LinkBroken("cut")
        answer = self.village.link.exchange(method, path, headers, body)
        if what == "answer":
            raise LinkBroken("cut")
        return answer

    def close(self) -> None: ...


def bound(village: Village) -> list[bytes]:
    return [row[3] for row in village.rows("devices")["devices"]]


def present(device: FieldClient) -> str:
    with device._store.read() as tx:
        return keys.public_text(keys.present(tx) or b"")


def replaced(village: Village) -> int:
    return sum(row[3] == "device_key_replaced" for row in village.rows("audit_entries")["audit_entries"])


def offer(device: RawDevice, serial: int) -> dict[str, str]:
    key = Ed25519PrivateKey.generate()
    public = encode_bytes(key.public_key().public_bytes_raw())
    proof = key.sign(offered_bytes(device.town, device.id, serial, public))
    return {"key": public, "proof": encode_bytes(proof)}


@pytest.mark.parametrize(
    "lost", [[], ["request"], ["answer"], ["answer", "request", "answer"], ["answer"] * 4]
)
def test_a_key_is_replaced_once_whatever_is_lost(village: Village, lost: list[str]) -> None:
    link = Losing(village)
    device = village.device("王芳", transport=link)
    device.sync()
    before, at_first = bound(village), present(device)
    device.replace_key()
    device.replace_key()
    reported(device)
    link.lost = list(lost)
    report = device.sync()
    assert (report.complete, report.sent) == (True, 2)
    assert bound(village) != before
    assert present(device) != at_first
    assert replaced(village) == 1
    assert len(village.rows("former_keys")["former_keys"]) == 1
    reported(device)
    assert device.sync().complete
    assert (replaced(village), device.problems()) == (1, [])


def test_a_device_that_dies_between_the_server_and_itself_goes_on(village: Village) -> None:
    """The server has taken the key, the answer never came, the program is started anew."""
    link = Losing(village)
    device = village.device("王芳", transport=link)
    device.sync()
    device.replace_key()
    kept = reported(device)
    link.lost = ["answer"] * 9
    with pytest.raises(Offline):
        device.sync()
    device.close()
    again = village.open("王芳", transport=link)
    link.lost = []
    assert again.sync().complete
    assert again.get(kept.id).delivery == "received"
    assert replaced(village) == 1


def test_a_key_grows_old_by_the_servers_clock(village: Village) -> None:
    clock = Clock()
    device = village.device("王芳", clock=clock)
    device.sync()
    first = bound(village)
    clock.at_ms += 2 * ROTATE_DAYS * DAY_MS  # the device's own clock proves nothing
    device.sync()
    device.sync()
    assert bound(village) == first
    village.now_ms += ROTATE_DAYS * DAY_MS
    device.sync()  # learns what time it is
    device.sync()
    assert bound(village) != first
    device.sync()
    assert replaced(village) == 1


def test_row_12_a_copy_from_before_hands_in_and_reads_nothing(village: Village, tmp_path: Path) -> None:
    device = village.device("王芳")
    device.sync()
    device.close()
    for kind in ("", ".key", ".epoch"):
        shutil.copy(tmp_path / f"王芳.rbk{kind}", tmp_path / f"copy.rbk{kind}")
    device = village.open("王芳")
    device.replace_key()
    device.sync()
    other = reported(device, title="之后")
    device.sync()
    copy = village.open("copy")
    mine = reported(copy, title="之前")
    with pytest.raises(Revoked):
        copy.sync()
    assert {row["record"] for row in village.quarantine().values()} == {mine.id}
    assert device.sync().complete
    assert set(holds(device)) == {other.id}


def test_a_restored_server_that_knows_the_former_key_only_is_believed(village: Village) -> None:
    device = village.device("王芳")
    device.sync()
    before = bound(village)
    device.replace_key()
    device.sync()
    village.run(_put_back(village, before[0]))
    reported(device)
    assert device.sync().complete
    assert (replaced(village), bound(village) != before) == (2, True)
    reported(device)
    assert device.sync().complete


async def _put_back(village: Village, key: bytes) -> None:
    async def work(connection: Any) -> None:
        await connection.execute(delete(former_keys))
        await connection.execute(update(devices).values(public_key=key))

    await transact(village.services.engine, work)
    for_all = village.services.keys
    for name in list(for_all._values):
        for_all.put(name, key)


def test_nobody_else_binds_a_key(village: Village) -> None:
    """An offer without the new key's signature, of another serial, or of a revoked device, is not taken."""
    device, other = RawDevice(village, "王芳"), RawDevice(village, "李强")
    before = bound(village)
    for wrong in (
        {"key": "A" * 43, "proof": "A" * 86},
        {"key": "x", "proof": "y"},
        {"key": "é", "proof": ""},
    ):
        response = device.send(device.body(offer=wrong))
        answer = msgspec.json.decode(response.body)
        assert response.status in {200, 400}
        assert "key" not in answer
    theirs = offer(other, device.serial + 1)
    assert "key" not in msgspec.json.decode(device.send(device.body(offer=theirs)).body)
    mine = offer(device, device.serial + 5)
    assert "key" not in msgspec.json.decode(device.send(device.body(offer=mine)).body)
    assert bound(village) == before
    fitting = offer(device, device.serial + 1)
    replayed = device.send(device.body(offer=offer(device, 1)), serial=1)
    assert "key" not in msgspec.json.decode(replayed.body)
    village.revoke(device.id)
    assert "key" not in msgspec.json.decode(device.send(device.body(offer=fitting)).body)
    assert bound(village) == before
