"""A server that is full sends requests away before it reads them, and keeps a part of itself for others."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any

import asyncpg
import httpx2
import pytest
import zstandard
from sqlalchemy import make_url

from client_sdk import FieldClient, HttpTransport, Policy, Response
from server.storage.engine import Unavailable, open_engine, snapshot
from tests.e2e.links import Link
from tests.e2e.processes import serving
from tests.e2e.raw import RawDevice, code_of
from tests.e2e.test_slow_links import connect, head, said
from tests.e2e.village import OTHER_TOWN, TOWN, Village, assert_converged
from tests.vaults import vault

pytestmark = pytest.mark.slow
OTHER_GRID = f"{OTHER_TOWN}203001"


@contextmanager
def server(village: Village, **settings: int) -> Iterator[str]:
    """A server process where the village's devices go from now on."""
    with serving(village.url, village.folder, **settings) as (url, process):
        inner, village.link = village.link, HttpTransport(url)  # type: ignore[assignment]  # the same seam
        try:
            yield url
            assert process.poll() is None
        finally:
            village.link.close()
            village.link = inner


@contextmanager
def locked(village: Village) -> Iterator[None]:
    """Somebody holds the lock of the township for a while; on SQLite that is the lock of all."""
    if village.url.startswith("sqlite"):
        with closing(sqlite3.connect(make_url(village.url).database or "", timeout=10)) as holder:
            holder.execute("BEGIN IMMEDIATE")
            yield
            holder.execute("ROLLBACK")
        return
    with asyncio.Runner() as runner:
        holder = runner.run(asyncpg.connect(village.url.replace("+asyncpg", "")))
        runner.run(holder.execute(f"BEGIN; SELECT 1 FROM townships WHERE township_id = '{TOWN}' FOR UPDATE"))
        yield
        runner.run(holder.execute("ROLLBACK"))
        runner.run(holder.close())


class Crowd:
    """Devices that send at once, each in a thread of its own."""

    def __init__(self, village: Village, *devices: RawDevice) -> None:
        self.village, self.devices = village, devices
        self.pool = ThreadPoolExecutor(len(devices))
        self.answers: list[Future[Response]] = []

    def send(self, url: str) -> None:
        for device in self.devices:
            body = device.body(device.create())
            self.answers.append(self.pool.submit(post, url, device, body))
            time.sleep(0.02)

    def come_back(self) -> list[Response]:
        return [answer.result(60) for answer in self.answers]


def post(url: str, device: RawDevice, body: bytes, encoding: str = "identity") -> Response:
    with closing(HttpTransport(url)) as link:
        return link.exchange("POST", "/v1/sync", device.headers(body, content_encoding=encoding), body)


def sleeper(waited: dict[str, list[float]], name: str) -> Callable[[float], None]:
    """Sleeps, and notes for how long."""

    def sleep(seconds: float) -> None:
        waited.setdefault(name, []).append(seconds)
        time.sleep(seconds)

    return sleep


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 40
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_past_the_bound_503_before_the_body_and_health_answers(village: Village) -> None:
    devices = [RawDevice(village, f"工{n}") for n in range(12)]
    with server(village, requests_max=8, pool_size=4, retry_after_s_max=9, wait_s=60) as url:
        crowd = Crowd(village, *devices)
        with locked(village):
            crowd.send(url)
            until(lambda: sum(answer.done() for answer in crowd.answers) >= 8)
            for health in ("live", "ready"):
                assert httpx2.get(f"{url}/v1/health/{health}", timeout=10).status_code == 200
            began = time.monotonic()
            with connect(url) as link:
                link.sendall(head(devices[0], 3_000_000))  # and never a byte of the body
                heard, _ = said(link)
                assert heard[9:12] == b"503"
                assert time.monotonic() - began < 5
        answers = crowd.come_back()
    away = [answer for answer in answers if answer.status != 200]
    assert len(away) == 8, "one township has at most half of the places"
    assert {code_of(answer) for answer in away} == {(503, "unavailable")}
    pauses = [int(answer.headers["retry-after"]) for answer in away]
    assert len(set(pauses)) > 1
    assert 1 <= min(pauses) <= max(pauses) <= 9
    assert len(village.changes()) == 4


