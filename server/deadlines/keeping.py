"""The pass: it keeps a township's deadlines right, and tells what is to be told.

It follows the township's changes by their numbers, in bounded transactions under a lock of its own, so a push
pays nothing for it, and several processes may run it at once. What it writes follows from the changes, the
rules and the server's time alone; a pass that comes late writes what one in time would have written.

    1  changes that came since: their records are reckoned anew
    2  after other rules came into force: every record, in the order of ids
    3  when both are done: what was to be told by now, each thing once
"""

from typing import Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.deadlines.force import Force, in_force
from server.deadlines.reckoning import reckon
from server.deadlines.telling import TOLD_AT_ONCE, tell
from server.services import Services
from server.storage import deadline_passes, following
from server.storage.deadline_passes import Ahead, Pass
from server.storage.engine import snapshot

GRACE_MS: Final = 60_000
"""What is to be told waits so long: a change that was received before it may still be on its way into the database."""


class Done(msgspec.Struct, frozen=True):
    """What one or several transactions of the pass did."""

    reckoned: int = 0
    """Records whose deadlines were reckoned."""
    told: int = 0
    more: bool = False
    """Whether something is left to be done at once."""

    def then(self, later: "Done") -> "Done":
        """Both together; what is left is what the later one left."""
        return Done(self.reckoned + later.reckoned, self.told + later.told, later.more)


async def keep(services: Services, township: str) -> Done:
    """Brings a township up to date, in as many transactions as it takes, letting others in between."""

    async def work(connection: AsyncConnection) -> Done:
        return await _advance(connection, services, township)

    done = Done(more=await _is_due(services, township))
    while done.more:
        done = done.then(await services.write(township, work))
    return done


async def _is_due(services: Services, township: str) -> bool:
    """Whether there is anything to do; most of the time there is not, and this takes no lock."""
    await services.registry.ensure()

    async def look(connection: AsyncConnection) -> tuple[Ahead | None, Force]:
        return await deadline_passes.ahead(connection, township), await in_force(connection, township)

    ahead, force = await snapshot(services.engine, look)
    if ahead is None:
        return False
    standing = ahead.standing
    if standing is None:
        return True
    if standing.edition > force.edition:
        return False
    waits = ahead.next_ms is not None and ahead.next_ms <= services.clock() - GRACE_MS
    return standing.renewed is not None or standing.age != force.age or ahead.tip > standing.reached or waits


async def _advance(connection: AsyncConnection, services: Services, township: str) -> Done:
    """One transaction of the pass."""
    standing = await deadline_passes.lock(connection, township)
    force, now_ms = await in_force(connection, township), services.clock()
    if standing.edition > force.edition:
        # A later release reckons here with rules that this one does not have: it goes on, not this one.
        return Done()
    if standing.age != force.age:
        standing = Pass(standing.reached, *force.age, now_ms, "", standing.told)
    kinds = [kind.name for kind in services.registry.current()]
    found = await following.batch(connection, township, standing.reached, standing.renewed, kinds)
    standing = msgspec.structs.replace(standing, reached=found.reached, renewed=found.renewed)
    await reckon(connection, services.registry, township, force, found.ids, standing.since_ms)
    more, told = found.more, 0
    if not more:
        # Only now is every deadline what it should be.
        events = await tell(connection, township, force, standing.told, now_ms, now_ms - GRACE_MS)
        told, more = len(events), len(events) >= TOLD_AT_ONCE
        standing = msgspec.structs.replace(standing, told=events[-1].n if events else standing.told)
    await deadline_passes.move(connection, township, standing)
    return Done(len(found.ids), told, more)
