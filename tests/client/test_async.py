"""The asyncio twin: the same names, awaited; the same machine."""

import asyncio
import inspect
from pathlib import Path
from typing import Any

import pytest

from client_sdk import AsyncFieldClient, Busy, FieldClient, Offline, Response
from tests.client.conftest import PASSPHRASE
from tests.client.town import Town, cut


class AwaitedTown:
    """The township behind the asynchronous seam."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.inside = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def exchange(
        self, method: str, path: str, headers: dict[str, str], body: bytes, timeout_s: float = 60
    ) -> Response:
        del timeout_s
        self.inside.set()
        await self.go_on.wait()
        return self.town.exchange(method, path, headers, body)

    async def close(self) -> None: ...


async def nap(_: float) -> None: ...


def opened(folder: Path, link: AwaitedTown) -> Any:
    return AsyncFieldClient.open(folder / "a.rbk", passphrase=PASSPHRASE, transport=link, sleep=nap)


async def test_a_round_offline_and_a_sync(tmp_path: Path, town: Town) -> None:
    async with opened(tmp_path, AwaitedTown(town)) as device:
        await device.enrol("http://town", code="ABCD-EFGH")
        matter = await device.create("matter", title="a", category="02")
        matter = await device.update(matter, narrative="b")
        matter = await device.act(matter, "report", note="c")
        seen: list[Any] = []
        report = await device.sync(progress=seen.append)
        assert (report.sent, report.round_trips, report.complete) == (3, 1, True)
        assert seen[-1].changes_done == 3
        assert (await device.get(matter.id)).number is not None
        assert [one.what for one in await device.news()] == ["numbered"]
        assert await device.digest() == town.digests()
        assert (await device.me()).name == "王芳"
        assert await device.queue() == []


async def test_problems_are_answered(tmp_path: Path, town: Town) -> None:
    device = await opened(tmp_path, AwaitedTown(town))
    await device.enrol("http://town", code="ABCD-EFGH")
    matter = await device.create("matter", title="a", people_involved=3)
    await device.sync()
    seen = await device.get(matter.id)
    town.write(matter.id, {"people_involved": 5})
    await device.update(seen, people_involved=7)
    await device.sync()
    (problem,) = await device.problems()
    record = await problem.answer("mine")
    assert record.fields["people_involved"] == 7
    assert await device.problems() == []
    await device.close()


async def test_saving_while_a_sync_runs_and_a_second_sync_is_busy(tmp_path: Path, town: Town) -> None:
    link = AwaitedTown(town)
    async with opened(tmp_path, link) as device:
        await device.enrol("http://town", code="ABCD-EFGH")
        await device.create("matter", title="a")
        link.inside.clear()
        link.go_on.clear()
        running = asyncio.create_task(device.sync())
        await link.inside.wait()
        saved = await device.create("matter", title="b")
        with pytest.raises(Busy):
            await device.sync()
        link.go_on.set()
        assert (await running).sent == 1
        assert [entry.record for entry in await device.queue()] == [saved.id]


async def test_errors_are_the_same(tmp_path: Path, town: Town) -> None:
    async with opened(tmp_path, AwaitedTown(town)) as device:
        await device.enrol("http://town", code="ABCD-EFGH")
        town.before = cut
        with pytest.raises(Offline):
            await device.sync()
        with pytest.raises(TypeError, match="base="):
            await device.update("01920000-0000-7000-8000-000000000001", title="x")


def test_both_clients_have_the_same_names() -> None:
    driver = {"ask_to_enrol", "context", "enrolled", "sync_lock", "steps", "troubles"}
    blocking = {name for name in vars_of(FieldClient) if name not in driver}
    assert blocking == vars_of(AsyncFieldClient)
    for name in blocking - {"open"}:
        assert inspect.iscoroutinefunction(getattr(AsyncFieldClient, name)), name


def vars_of(class_: type) -> set[str]:
    return {name for name, _ in inspect.getmembers(class_, callable) if not name.startswith("_")}
