"""Villages, township, workers, one-time codes, tokens: what the township's administrator does beforehand."""

import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from demo.clocks import ServerClock
from demo.plan import TOWNSHIP, DevicePlan
from migrations.run import upgrade
from server.applications import service as applications
from server.commands.opening import with_engine
from server.devices import service as devices
from server.directory import reading
from server.directory import service as directory
from server.directory.encoding import decode
from server.directory.shipped import LIST_YEAR, shipped_list
from server.kinds.service import install_shipped
from server.settings import Settings
from server.staff import service as staff
from server.staff.service import Candidate
from server.storage.directory import GridRow
from server.vault import keyfile

T = TypeVar("T")
Random = Callable[[int], bytes]
GRIDS_A_VILLAGE: Final = 3
_CODE_MS: Final = 600_000
_OFFICE: Final = ("records:read", "records:write", "review")
_CHECK: Final = ("records:read", "contact:read")


class Opened(msgspec.Struct, frozen=True):
    """A township that works."""

    villages_imported: int
    township_name: str
    grids: list[GridRow]


_TOKEN_DAYS: Final = 3_650
"""The round lies on invented dates; its tokens are tried out long after them."""


class Tokens(msgspec.Struct, frozen=True):
    """Tokens of two applications: the office's, and one that only reads, for the comparison at the end."""

    office: str
    check: str


class Administrator:
    """Works on the database with the services that the commands of `roundbook` use."""

    def __init__(self, settings: Settings, clock: ServerClock, random: Random) -> None:
        self._settings, self._clock, self._random = settings, clock, random

    def open(self) -> Opened:
        """Makes the database, imports the list that ships, opens the township."""
        upgrade(self._settings.database)
        keyfile.make_missing(self._settings)
        listed = reading.read(decode(shipped_list()))

        async def work(engine: AsyncEngine) -> Opened:
            await install_shipped(engine, self._clock())
            done = await directory.import_divisions(engine, listed, list_year=LIST_YEAR, now_ms=self._clock())
            opened = await directory.open_township(
                engine, TOWNSHIP, grids=GRIDS_A_VILLAGE, now_ms=self._clock(), random=self._random
            )
            return Opened(done.new, opened.name, await directory.grids(engine, TOWNSHIP))

        return self._run(work)

    def codes(self, plans: Sequence[DevicePlan]) -> list[str]:
        """Adds the workers; a one-time code for the device of each."""

        async def work(engine: AsyncEngine) -> list[str]:
            return [await self._code(engine, plan) for plan in plans]

        return self._run(work)

    def tokens(self) -> Tokens:
        """The two applications. Their ids follow from the seed, what is secret of them does not."""

        def random(count: int) -> bytes:
            return self._random(count) if count < devices.KEY_BYTES else secrets.token_bytes(count)

        async def work(engine: AsyncEngine) -> Tokens:
            made = [
                await applications.add(
                    engine, name, scopes, [TOWNSHIP], now_ms=self._clock(), random=random, days=_TOKEN_DAYS
                )
                for name, scopes in (("元竹镇综治中心", _OFFICE), ("演示核对", _CHECK))
            ]
            return Tokens(made[0].token, made[1].token)

        return self._run(work)

    def move_worker(self, device: str, grids: Sequence[str]) -> None:
        """Gives a device other grids, as `roundbook device grids` does."""

        async def work(engine: AsyncEngine) -> None:
            await devices.set_grids(engine, device, grids, now_ms=self._clock())

        self._run(work)

    async def _code(self, engine: AsyncEngine, plan: DevicePlan) -> str:
        now_ms = self._clock()
        person = Candidate(plan.worker, "grid_worker", TOWNSHIP)
        await staff.add(engine, person, now_ms=now_ms, random=self._random)
        made = await devices.give_code(
            engine, plan.worker, plan.grids, lifetime_ms=_CODE_MS, now_ms=now_ms, random=self._random
        )
        return made.code

    def _run(self, work: Callable[[AsyncEngine], Awaitable[T]]) -> T:
        return with_engine(self._settings, work)
