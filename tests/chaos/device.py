"""One device in a process of its own: its worker saves and syncs until it is told to stop, or killed.

    python -m tests.chaos.device '{"store": ..., "journal": ..., "seed": ..., "first": ..., "urls": [...]}'

It ends by itself when whoever started it is gone.
"""

import asyncio
import os
import random as random_module
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from threading import Thread
from typing import Any, Final

import msgspec

from client_sdk import AsyncFieldClient, AsyncHttpTransport, Record, Response
from client_sdk.store import keyfile
from sync_protocol.errors import Busy, Offline, Refused, StoreFull
from tests.chaos.journal import Journal
from tests.simulation.rounds import USUAL, Values, Worker
from tests.simulation.template import PASSPHRASE

INTERNAL: Final = 500
PAUSE_S: Final = 0.3
WAIT_MAX_S: Final = 1.0
"""A device in the field has more patience between its attempts than a trial has time."""


class Told(msgspec.Struct, frozen=True):
    """What a device's process has to know."""

    store: str
    journal: str
    seed: int
    first: int
    """Above every value that an earlier process of the device has written."""
    urls: tuple[str, ...]


class FieldWorker(Worker):
    """The worker of the simulation, but one who takes no sentence out of a story again.

    Which change did that is known after its saving alone, and the process may be killed in between.
    """

    def _update(self, record: Record, **fields: Any) -> str:
        told = record.fields.get("story") or ""
        return "" if len(fields.get("story", told)) < len(told) else super()._update(record, **fields)


class AnyServer:
    """A way to several servers, as by a proxy that asks any of them. Notes what nobody promised."""

    def __init__(self, urls: Sequence[str], random: random_module.Random, wrong: list[str]) -> None:
        self._links = [AsyncHttpTransport(url) for url in urls]
        self._random, self._wrong = random, wrong

    async def exchange(
        self, method: str, path: str, headers: dict[str, str], body: bytes, timeout_s: float = 60.0
    ) -> Response:
        response = await self._random.choice(self._links).exchange(method, path, headers, body, timeout_s)
        if response.status == INTERNAL:
            self._wrong.append(f"unexpected: 500 on {method} {path}")
        if response.status == 503 and "retry-after" not in response.headers:
            self._wrong.append(f"unexpected: 503 on {method} {path} without Retry-After")
        return response

    async def close(self) -> None:
        for link in self._links:
            await link.close()


class _Wrong(list[str]):
    def __init__(self, journal: Journal) -> None:
        super().__init__()
        self._journal = journal

    def append(self, what: str) -> None:
        self._journal.tell("wrong", what)


async def short(seconds: float) -> None:
    """A pause between two attempts."""
    await asyncio.sleep(min(seconds, WAIT_MAX_S))


def cheap_keys() -> None:
    """The stores' keys are wrapped cheaply: deriving them is not what is tried here."""
    keyfile._MEMORY_KIB, keyfile._PASSES = 8, 1  # type: ignore[misc]  # Final, but not for this


def outside(client: AsyncFieldClient) -> list[str]:
    """G5: what lies on a device and is not of its grids."""
    grids = {grid.code for grid in client.blocking.grids()}
    with client.blocking._store.read() as tx:
        rows = tx.rows("SELECT id, place FROM records")
    return [
        f"G5: {record} of {place}, outside of {sorted(grids)}" for record, place in rows if place not in grids
    ]


async def synced(client: AsyncFieldClient, journal: Journal) -> bool:
    """One sync, told; whether it came to its end."""
    began = time.monotonic()
    try:
        report = await client.sync()
    except (Offline, Busy, Refused, StoreFull) as error:
        code = getattr(error, "server_code", None) or type(error).__name__.lower()
        journal.tell("sync", f"{code}", time.monotonic() - began)
        return False
    journal.tell("sync", "complete" if report.complete else f"{report.stopped_by}", time.monotonic() - began)
    if report.reread:
        journal.tell("wrong", f"G4: held something else than the server in {report.reread}")
    for one in outside(client):
        journal.tell("wrong", one)
    return report.complete


async def lives(told: Told, stop: asyncio.Event) -> None:
    """A worker's day."""
    random = random_module.Random(told.seed)
    journal = Journal(Path(told.journal))
    link = AnyServer(told.urls, random, _Wrong(journal))
    values = Values()
    values.given = told.first
    async with AsyncFieldClient.open(
        told.store, passphrase=PASSPHRASE, transport=link, sleep=short
    ) as client:
        worker = FieldWorker(client.blocking, random, values, journal.witness(), USUAL, journal.came_back)
        while not stop.is_set():
            for _ in range(random.choice([1, 1, 2, 4])):
                worker.turn()
            if random.random() < 0.7:
                await synced(client, journal)
            await asyncio.sleep(random.uniform(0, PAUSE_S))
    await link.close()


async def _main() -> None:
    told = msgspec.json.decode(sys.argv[1], type=Told)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def listen() -> None:
        if not sys.stdin.readline():
            os._exit(1)  # whoever started this is gone
        loop.call_soon_threadsafe(stop.set)

    Thread(target=listen, daemon=True).start()
    await lives(told, stop)


if __name__ == "__main__":
    cheap_keys()
    asyncio.run(_main())
