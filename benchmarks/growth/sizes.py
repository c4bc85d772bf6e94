"""Databases of different sizes, kept at once, so that the same work meets each of them in the same seconds.

A size is a database with so many townships of so many records each. Its records come in as devices bring them, and
its statistics are brought up to date. The work is done by a device of the last township, or by one of a township that
was opened after all the others: a new township in a full database got bad plans once.
"""

import asyncio
import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Final

import asyncpg
import msgspec

from benchmarks import founding, servers
from benchmarks.device import Device
from benchmarks.ground import Ground, plain
from benchmarks.screening import TOWNSHIP, creates, edit, record_of, shown, two_fields, workload
from benchmarks.turns import Step, parts

BATCH: Final = 200
GRIDS: Final = 3
SMALL: Final = 5
"""Edits up, and edits down, in one small exchange."""
_CHUNK: Final = 10_000
"""Records that are built at a time, so that a million of them fit into memory."""


class Size(msgspec.Struct, frozen=True):
    """How large a database is before the work."""

    name: str
    towns: int
    records: int
    """Of each township."""
    fresh: str | None = None
    """With a name, the work is also done in a township that is opened, without a record, after all others."""


class Work(msgspec.Struct, frozen=True):
    """What is done in one size: the batches of W1, and the small exchanges of W5."""

    name: str
    uploads: list[Step]
    small: list[Step]


@contextmanager
def side_by_side(ground: Ground, sizes: list[Size], uploads: int, exchanges: int) -> Iterator[list[Work]]:
    """The work in databases of all these sizes, which are there at once, each with its server."""
    with ExitStack() as stack:
        works: list[Work] = []
        for size in sizes:
            works += stack.enter_context(_filled(ground, size, uploads, exchanges))
        yield works


@contextmanager
def _filled(ground: Ground, size: Size, uploads: int, exchanges: int) -> Iterator[list[Work]]:
    """A database of this size with its server; the work in it, built beforehand."""
    *_, last, fresh = names = [f"{int(TOWNSHIP) + nth}" for nth in range(size.towns + 1)]
    with ground.founded(names[:-1]) as database:
        _fill(ground, database, names[:-1], size.records)
        places = {size.name: last}
        if size.fresh is not None:
            asyncio.run(founding.founded(database, [fresh]))
            places[size.fresh] = fresh
        with servers.roundbook(database, ground.folder) as (url, _):
            yield [
                _work(name, _Place(database, url, town), uploads, exchanges) for name, town in places.items()
            ]


class _Place(msgspec.Struct, frozen=True):
    database: str
    url: str
    town: str

    def device(self) -> Device:
        """A new one, which has had its first exchange."""
        grids = founding.grids_of(self.town, GRIDS)
        [me] = asyncio.run(founding.enrolled(self.database, self.town, grids, 1))
        device = Device(me, self.url, accepts="zstd")
        device.sync()
        return device


def _fill(ground: Ground, database: str, towns: list[str], records: int) -> None:
    with servers.roundbook(database, ground.folder) as (url, _):
        for town in towns:
            device = _Place(database, url, town).device()
            for at in range(0, records, _CHUNK):
                some = workload().records(min(_CHUNK, records - at), seed=at)
                for batch in parts(creates(some, founding.grids_of(town, GRIDS), first=at + 1), BATCH):
                    device.push(batch)
            device.link.close()
    asyncio.run(_analyse(database))


async def _analyse(database: str) -> None:
    connection = await asyncpg.connect(plain(database))
    await connection.execute("VACUUM ANALYZE")
    await connection.close()


def _work(name: str, place: _Place, uploads: int, exchanges: int) -> Work:
    """One device uploads; two others edit records, none of them twice, and read each other's edits."""
    author, one, other = (place.device() for _ in range(3))
    grids = founding.grids_of(place.town, GRIDS)
    edited = creates(workload().records(2 * SMALL * exchanges, seed=1), grids)
    for batch in parts(edited, BATCH):
        author.push(batch)
    held = shown(one.pull())
    other.pull()
    rng = random.Random(3)
    seen = [held[record_of(create)] for create in edited]
    edits = [
        edit(each, two_fields(rng, each.fields), at // (2 * SMALL) * SMALL + at % SMALL + 1)
        for at, each in enumerate(seen)
    ]
    small: list[Step] = []
    fives = parts(edits, SMALL)
    for mine, others in zip(fives[::2], fives[1::2], strict=True):
        small += [partial(other.sync, others), partial(one.sync, mine)]
    new = creates(workload().records(uploads, seed=2), grids, first=len(edited) + 1)
    return Work(name, [partial(author.push, batch) for batch in parts(new, BATCH)], small)
