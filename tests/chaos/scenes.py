"""What a storm does not bring about by chance: each scene sets its stage, and says what came of it."""

import asyncio
import shutil
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final

from client_sdk import AsyncHttpTransport, LinkBroken, Policy, Response
from sync_protocol.errors import Offline
from tests.chaos.device import synced
from tests.chaos.journal import Journal
from tests.chaos.nodes import DATABASE
from tests.chaos.opening import lost_spans
from tests.chaos.processes import CHECKOUT, Server
from tests.chaos.storm import Session, storm
from tests.chaos.town import Device, Town
from tests.protocol.kinds_for_tests import SHEET_TOML

if TYPE_CHECKING:
    from sync_protocol.session_report import Progress

Say = Callable[[str], None]
CROWD: Final = 24
LOCKED_S: Final = 8.0
ANSWER_S: Final = 30.0
"""Longer than this no device of the crowd may wait for one answer."""
DOWNLOADED: Final = 250
TINY: Final = Policy(page_bytes_max=1_024, page_bytes_min=1_024)
KILLED_S: Final = 30.0
DOWNLOAD_MAX_S: Final = 120.0
STEPS_S: Final = 8.0
LOST_MIN: Final = 20
GOES_ON_S: Final = 90.0
RESTARTS: Final = ("kill -9 of a server", "SIGTERM of a server")
RESTART_GAP_S: Final = (1.5, 4.0)


# --- the pool -----------------------------------------------------------------------------------------------


class _Counting(AsyncHttpTransport):
    """Counts answers, and how long the longest took."""

    def __init__(self, url: str, seen: Counter[str], longest: list[float]) -> None:
        super().__init__(url)
        self._seen, self._longest = seen, longest

    async def exchange(
        self, method: str, path: str, headers: dict[str, str], body: bytes, timeout_s: float = ANSWER_S
    ) -> Response:
        began = time.monotonic()
        try:
            response = await super().exchange(method, path, headers, body, timeout_s)
        except LinkBroken as error:
            self._seen[error.reason] += 1
            raise
        finally:
            self._longest.append(time.monotonic() - began)
        after = " with Retry-After" if "retry-after" in response.headers else ""
        self._seen[f"{response.status}{after}"] += 1
        return response


async def exhausted(town: Town, say: Say) -> None:
    """One connection, a crowd of devices, and a row that somebody else keeps: told to come again, nothing lost."""
    server = Server("few", town.pair.url, town.folder, pool_size=1, wait_s=5)
    town.servers.append(server)
    server.start()
    await town.settle()
    seen, longest = Counter[str](), list[float]()
    crowd = []
    for number in range(CROWD):
        device = await town.enrol([town.grids[number % 4]])
        link = _Counting(server.url, seen, longest)
        town.links.append(link)
        device.client = await town.store_of(device.store, link)
        crowd.append(device)
        worker = town.worker(device)
        for _ in range(3):
            worker.turn()
    seen.clear()
    longest.clear()
    async with Session(town.pair.primary.url(DATABASE)) as session, session.transaction():
        await session.fetch("SELECT 1 FROM townships FOR UPDATE")
        syncs = [asyncio.create_task(_synced(device)) for device in crowd]
        await asyncio.sleep(LOCKED_S)
    await asyncio.gather(*syncs)
    town.faults["devices on one connection"] += CROWD
    say(f"one connection, {CROWD} devices: {dict(seen)}, longest answer {max(longest):.1f} s")
    if set(seen) - {"200", "503 with Retry-After"}:
        town.wrong.append(f"pool: expected 200 and 503 with Retry-After, got {dict(seen)}")
    if not seen["503 with Retry-After"]:
        town.wrong.append("pool: nobody was asked to come again: the scene showed nothing")
    if max(longest) > ANSWER_S:
        town.wrong.append(f"pool: an answer took {max(longest):.1f} s")
    town.servers.remove(server)
    town.wrong += server.incidents()
    server.kill()
    await town.settle()


async def _synced(device: Device) -> bool:
    assert device.client is not None
    return await synced(device.client, Journal(device.journal))


# --- a first download ---------------------------------------------------------------------------------------


