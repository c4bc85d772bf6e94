"""A device without a store that speaks to the sync service itself: no HTTP, no signature, every request by hand."""

from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage import changes, townships
from server.storage.changes import Stored
from server.storage.engine import snapshot, transact
from server.sync.batch import Upload
from server.sync.judge import Author
from server.sync.push import push
from server.sync.service import Caller, sync
from sync_protocol.changes import Act, Change
from sync_protocol.clock import Reading
from sync_protocol.limits import DEFAULTS
from sync_protocol.messages import Page, SyncAnswer, SyncRequest, Verdict
from sync_protocol.versions import CURRENT
from tests.server.office_server import GRID, TOWN, Device, OfficeServer

PAGES_MAX = 200
REPORT = Act("report", "draft", "reported")


class Phone:
    """What a device remembers between two requests: serial, cursor, epoch. Changes are made by `device`."""

    def __init__(self, server: OfficeServer, device: Device) -> None:
        self.server = server
        self.device = device
        self.epoch = device.epoch
        self.serial = 0
        self.cursor: str | None = None
        self.profile: str | None = None

    def matter(self, **parts: Any) -> Change:
        """A new matter in the first grid, reported."""
        fields = {"title": "路灯不亮", **parts.pop("fields", {})}
        return self.device.create(**{"act": REPORT, **parts}, fields=fields)

    def edit(self, record: str, base: int, **parts: Any) -> Change:
        """An edit of what a screen showed at `base`."""
        return self.device.change(record, base=base, **parts)

    async def send(self, *given: Change, **more: Any) -> SyncAnswer:
        """One request; what it brings is remembered."""
        server = self.server
        server.now_ms += 1_000
        self.serial += 1
        request = SyncRequest(
            protocol=CURRENT,
            nonce=f"{self.serial:032x}",
            epoch=self.epoch,
            now=server.now_ms,
            changes=[msgspec.Raw(msgspec.json.encode(change)) for change in given],
            queued=len(given),
            cursor=self.cursor,
            profile=self.profile,
        )
        request = msgspec.structs.replace(request, **more)
        answer = await sync(server.services, Caller(TOWN, self.device.id, self.serial, b"\0" * 32), request)
        self.profile = answer.profile.tag if answer.profile is not None else self.profile
        self.cursor = answer.page.cursor if answer.page is not None else self.cursor
        return answer

    async def read(self, **more: Any) -> list[Page]:
        """Pages until one is complete."""
        pages: list[Page] = []
        while not pages or not pages[-1].complete:
            answer = await self.send(**more)
            assert answer.page is not None
            pages.append(answer.page)
            assert len(pages) < PAGES_MAX, "it never ends"
        return pages


async def phone(server: OfficeServer, worker: str, *grids: str) -> Phone:
    """An enrolled device with these grids, the first one when none is named."""
    made = Phone(server, await server.device(worker))
    await scope(made, *(grids or (GRID,)))
    return made


async def scope(one: Phone, *grids: str) -> None:
    """Another scope for a device."""
    from server.devices.service import set_grids

    await set_grids(one.server.services.engine, one.device.id, grids, now_ms=one.server.now_ms)


async def office(server: OfficeServer, record: str, **parts: Any) -> Verdict:
    """A change of the office, by the same push as a device's. It has seen everything."""
    server.now_ms += 1_000
    raw = msgspec.Raw(msgspec.json.encode(parts.pop("fields", {})))
    given = {"id": server.new_id(), "kind": "matter", "version": 1, "n": 0, "base": 2**60, "fields": raw}
    change = Change(**{**given, "record": record, "at": server.now_ms, **parts})

    async def work(connection: AsyncConnection) -> Verdict:
        township = await townships.lock(connection, TOWN)
        assert township is not None
        author = Author(server.new_id(), TOWN, "clerk", None)
        upload = Upload(author, [change], Reading(server.now_ms, server.now_ms))
        (verdict,) = (await push(connection, township, upload, server.services.registry, DEFAULTS)).verdicts
        return verdict

    verdict = await transact(server.services.engine, work)
    assert verdict.result in {"applied", "merged"}, verdict
    return verdict


async def stored(server: OfficeServer, *ids: str) -> dict[str, Stored]:
    """What the table of changes has of these ids."""

    async def work(connection: AsyncConnection) -> dict[str, Stored]:
        return await changes.by_ids(connection, TOWN, list(ids))

    return await snapshot(server.services.engine, work)
