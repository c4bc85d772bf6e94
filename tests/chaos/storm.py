"""What befalls the processes: drawn from a seed, carried out at moments that nobody chooses."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from random import Random
from typing import Final

import asyncpg

from tests.chaos.nodes import DATABASE, Node
from tests.chaos.town import Town

GAP_S: Final = (0.2, 1.6)
OFFICE_S: Final = (0.1, 0.6)
BACKENDS: Final = (
    "SELECT pid FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid() ORDER BY pid"
)
COMMITTING: Final = (
    "SELECT pid FROM pg_stat_activity WHERE datname = $1 AND state = 'active' AND query LIKE 'COMMIT%'"
)
SAID_S: Final = 15.0
START_S: Final = 60.0
COMMIT_S: Final = 2.0
Fault = Callable[[Town, Random], Awaitable[None]]


async def storm(
    town: Town,
    random: Random,
    seconds: float,
    faults: Sequence[str],
    say: Callable[[str], None],
    gap_s: tuple[float, float] = GAP_S,
) -> None:
    """Lets `faults` happen for so long, while devices and office work; in the end everything runs again.

    With 0 seconds each of them happens once, in their order.
    """
    await town.let_go()
    for device in town.at_work:
        if not device.process.runs:
            town.switch_on(device)
    beside = [
        asyncio.create_task(work)
        for work in (town.supervise_servers(), town.supervise_devices(), _office(town, random))
    ]
    await _somebody_works(town)
    await _befall(town, random, seconds, faults, say, gap_s)
    for task in beside:
        task.cancel()
    for ended in await asyncio.gather(*beside, return_exceptions=True):
        if isinstance(ended, Exception):
            town.wrong.append(f"unexpected: {type(ended).__name__}: {ended}")
    for server in town.servers:
        if not server.runs:
            server.start()


async def _somebody_works(town: Town) -> None:
    """On a busy machine processes that start take longer than everything that would befall them."""
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        begun = [device.journal for device in town.at_work if device.journal.exists()]
        if any(b'["saved"' in journal.read_bytes() for journal in begun):
            return
        await asyncio.sleep(0.1)


async def _befall(
    town: Town,
    random: Random,
    seconds: float,
    faults: Sequence[str],
    say: Callable[[str], None],
    gap_s: tuple[float, float],
) -> None:
    until = said = time.monotonic()
    until += seconds
    for what in _drawn(random, until, faults) if seconds else faults:
        await asyncio.sleep(random.uniform(*gap_s))
        town.faults[what] += 1
        try:
            await FAULTS[what][0](town, random)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
            # The fault before it left nothing that this one could be done to.
            town.faults[what] -= 1
        if time.monotonic() - said > SAID_S:
            said = time.monotonic()
            say(f"{town.faults.total()} faults, {max(0.0, until - said):.0f} s left")


def _drawn(random: Random, until: float, faults: Sequence[str]) -> Iterator[str]:
    weights = [FAULTS[what][1] for what in faults]
    while time.monotonic() < until:
        yield random.choices(faults, weights)[0]


async def _office(town: Town, random: Random) -> None:
    office = town.office()
    while True:
        await office.turn()
        await asyncio.sleep(random.uniform(*OFFICE_S))


# --- devices and servers ------------------------------------------------------------------------------------


async def _device_killed(town: Town, random: Random) -> None:
    random.choice(town.at_work).process.kill(random.uniform(0, 1))


async def _server_killed(town: Town, random: Random) -> None:
    random.choice(town.servers).kill(random.uniform(0, 1))


async def _worker_killed(town: Town, random: Random) -> None:
    random.choice(town.servers).kill_worker(random.randrange(10))


async def _server_ended(town: Town, random: Random) -> None:
    random.choice(town.servers).end()


async def _all_servers_killed(town: Town, random: Random) -> None:
    for server in town.servers:
        server.kill(random.uniform(0, 1))


# --- PostgreSQL ---------------------------------------------------------------------------------------------


async def _postgres_killed(town: Town, random: Random) -> None:
    town.pair.primary.kill()
    await asyncio.sleep(random.uniform(0, 1))
    await asyncio.to_thread(town.pair.primary.start)


async def _backend_killed(town: Town, random: Random) -> None:
    os.kill(await _backend(town, random), signal.SIGKILL)


async def _standby_killed(town: Town, random: Random) -> None:
    """Meanwhile no commit comes back."""
    town.pair.standby.kill()
    await asyncio.sleep(random.uniform(0.5, 2))
    await asyncio.to_thread(town.pair.standby.start)


async def _failed_over(town: Town, _: Random) -> None:
    await town.pair.fail_over()
    await town.pair.follow()


async def _stood_still(town: Town, random: Random) -> None:
    town.pair.primary.stand_still()
    try:
        await asyncio.sleep(random.uniform(0.5, 3))
    finally:
        town.pair.primary.proceed()


async def _backend_stood_still(town: Town, random: Random) -> None:
    backend = await _backend(town, random)
    os.kill(backend, signal.SIGSTOP)
    try:
        await asyncio.sleep(random.uniform(0.5, 3))
    finally:
        with suppress(ProcessLookupError):
            os.kill(backend, signal.SIGCONT)


async def _commits_slowed(town: Town, random: Random) -> None:
    async with _slow_commits(town):
        await asyncio.sleep(random.uniform(1, 3))


async def _commit_killed(town: Town, _: Random) -> None:
    """kill -9 of a backend between the end of its work and the moment at which the commit is durable."""
    async with _slow_commits(town), Session(town.pair.primary.url(DATABASE)) as session:
        until = time.monotonic() + COMMIT_S
        while time.monotonic() < until:
            found = await session.fetch(COMMITTING, DATABASE)
            if found:
                os.kill(found[0]["pid"], signal.SIGKILL)
                return
    raise ProcessLookupError


@asynccontextmanager
async def _slow_commits(town: Town) -> AsyncIterator[None]:
    """Each commit waits for 0.1 s before it is written."""
    primary = town.pair.primary
    await primary.ask("ALTER SYSTEM SET commit_siblings = 0")
    await primary.ask("ALTER SYSTEM SET commit_delay = 100000")  # microseconds
    await primary.ask("SELECT pg_reload_conf()")
    try:
        yield
    finally:
        await _when_back(primary, "ALTER SYSTEM RESET commit_delay")
        await _when_back(primary, "SELECT pg_reload_conf()")


async def _when_back(node: Node, statement: str) -> None:
    """Asks a node that may be recovering."""
    for _ in range(100):
        with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await node.ask(statement)
            return
        await asyncio.sleep(0.1)


async def _connections_ended(town: Town, _: Random) -> None:
    await town.pair.primary.ask(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", DATABASE
    )


async def _township_locked(town: Town, random: Random) -> None:
    """Somebody's session takes the row of the township and thinks, longer than a lock is waited for."""
    async with Session(town.pair.primary.url(DATABASE)) as session, session.transaction():
        await session.fetch("SELECT 1 FROM townships FOR UPDATE")
        await asyncio.sleep(random.uniform(0.5, 3))