async def downloaded(town: Town, random: Random, say: Say) -> None:
    """A new device reads hundreds of records in tiny pages, while the servers die all the time."""
    await town.settle()
    grid = town.grids[3]
    await _written(town, grid)
    reader = await town.enrol([grid])
    reader.client = await town.store_of(reader.store)
    beside = [asyncio.create_task(town.supervise_servers()), asyncio.create_task(_killing(town, random))]
    received, syncs, until = 0, 0, time.monotonic() + DOWNLOAD_MAX_S
    while time.monotonic() < until:
        told: list[Progress] = []
        syncs += 1
        try:
            report = await reader.client.sync(told.append, policy=TINY)
        except Offline:
            report = None
        received += told[-1].records_done if told else 0
        if report is not None and report.complete:
            break
    else:
        town.wrong.append(f"G4: a first download came to no end in {DOWNLOAD_MAX_S:.0f} s")
    for task in beside:
        task.cancel()
    await asyncio.gather(*beside, return_exceptions=True)
    rows = await town.pair.primary.ask(
        "SELECT count(*) FROM records WHERE place = $1 AND NOT deleted AND NOT closed",
        grid,
        database=DATABASE,
    )
    say(f"a first download of {rows[0][0]} records took {syncs} syncs; {received} were received")
    if received != rows[0][0]:
        town.wrong.append(f"G4: a first download of {rows[0][0]} records received {received}")
    await town.settle()


async def _written(town: Town, grid: str) -> None:
    """Hundreds of records in a grid."""
    device = town.at_work[town.grids.index(grid)]
    assert device.client is not None
    worker = town.worker(device)
    for _ in range(DOWNLOADED):
        subject = worker._text(None)
        record = device.client.blocking.create("sheet", grid=grid, subject=subject)
        worker._came_back(record.id)
    await town.until_complete(device)


async def _killing(town: Town, random: Random) -> None:
    """A server dies as soon as it has answered for a moment: so there is a little progress, and much dying."""
    until = time.monotonic() + KILLED_S
    while time.monotonic() < until:
        server = random.choice(town.servers)
        if await asyncio.to_thread(server.ready):
            await asyncio.sleep(random.uniform(0.1, 0.8))
            town.faults["kill -9 of a server in a first download"] += 1
            server.kill()


# --- a rolling upgrade --------------------------------------------------------------------------------------

_NEXT_REVISION: Final = '''"""What a later release may add."""

from alembic import op
from sqlalchemy import Column, Index, Integer, PrimaryKeyConstraint, String

from migrations.tables import township_table

revision = "9999"
down_revision = "{head}"


def upgrade() -> None:
    op.add_column("records", Column("weighed", Integer))
    op.add_column("changes", Column("noted", String(8), nullable=False, server_default="none"))
    op.create_index("ix_records_weighed", "records", ["township_id", "weighed"])
    township_table("weights", Column("township_id", String(12), nullable=False),
                   Column("weight_id", String(36), nullable=False),
                   PrimaryKeyConstraint("township_id", "weight_id", name="pk_weights"))
'''
_NEXT_PROTOCOL: Final = "2099-01-01"


def next_release(folder: Path) -> Path:
    """A copy of this checkout as a later release: another revision, another protocol version beside the first."""
    from migrations.run import head

    left_out = shutil.ignore_patterns(".*", "data", "dist", "build", "__pycache__", "docs")
    shutil.copytree(CHECKOUT, folder, ignore=left_out)
    revision = folder / "migrations" / "versions" / "9999_next.py"
    revision.write_text(_NEXT_REVISION.format(head=head()))
    versions = folder / "sync_protocol" / "versions.py"
    text = versions.read_text()
    grown = text.replace("\n}\nCURRENT", f'\n    "{_NEXT_PROTOCOL}": "the next",\n}}\nCURRENT', 1)
    grown = grown.replace('CURRENT: Final = "2026-11-21"', f'CURRENT: Final = "{_NEXT_PROTOCOL}"', 1)
    if grown.count(_NEXT_PROTOCOL) != 2:
        message = f"{versions} looks otherwise than expected: mend next_release in {__file__}"
        raise ValueError(message)
    versions.write_text(grown)
    return folder


