"""A township whose matters are fed in by the office, under a clock that the test holds, with the pass beside it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.deadlines.keeping import GRACE_MS, Done, keep
from server.reckoning.spans import ZONE
from server.storage import deadlines, townships
from server.storage.deadlines import Event, Row
from server.storage.engine import snapshot
from server.sync.batch import Upload
from server.sync.judge import Author
from server.sync.push import push
from sync_protocol.changes import Act, Change, Put
from sync_protocol.clock import Reading
from sync_protocol.codec import read_change
from sync_protocol.limits import DEFAULTS
from tests.server.office_server import GRID, TOWN, OfficeServer, office_server

DAY_MS: Final = 86_400_000
HOUR_MS: Final = 3_600_000
CLERK: Final = "01900000-0000-7000-8000-00000000c1e0"
STEPS: Final = {
    "report": ("draft", "reported"),
    "accept": ("reported", "accepted"),
    "assign": ("accepted", "assigned"),
    "handle": ("accepted", "handling"),
    "handle assigned": ("assigned", "handling"),
    "resolve accepted": ("accepted", "resolved"),
    "resolve": ("handling", "resolved"),
    "answer": ("resolved", "answered"),
    "close": ("answered", "closed"),
    "reopen": ("closed", "reopened"),
}


def at(text: str) -> int:
    """A local time of the township, such as 2026-03-02 16:40, in milliseconds since 1970 UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZONE).timestamp() * 1_000)


class Desk:
    """The office: every request is one push by a clerk, at the time of the server's clock."""

    def __init__(self, server: OfficeServer) -> None:
        self.server = server

    def move_to(self, now_ms: int) -> None:
        self.server.now_ms = now_ms

    def create(self, record: str, **fields: Any) -> Change:
        given = {"title": "事", "nature": "dispute", **fields}
        return self._change(
            record, do="create", place=GRID, fields=_raw(given), act=Act("report", *STEPS["report"])
        )

    def step(self, record: str, action: str, **fields: Any) -> Change:
        """A step of the workflow, with what it needs; an answer brings its text."""
        answer = Put("answers", self.server.new_id(), _raw({"text": fields.pop("text", "已办")}))
        act = Act(action.partition(" ")[0], *STEPS[action], note="办")
        ops = (answer,) if action == "answer" else ()
        return self._change(record, fields=_raw(fields), act=act, ops=ops, reason="因")

    def edit(self, record: str, **fields: Any) -> Change:
        return self._change(record, fields=_raw(fields))

    def _change(self, record: str, **parts: Any) -> Change:
        now_ms = self.server.now_ms
        base = 2**50  # whatever stands was seen
        given = {"kind": "matter", "version": 1, "n": 1, "at": now_ms, "mark": now_ms, "base": base, **parts}
        return Change(id=self.server.new_id(), record=record, **given)

    async def push(self, *changes: Change) -> None:
        """Takes changes in, in one transaction, as the office's doors do."""

        async def work(connection: AsyncConnection) -> None:
            township = await townships.lock(connection, TOWN)
            assert township is not None
            author, reading = (
                Author(CLERK, TOWN, "clerk", None),
                Reading(self.server.now_ms, self.server.now_ms),
            )
            numbered = [msgspec.structs.replace(change, n=nth) for nth, change in enumerate(changes, 1)]
            upload = Upload(
                author, [read_change(msgspec.json.encode(change)) for change in numbered], reading
            )
            pushed = await push(connection, township, upload, self.server.services.registry, DEFAULTS)
            assert [verdict.result for verdict in pushed.verdicts] == ["applied"] * len(changes), (
                pushed.verdicts
            )

        await self.server.services.write(TOWN, work)

    async def report(self, **fields: Any) -> str:
        """A new matter, reported now."""
        record = self.server.new_id()
        await self.push(self.create(record, **fields))
        return record

    async def act(self, record: str, *actions: str, **fields: Any) -> None:
        """Steps, taken one after the other in one push."""
        for action in actions:
            await self.push(self.step(record, action, **fields))

    async def keep(self) -> Done:
        return await keep(self.server.services, TOWN)

    async def keep_at(self, now_ms: int) -> Done:
        """The pass, at a time, with what was to be told by then."""
        self.move_to(now_ms + GRACE_MS)
        return await self.keep()

    async def deadlines(self, record: str) -> dict[str, Row]:
        """The last deadline of each rule."""
        rows = await snapshot(self.server.services.engine, lambda c: deadlines.of_records(c, TOWN, [record]))
        return {row.rule: row for row in sorted(rows, key=lambda row: row.started_n)}

    async def events(self, record: str) -> list[Event]:
        return await snapshot(self.server.services.engine, lambda c: deadlines.events_of(c, TOWN, [record]))

    async def told(self, record: str) -> list[tuple[str, str, int]]:
        """Rule, sort and time of everything told of a record, in the order of the times."""
        return sorted(((e.rule, e.sort, e.at_ms) for e in await self.events(record)), key=lambda e: (e[2], e))


def _raw(fields: Mapping[str, Any]) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(fields))


@asynccontextmanager
async def desk_of(url: str) -> AsyncIterator[Desk]:
    async with office_server(url) as server:
        yield Desk(server)
