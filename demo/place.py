"""Villages, township, workers, one-time codes, tokens: what the township's administrator does beforehand."""

import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from demo import before
from demo.people import COLLEAGUES, Colleague, Invited
from demo.plan import TOWNSHIP, DevicePlan
from migrations.run import upgrade
from server.applications import service as applications
from server.audit import service as audit
from server.commands.first_link import link_for
from server.commands.opening import with_engine
from server.devices import service as devices
from server.directory import reading
from server.directory import service as directory
from server.directory.encoding import decode
from server.directory.shipped import LIST_YEAR, shipped_list
from server.kinds.service import install_shipped
from server.services import Services, open_services
from server.sessions import links
from server.settings import Settings
from server.staff import service as staff
from server.staff.service import Candidate
from server.storage.directory import GridRow
from server.vault import keyfile

T = TypeVar("T")
Random = Callable[[int], bytes]
GRIDS_A_VILLAGE: Final = 3
_CODE_MS: Final = 600_000
_APPLICATIONS: Final = (
    ("12345热线", ("records:write",)),
    ("演示核对", ("records:read", "contact:read")),
    ("演示查看", ("records:read", "review", "figures:read")),
)


class Opened(msgspec.Struct, frozen=True):
    """A township that works."""

    villages_imported: int
    township_name: str
    grids: list[GridRow]


_TOKEN_DAYS: Final = 3_650
"""The round lies on invented dates; its tokens are tried out long after them."""


class Tokens(msgspec.Struct, frozen=True):
    """Of the hotline that hands matters in, of the comparison at the end, and of whoever looks further."""

    hotline: str
    check: str
    look: str


Links = Sequence[tuple[Colleague, str]]
"""People of the offices, each with the secret of a one-time link."""


class Administrator:
    """Works on the database with the services that the commands of `roundbook` use."""

    def __init__(self, settings: Settings, clock: Callable[[], int], random: Random) -> None:
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
                engine,
                TOWNSHIP,
                grids=GRIDS_A_VILLAGE,
                now_ms=self._clock(),
                random=self._random,
                key_random=self._random,  # devices tell of it in every request: its bytes are counted
            )
            return Opened(done.new, opened.name, await directory.grids(engine, TOWNSHIP))

        return self._run(work)

    def codes(self, plans: Sequence[DevicePlan]) -> list[str]:
        """Adds the workers; a one-time code for the device of each."""

        async def work(engine: AsyncEngine) -> list[str]:
            return [await self._code(engine, plan) for plan in plans]

        return self._run(work)

    def tokens(self) -> Tokens:
        """The applications. Their ids follow from the seed, what is secret of them does not."""

        def random(count: int) -> bytes:
            return self._random(count) if count < devices.KEY_BYTES else secrets.token_bytes(count)

        async def work(engine: AsyncEngine) -> Tokens:
            made = [
                await applications.add(
                    engine, name, scopes, [TOWNSHIP], now_ms=self._clock(), random=random, days=_TOKEN_DAYS
                )
                for name, scopes in _APPLICATIONS
            ]
            return Tokens(*(one.token for one in made))

        return self._run(work)

    def invite(self) -> list[Invited]:
        """Adds the people of the offices; a one-time link for each, with which they set a password."""

        async def work(engine: AsyncEngine) -> list[Invited]:
            plain = open_services(self._settings, engine)
            services = msgspec.structs.replace(plain, clock=self._clock, random=self._random)
            return [await self._invited(services, one) for one in COLLEAGUES]

        return self._run(work)

    def take_over(self, invited: Sequence[Invited], grids: Sequence[GridRow]) -> None:
        """Brings in what the office had before: the clerk's old ledger, and the defaults of the villages."""
        clerk = next(one for one in invited if one.colleague.role == "clerk")

        async def work(engine: AsyncEngine) -> None:
            plain = open_services(self._settings, engine)
            services = msgspec.structs.replace(plain, clock=self._clock, random=self._random)
            await before.take_over(services, clerk, {row.village: row.village_name for row in grids})

        self._run(work)

    async def _invited(self, services: Services, one: Colleague) -> Invited:
        engine, now_ms = services.engine, self._clock()
        candidate = Candidate(one.name, one.role, one.office)
        row = await staff.add(engine, candidate, now_ms=now_ms, random=self._random)
        if one.village or one.unit:
            row = await staff.set_scope(
                engine, row.staff_id, one.office, village=one.village, unit=one.unit, now_ms=now_ms
            )
        return Invited(one, row.staff_id, await links.make(services, row))

    def entries(self) -> tuple[int, list[str]]:
        """How many entries the audit has, and what does not fit in its chains."""

        async def work(engine: AsyncEngine) -> tuple[int, list[str]]:
            chains = await audit.verify(engine)
            wrong = [f"{one.township} {fault.n}: {fault.en}" for one in chains for fault in one.faults]
            return sum(one.entries for one in chains), wrong

        return self._run(work)

    def links(self) -> Links:
        """A link for each of them that is valid now, by the clock of this machine, for whoever looks further."""

        async def work(engine: AsyncEngine) -> Links:
            made = [await link_for(self._settings, engine, one.name, one.office) for one in COLLEAGUES]
            return [(one, secret) for one, (_, secret) in zip(COLLEAGUES, made, strict=True)]

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