async def upgraded(town: Town, random: Random, say: Say) -> None:
    """One step after the other, while devices work: schema, servers, kinds, devices."""
    later = next_release(town.folder / "next")
    town.faults["steps of a rolling upgrade"] += 5
    migrated = asyncio.create_task(_in(STEPS_S / 3, lambda: town.command("migrate", folder=later)))
    await _work(town, random, say)
    say(f"schema: {(await migrated).strip()}; old servers go on, also those that were started again")
    town.servers[1] = _replaced(town, town.servers[1], later)
    await _work(town, random, say)
    toml = town.folder / "sheet.toml"
    toml.write_text(SHEET_TOML.replace("version = 1", "version = 2", 1) + _NEW_FIELD)
    await asyncio.to_thread(town.command, "kinds", "install", str(toml), folder=later)
    say("one server of each release, and a new version of a kind")
    await _work(town, random, say)
    town.servers[0] = _replaced(town, town.servers[0], later)
    for device in town.at_work[::2]:
        device.process.folder = later
        device.process.kill()
    say("all servers are new, and every other device")
    until = time.monotonic() + GOES_ON_S
    while 2 not in await _kinds_written(town) and time.monotonic() < until:
        await _work(town, random, say)  # a server looks for new kinds every 30 s
    await town.settle()
    spoken = await _kinds_written(town)
    if 2 not in spoken or 1 not in spoken:
        town.wrong.append(
            f"upgrade: changes of both versions of the kind were expected, got those of {spoken}"
        )


_NEW_FIELD: Final = (
    '[fields.added]\ntype = "text"\nmerge = "latest"\nprivacy = "plain"\ntitle = { zh = "某", en = "X" }\n'
)


async def _in(seconds: float, work: Callable[[], str]) -> str:
    await asyncio.sleep(seconds)
    return await asyncio.to_thread(work)


def _replaced(town: Town, old: Server, folder: Path) -> Server:
    """A server of another release on the port of the old one."""
    old.end()
    old.ended()
    new = Server(f"{old.name}next", town.pair.url, town.folder, folder=folder)
    new.take_port(old.port)
    new.start()
    return new


async def _kinds_written(town: Town) -> set[int]:
    rows = await town.pair.primary.ask(
        "SELECT DISTINCT (convert_from(payload, 'UTF8')::jsonb ->> 'version')::int AS v FROM changes "
        "WHERE result <> 'quarantined'",
        database=DATABASE,
    )
    return {row["v"] for row in rows}


# --- a failover that loses something ------------------------------------------------------------------------


async def lagging(town: Town, random: Random, say: Say) -> None:
    """Commits do not wait for the standby, and it lags when the primary dies: what was acknowledged is gone there.

    That is a restore. Devices notice by their cursors, and offer again what the new primary lacks.
    """
    pair = town.pair
    await pair.wait_for_standby(on=False)
    pair.standby.kill()
    before = await _changes(town)
    until = time.monotonic() + GOES_ON_S
    while await _changes(town) - before < LOST_MIN and time.monotonic() < until:
        await _work(town, random, say)
    await town.settle()
    gone = await _changes(town) - before
    await town.let_go()
    town.restored = town.witness.restored = True
    pair.primary.kill()
    pair.standby.start()
    pair.primary, pair.standby = pair.standby, pair.primary
    await asyncio.to_thread(pair.primary.promote)
    town.faults["failover to a standby that lags"] += 1
    await _work(town, random, say)
    await town.settle()
    say(f"the new primary lacked {gone} acknowledged changes; {await _changes(town) - before} are there now")
    noticed = await lost_spans(town.pair.url)
    if gone < LOST_MIN:
        town.wrong.append(f"lag: {gone} changes were lost, too few to show something")
    if gone and not noticed:
        town.wrong.append(f"G9: {gone} acknowledged changes were gone, and no server noticed")


async def _work(town: Town, random: Random, say: Say) -> None:
    """Devices work for a while, on servers that are started again now and then."""
    await storm(town, random, STEPS_S, RESTARTS, say, RESTART_GAP_S)


async def _changes(town: Town) -> int:
    rows = await town.pair.primary.ask("SELECT count(*) FROM changes", database=DATABASE)
    return int(rows[0][0])
