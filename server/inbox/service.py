"""What waits for somebody: every queue of their role, each within the reach of its action."""

from collections.abc import Sequence
from functools import partial
from typing import Final, TypeAlias

import msgspec

from server.declined import not_found
from server.inbox.queues import Queue, queue_of, queues_of
from server.inbox.sources import SOURCES
from server.ledger import service as ledger
from server.privacy.numbers import hidden
from server.reach import Caller
from server.rights import Person, acting
from server.services import Services
from server.storage import inbox
from server.storage.engine import snapshot

Waiting: TypeAlias = inbox.Waiting
"""Something that waits; pages know it by this name."""
MOST: Final = 99
"""What is counted and listed of a queue; of more it is said that there are more."""
_DIGITS: Final = 20


class Item(msgspec.Struct, frozen=True):
    """Something that waits, and where."""

    township: str
    waiting: Waiting


class Mark(msgspec.Struct, frozen=True):
    """The last number of each township; it moves whenever anything is written there."""

    numbers: dict[str, int]

    @property
    def text(self) -> str:
        """As a page carries it: the numbers in the order of their townships."""
        return ".".join(str(number) for _, number in sorted(self.numbers.items()))

    def then(self, text: str) -> "Mark | None":
        """An earlier one from its text, in the same townships; None for what is none."""
        parts = text.split(".")
        if len(parts) != len(self.numbers) or not all(
            part.isdecimal() and len(part) < _DIGITS for part in parts
        ):
            return None
        return Mark(dict(zip(sorted(self.numbers), map(int, parts), strict=True)))


class Line(msgspec.Struct, frozen=True):
    """A queue, with what waits in it: the oldest first, MOST and one more at most."""

    queue: Queue
    items: list[Item]

    @property
    def count(self) -> str:
        """How many wait, in a figure or two."""
        return f"{MOST}+" if len(self.items) > MOST else str(len(self.items))

    def newer(self, mark: Mark) -> int:
        """How many of them came, or changed, since then."""
        return sum(one.waiting.n > mark.numbers.get(one.township, one.waiting.n) for one in self.items)


async def lines(services: Services, person: Person) -> list[Line]:
    """Every queue of a person, empty ones too."""
    return await _asked(services, person, queues_of(person))


async def line(services: Services, person: Person, name: str) -> Line:
    """One queue; declines one that the person does not have."""
    queue = queue_of(person, name)
    if queue is None:
        raise not_found()
    return (await _asked(services, person, [queue]))[0]


async def mark(services: Services, person: Person) -> Mark:
    """How far everything is now where the person works."""
    numbers = {
        township: await snapshot(services.engine, partial(inbox.number, township=township))
        for township in sorted(person.townships)
    }
    return Mark(numbers)


async def _asked(services: Services, person: Person, queues: Sequence[Queue]) -> list[Line]:
    callers = {one.action: acting(person, one.action) for one in queues}
    for caller in callers.values():
        # The ledger is one for all of them; who reaches matters brings it up to date.
        if caller is not None:
            await ledger.catch_up(services, caller)
            break
    return [Line(one, await _waiting(services, callers[one.action], one)) for one in queues]


async def _waiting(services: Services, caller: Caller | None, queue: Queue) -> list[Item]:
    """Of each township the oldest, merged."""
    if caller is None:
        return []
    found: list[Item] = []
    for township in sorted(caller.townships):
        rows = await SOURCES[queue.source](services, caller, queue, township, MOST + 1)
        found += [Item(township, _masked(row)) for row in rows]
    return sorted(found, key=lambda one: one.waiting.at_ms)[: MOST + 1]


def _masked(row: Waiting) -> Waiting:
    return row if row.title is None else msgspec.structs.replace(row, title=hidden(row.title))