async def _deadlocked(town: Town, random: Random) -> None:
    """Somebody's session takes the rows in the other order. The server's is the one to be given up."""
    async with Session(town.pair.primary.url(DATABASE)) as session:
        await session.execute("SET deadlock_timeout = '20s'; SET lock_timeout = 0")
        transaction = session.transaction()
        await transaction.start()
        await session.fetch("SELECT 1 FROM devices FOR UPDATE")
        await asyncio.sleep(random.uniform(0.2, 0.6))
        await session.fetch("SELECT 1 FROM townships FOR UPDATE")
        await transaction.rollback()


class Session:
    """A connection of its own, from outside of the servers."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def __aenter__(self) -> asyncpg.Connection:
        self._connection = await asyncpg.connect(self._url, timeout=10)
        return self._connection

    async def __aexit__(self, *_: object) -> None:
        await self._connection.close(timeout=10)


async def _backend(town: Town, random: Random) -> int:
    """A process of PostgreSQL that works for a server."""
    found = await town.pair.primary.ask(BACKENDS, DATABASE)
    if not found:
        raise ProcessLookupError
    return int(random.choice(found)["pid"])


FAULTS: Final[dict[str, tuple[Fault, float]]] = {
    "kill -9 of a device": (_device_killed, 8),
    "kill -9 of a server": (_server_killed, 3),
    "kill -9 of a server's worker": (_worker_killed, 1),
    "kill -9 of all servers": (_all_servers_killed, 0.5),
    "SIGTERM of a server": (_server_ended, 1),
    "kill -9 of PostgreSQL": (_postgres_killed, 2),
    "kill -9 of a backend": (_backend_killed, 2),
    "kill -9 of the standby": (_standby_killed, 1),
    "failover": (_failed_over, 2),
    "PostgreSQL stands still": (_stood_still, 2),
    "a backend stands still": (_backend_stood_still, 2),
    "slow commits": (_commits_slowed, 1.5),
    "kill -9 of a backend in its commit": (_commit_killed, 2),
    "connections ended": (_connections_ended, 1.5),
    "township locked by another": (_township_locked, 2),
    "deadlock": (_deadlocked, 3),
}
KILLS: Final = (
    "kill -9 of a device",
    "kill -9 of a server",
    "kill -9 of PostgreSQL",
    "kill -9 of a device",
    "kill -9 of a backend",
    "failover",
    "kill -9 of all servers",
)
"""In short: of everything."""
