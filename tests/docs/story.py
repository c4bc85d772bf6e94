"""An example as it is told: steps in a world, each of them written down so that it can be done again.

    request    bytes to an address, and what came back
    code       a one-time code for a device           enrolled   the same, and the device shows it
    office     changes of the clerk                   grids      another scope for a device
    backup     a copy of the database                 restore    the copy comes back
    revoke     the township revokes a device    replay     the office takes a quarantined change in again

`Story` tells an example for the first time; `retell` does the recorded steps again.
"""

import base64
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from client_sdk.compression import unpacked
from client_sdk.transport import Response
from sync_protocol.codec import read_answer
from sync_protocol.kinds import Kind, parse
from sync_protocol.messages import EnrolAnswer
from sync_protocol.versions import CURRENT
from tests.docs.device import SYNC, ScriptedDevice
from tests.docs.world import EXAMPLES, GRID_1, Rows, World

ENROL: Final = "/v1/devices/enrol"
JSON: Final = {"content-type": "application/json", "accept-encoding": "identity"}
PLAIN_BYTES_MAX: Final = 2**22
MINUTE_MS: Final = 60_000
SAVED_BEFORE_MS: Final = 30_000
"""How long before its request a change was saved, where the example does not say."""
Step = dict[str, Any]


class Story:
    """One example on its way into a file."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.steps: list[Step] = []
        self.kind = parse_kind()
        self._copy: Rows = {}

    def _tell(self, step: str, says: str, minutes: int, **more: Any) -> Step:
        """Writes a step down, so many minutes after the one before."""
        self.world.now_ms += minutes * MINUTE_MS
        told = {"step": step, "says": says, "server_ms": self.world.now_ms, **more}
        self.steps.append(told)
        return told

    def new_device(self, name: str) -> ScriptedDevice:
        """A device that is not enrolled yet."""
        return ScriptedDevice(name, self.kind, epoch=f"0193b000-0000-7000-8000-00000000e{ord(name):03x}")

    async def code(self, name: str, grids: Sequence[str]) -> str:
        """A one-time code."""
        step = self._tell("code", "the administrator gives a one-time code", 0, worker=name, grids=grids)
        step["code"] = await self.world.code(name, grids)
        return str(step["code"])

    async def enrolled(self, name: str, grids: Sequence[str] = (GRID_1,)) -> ScriptedDevice:
        """A device that shows its code."""
        device = self.new_device(name)
        self._tell("enrolled", f"device {name} is enrolled", 0, device=name, grids=grids)
        answer = await enrol(self.world, name, device.public_key, grids)
        device.id, device.township = answer.profile.device, answer.profile.township
        device.profile, device.contact_ms, device.clock_ms = answer.profile.tag, answer.now, answer.now
        return device

    async def request(
        self,
        says: str,
        path: str,
        body: bytes,
        headers: dict[str, str],
        *,
        travels: bytes | None = None,
        minutes: int = 1,
        device: str = "A",
    ) -> dict[str, Any]:
        """Sends a body; `travels` is its compressed form, if it has one."""
        step = self._tell("request", says, minutes, device=device, path=path, headers=headers)
        step["body"] = body.decode()
        if travels is not None:
            step["body_base64"] = base64.b64encode(travels).decode()
        response = await send(self.world, step)
        step["status"] = response.status
        step["answer"] = plain(response)
        return dict(step["answer"])

    async def sync(
        self,
        device: ScriptedDevice,
        says: str,
        changes: Sequence[dict[str, Any]] = (),
        *,
        clock_ms: int = 0,
        serial: int | None = None,
        lost: bool = False,
        minutes: int = 1,
        **more: Any,
    ) -> dict[str, Any]:
        """One sync of a device whose clock is `clock_ms` ahead; with `lost` the answer never gets there."""
        now_ms = self.world.now_ms + minutes * MINUTE_MS + clock_ms
        for change in changes:
            for name, value in device.saved(now_ms - SAVED_BEFORE_MS).items():
                change.setdefault(name, value)
        body = device.body(now_ms, list(changes), **more)
        headers = {**JSON, **device.headers(body, serial)}
        answer = await self.request(says, SYNC, body, headers, minutes=minutes, device=device.name)
        if lost:
            self.steps[-1]["lost"] = True
        elif self.steps[-1]["status"] == 200:
            device.take(read_answer(msgspec.json.encode(answer)), now_ms)
            self.steps[-1]["holds"] = device.holds()
        return answer

    async def office(self, says: str, *changes: dict[str, Any], minutes: int = 1) -> None:
        """Changes of the clerk."""
        for change in changes:
            change["at"] = change["mark"] = self.world.now_ms + minutes * MINUTE_MS
        step = self._tell("office", says, minutes, changes=list(changes))
        step["verdicts"] = msgspec.to_builtins(await self.world.office(changes))

    async def replay(self, says: str, change: str, **correction: Any) -> None:
        """The office takes a quarantined change in again."""
        step = self._tell("replay", says, 1, change=change, correction=correction)
        step["answer"] = await self.world.replay(change, correction)

    async def grids(self, says: str, device: ScriptedDevice, grids: Sequence[str]) -> None:
        """Another scope for a device."""
        self._tell("grids", says, 1, device=device.name, device_id=device.id, grids=list(grids))
        await self.world.set_grids(device.id, grids)

    async def revoke(self, says: str, device: ScriptedDevice) -> None:
        """The township revokes a device."""
        self._tell("revoke", says, 1, device=device.name, device_id=device.id)
        await self.world.revoke(device.id)

    async def backup(self, says: str) -> None:
        """A copy of the database."""
        self._tell("backup", says, 1)
        self._copy = await self.world.backup()

    async def restore(self, says: str) -> None:
        """The copy comes back."""
        self._tell("restore", says, 1)
        await self.world.restore(self._copy)


async def enrol(world: World, name: str, public_key: str, grids: Sequence[str]) -> EnrolAnswer:
    """Gives a code and shows it at once."""
    code = await world.code(name, grids)
    body = msgspec.json.encode(
        {"protocol": CURRENT, "code": code, "public_key": public_key, "client": "example"}
    )
    response = await world.link.exchange("POST", ENROL, JSON, body)
    assert response.status == 200
    return msgspec.json.decode(response.body, type=EnrolAnswer)


async def send(world: World, step: Step) -> Response:
    """The recorded bytes of a request, as they travel."""
    encoded = step.get("body_base64")
    body = base64.b64decode(encoded) if encoded is not None else step["body"].encode()
    return await world.link.exchange("POST", step["path"], step["headers"], body)


def plain(response: Response) -> Any:
    """The answer, whatever its compression."""
    return msgspec.json.decode(
        unpacked(response.body, response.headers.get("content-encoding", ""), PLAIN_BYTES_MAX)
    )


async def retell(world: World, steps: Sequence[Step]) -> list[Step]:
    """Does the steps of a recording again: the same steps, with what came of each this time."""
    copy: Rows = {}
    told: list[Step] = []
    for step in steps:
        world.now_ms = step["server_ms"]
        if step["step"] == "backup":
            copy = await world.backup()
        if step["step"] == "restore":
            await world.restore(copy)
        told.append(step | await _redo(world, step))
    return told


async def _redo(world: World, step: Step) -> dict[str, Any]:
    """Does one step again; what came of it."""
    match step["step"]:
        case "request":
            response = await send(world, step)
            return {"status": response.status, "answer": plain(response)}
        case "code":
            return {"code": await world.code(step["worker"], step["grids"])}
        case "enrolled":
            device = ScriptedDevice(step["device"], parse_kind())
            await enrol(world, step["device"], device.public_key, step["grids"])
        case "office":
            return {"verdicts": msgspec.to_builtins(await world.office(step["changes"]))}
        case "replay":
            return {"answer": await world.replay(step["change"], step["correction"])}
        case "grids":
            await world.set_grids(step["device_id"], step["grids"])
        case "revoke":
            await world.revoke(step["device_id"])
    return {}


def parse_kind() -> Kind:
    """The kind of the examples."""
    return parse((EXAMPLES / "well.toml").read_text(encoding="utf-8"), "well.toml")
