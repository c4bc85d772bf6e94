"""An office whose matters come and go, and its ledger, asked as pages ask it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.following import follow
from server.ledger import service
from server.ledger.asking import question_of
from server.ledger.making import LEDGER
from server.ledger.service import Listed
from server.reach import Caller, Reach
from server.records import service as records
from server.records.creating import NewRecord
from server.records.editing import Edit
from server.records.service import Step
from server.records.writing import Target
from server.storage.engine import snapshot, transact
from server.storage.tables import followers, ledger, ledger_references
from tests.server.office_server import GRID, TOWN, OfficeServer, office_server

CLERK: Final = Caller(
    "01900000-0000-7000-8000-00000000c1e0",
    "李文书",
    "clerk",
    Reach((TOWN,), restricted=True),
    frozenset({"contact:write"}),
)
Rows = dict[str, list[dict[str, Any]]]


class Desk:
    def __init__(self, server: OfficeServer) -> None:
        self.server = server
        self.services = server.services
        self._made = 0

    async def report(self, title: str = "事", place: str = GRID, **fields: Any) -> str:
        """A new matter, reported a second after the one before."""
        self._made += 1
        self.server.now_ms += 1_000
        given = {"title": title, "nature": "dispute", **fields}
        new = NewRecord("matter", f"{self._made}", place, given)
        return (await records.create(self.services, CLERK, new))[0].id

    async def edit(self, record: str, **given: Any) -> None:
        self.server.now_ms += 1_000
        await records.update(self.services, CLERK, Target(record), Edit(**given))

    async def act(self, record: str, *actions: str) -> None:
        for action in actions:
            self.server.now_ms += 1_000
            step = Step(action, note="办", reason="因")
            await records.act(self.services, CLERK, Target(record), step)

    async def page(
        self,
        asked: Mapping[str, str] = {},
        who: Caller = CLERK,
        after: str | None = None,
        limit: int = 50,
    ) -> Listed:
        return await service.listed(self.services, who, question_of(asked), after, limit)

    async def titles(self, who: Caller = CLERK, **asked: str) -> list[str]:
        return [line.row.title for line in (await self.page(asked, who)).lines]

    async def follow(self) -> None:
        assert await follow(self.services, TOWN, LEDGER)

    async def stored(self) -> Rows:
        """What is stored of the ledger."""

        async def read(connection: AsyncConnection) -> Rows:
            found: Rows = {}
            for table in (ledger, ledger_references):
                rows = await connection.execute(select(table).order_by(table.c.record_id, table.c.number))
                found[table.name] = [dict(row._mapping) for row in rows]
            return found

        return await snapshot(self.services.engine, read)

    async def forget(self) -> None:
        """As if there had never been a ledger."""

        async def work(connection: AsyncConnection) -> None:
            for table in (ledger, ledger_references, followers):
                await connection.execute(delete(table))

        await transact(self.services.engine, work)


@asynccontextmanager
async def desk_of(url: str) -> AsyncIterator[Desk]:
    async with office_server(url) as server:
        yield Desk(server)
