"""The township's office under simulation: it edits, moves, decides, and takes quarantined changes in again."""

from collections.abc import Awaitable, Callable
from random import Random
from typing import TYPE_CHECKING, Any

from client_sdk import AsyncOfficeClient
from client_sdk.office_answers import Conflict, OfficeRecord
from sync_protocol.errors import RoundbookError
from tests.simulation.fields import is_single
from tests.simulation.network import Link

if TYPE_CHECKING:
    from tests.simulation.world import World


class Office:
    """The township's office, through an application's token."""

    def __init__(self, world: "World", token: str, link: Link, random: Random) -> None:
        """Its link breaks as the devices' do."""
        self.world, self.random, self.link = world, random, link
        self.came_from: dict[str, str] = {}
        self.client = AsyncOfficeClient(
            "http://town", token=token, transport=link, random=random.randbytes, clock=world.now
        )

    async def turn(self) -> None:
        """One thing that an office does."""
        turns = [self._edit, self._move, self._decide, self._replay, self._act]
        await self._tried(self.random.choices(turns, self.world.habits.office)[0])

    async def decide(self) -> None:
        """Somebody opens the inbox and decides what differs."""
        await self._tried(self._decide)

    async def take_in_again(self) -> None:
        """Somebody takes in a change that waits in quarantine."""
        await self._tried(self._replay)

    async def _tried(self, turn: Callable[[], Awaitable[None]]) -> None:
        try:
            await turn()
        except RoundbookError:
            return  # refused, or the link broke: the table of changes says what became of it

    async def _records(self) -> list[OfficeRecord]:
        return [record async for record in self.client.records("sheet", closed=False)]

    async def _some(self) -> OfficeRecord | None:
        found = await self._records()
        return self.world.habits.pick(self.random, found) if found else None

    async def _edit(self) -> None:
        record = await self._some()
        if record is None:
            return
        name = self.random.choice(["subject", "level", "heads"])
        fresh = self.world.values.fresh()
        value: Any = f"v{fresh}" if name == "subject" else fresh
        self.world.witness.saw[value] = record.fields.get(name)
        await self.client.update(record, **{name: value})

    async def _move(self) -> None:
        record = await self._some()
        if record is not None:
            drawn = self.random.choice(self.world.template.grids)
            to = self.came_from.pop(record.id, drawn)  # who moves a record a second time puts it back
            if to == drawn:
                self.came_from[record.id] = record.place
            await self.client.update(record, grid=to)

    async def _act(self) -> None:
        record = await self._some()
        if record is not None:
            open_ = await self.client.actions(record)
            if open_:
                await self.client.act(record, self.random.choice(open_).name)

    async def _decide(self) -> None:
        conflicts = await self.client.conflicts(self.random.choice(["open", "by_rule"]))
        if conflicts:
            conflict = self.random.choice(conflicts)
            await self._decide_on(conflict)
            await self._hand_on(conflict.record)

    async def _decide_on(self, conflict: Conflict) -> None:
        pick = self.random.choice(conflict.values)
        among = [conflict.stands, *(side.value for side in conflict.values)]
        told = frozenset(value for value in among if isinstance(value, str | int))
        self.world.decided[conflict.id] = told
        if is_single(conflict.path) and pick.value is not None and self.random.random() < 0.5:
            await self.client.resolve(conflict, value=self._third(conflict, pick.value, told), reason="复查")
            return
        if isinstance(pick.value, str | int):
            self.world.witness.chose(pick.value, told)
        await self.client.resolve(conflict, pick=pick, reason="核实")

    async def _hand_on(self, record: str) -> None:
        """Whose matter it was hears of the decision when it is theirs no more."""
        often = self.world.habits.hands_on
        if often and self.random.random() < often:
            shown = await self.client.get(record)
            others = [grid for grid in self.world.template.grids if grid != shown.place]
            await self.client.update(shown, grid=self.random.choice(others))

    def _third(self, conflict: Conflict, like: Any, told: frozenset[Any]) -> Any:
        """A value that nobody had written: whoever sees it has seen the decision."""
        fresh = self.world.values.fresh()
        value: Any = f"v{fresh}" if isinstance(like, str) else fresh
        self.world.witness.saw[value] = conflict.stands
        self.world.witness.chose(value, told)
        return value

    async def _replay(self) -> None:
        waiting = await self.client.quarantine()
        if waiting:
            change = self.random.choice(waiting)
            await self.client.replay(change)
            if change.record is not None:
                await self._hand_on(change.record)