def test_a_busy_township_leaves_places_and_connections_to_others(village: Village) -> None:
    """Its requests wait for one row, and hold a quarter of the connections while they do."""
    devices = [RawDevice(village, f"工{n}") for n in range(12)]
    other = RawDevice(village, "邻人", OTHER_GRID)
    village.office("GET", "/v1/records")
    token = village._token
    with server(village, requests_max=16, pool_size=4, wait_s=60) as url:
        crowd = Crowd(village, *devices)
        with locked(village):
            crowd.send(url)
            until(lambda: sum(answer.done() for answer in crowd.answers) >= 4)
            began = time.monotonic()
            listed = httpx2.get(f"{url}/v1/records", headers={"authorization": f"Bearer {token}"}, timeout=10)
            assert listed.status_code == 200
            if not village.url.startswith("sqlite"):  # there, one lock is for all
                made = other.create(place=OTHER_GRID)
                assert other.sync(made).verdicts[0].result == "applied"
            assert time.monotonic() - began < 8
        statuses = sorted(answer.status for answer in crowd.come_back())
    assert statuses == [200] * 8 + [503] * 4


def test_bytes_of_bodies_are_bounded_as_they_come_and_decompressed(village: Village) -> None:
    first, second = RawDevice(village, "甲"), RawDevice(village, "乙")
    with server(village, bodies_bytes_max=1_000_000, pool_size=4) as url:
        large = {"large": " " * 700_000}
        bomb = zstandard.compress(second.body(second.create(), large={"large": " " * 2_000_000}))
        crowd = Crowd(village, first)
        with locked(village):
            body = first.body(first.create(), large=large)
            crowd.answers.append(crowd.pool.submit(post, url, first, body))
            time.sleep(1)
            plain = post(url, second, second.body(large=large))
            assert code_of(plain) == (503, "unavailable")
            assert b"holds as much as it can" in plain.body
            packed = post(url, second, bomb, encoding="zstd")
            assert code_of(packed) == (503, "unavailable")
            assert b"holds as much as it can" in packed.body
            assert len(bomb) < 10_000
        assert [answer.status for answer in crowd.come_back()] == [200]
        assert post(url, second, bomb, encoding="zstd").status == 200, "alone it may be larger"


async def test_without_a_free_connection_the_server_is_busy_not_broken(database_url: str) -> None:
    engine = open_engine(database_url, pool_size=1, wait_s=0.2, vault=vault())

    async def nothing(_: object) -> None:
        return None

    async def while_one_is_held(_: object) -> None:
        with pytest.raises(Unavailable):
            await snapshot(engine, nothing)

    await snapshot(engine, while_one_is_held)
    await snapshot(engine, nothing)
    await engine.dispose()


def test_devices_that_are_sent_away_wait_as_told_and_lose_nothing(village: Village) -> None:
    """Two places and twelve devices. Nobody comes back sooner than asked; in the end everything is there, once."""
    waited: dict[str, list[float]] = {}
    devices: dict[str, FieldClient] = {}
    links: dict[str, Link] = {}
    for n in range(12):
        name = f"工{n}"
        links[name] = Link(village.link)
        devices[name] = village.device(name, transport=links[name], sleep=sleeper(waited, name))
        for turn in range(5):
            devices[name].create("well", title=f"{n}-{turn}")
    together = threading.Barrier(len(devices))

    def sync(name: str) -> Any:
        together.wait(30)
        return devices[name].sync(policy=Policy(attempts_max=20))

    with server(village, requests_max=2, pool_size=2, retry_after_s_max=2) as url:
        for link in links.values():
            link.inner = HttpTransport(url)
        with ThreadPoolExecutor(len(devices)) as pool:
            reports = dict(zip(devices, pool.map(sync, devices), strict=True))
        for link in links.values():
            link.close()
    for link in links.values():
        link.inner = village.link
    asked = {
        name: [int(got.headers["retry-after"]) for got in link.got if got.status == 503]
        for name, link in links.items()
    }
    assert sum(map(len, asked.values())) >= 5, "nobody was sent away"
    for name, pauses in asked.items():
        assert len(waited.get(name, [])) == len(pauses)
        assert all(wait >= pause for wait, pause in zip(waited.get(name, []), pauses, strict=True))
        sizes = [len(request.changes) for request in links[name].requests]
        assert sizes[: len(pauses) + 1] == [5] * (len(pauses) + 1), "a busy server is sent the same again"
    assert all(report.complete and report.sent == 5 for report in reports.values())
    assert len(village.changes()) == 60
    for device in devices.values():
        device.sync()
        assert device.queue() == []
        assert_converged(village, device, device.grids()[0].code)
