"""The township erases records, and nothing of them comes back: in no row of the server and in no store.

Drawn beside the plan, from randomness of its own, so that a seed means what it meant before.
"""

from collections.abc import Iterator
from random import Random
from typing import TYPE_CHECKING, Final

from server.declined import Declined
from server.privacy import matters
from server.reach import Caller, Reach
from server.refused import RefusedError
from server.storage.engine import Unavailable
from tests.simulation.disk import CrashError
from tests.simulation.ledger import Ledger, read
from tests.simulation.town import Device, Town, store

if TYPE_CHECKING:
    from tests.simulation.world import World

WHAT: Final = "a record is erased"
_SALT: Final = 0x65726173
_NAMING: Final = (("records", "id"), ("changes", "record"), ("problems", "record"), ("reports", "record"))
"""Where a store names records, beside the news."""
_ID: Final = "01900000-0000-7000-8000-0000000ad001"


def drawn(seed: int, over_s: float) -> Iterator[tuple[float, int]]:
    """When records are erased, and the seed of each: in one simulation of four."""
    random = Random(seed ^ _SALT)
    if random.random() < 0.25:
        for _ in range(random.choice([1, 2, 5])):
            yield random.uniform(0, over_s), random.getrandbits(48)


async def erase_one(world: "World", random: Random) -> None:
    """Some record goes; a server that dies over it, or has no space, may have done it or not."""
    alive = [one for one in world.servers.running if not one.process.dead]
    ledger = read(world.servers.path)
    living = sorted(ledger.records.keys() - erased_in(ledger))
    if not alive or not living:
        return
    record = random.choice(living)
    place = ledger.records[record]["place"]
    who = Caller(_ID, "office", "administrator", Reach((place[:9],), restricted=True), frozenset())
    world.witness.erased |= {change.id for change in ledger.changes if change.record == record}
    try:
        await matters.erase_matter(random.choice(alive).services, who, record, "本人申请")
    except (RefusedError, Unavailable, CrashError, Declined):
        return
    world.seen[WHAT] += 1


def erased_in(ledger: Ledger) -> set[str]:
    """The records that are erased."""
    return {record for record, row in ledger.records.items() if row.get("erased")}


def without(ledger: Ledger) -> Ledger:
    """What is left to be said of the others."""
    gone = erased_in(ledger)
    return Ledger(
        [change for change in ledger.changes if change.record not in gone],
        {record: row for record, row in ledger.records.items() if record not in gone},
        [row for row in ledger.conflicts if row["record_id"] not in gone],
        ledger.register,
    )


def remains(town: Town, ledger: Ledger) -> Iterator[str]:
    """What is still said of erased records, by the server or by a device that has synced."""
    gone = erased_in(ledger)
    for change in ledger.changes:
        if change.record in gone and (change.raw or change.effects):
            yield f"erased: {change.id} of {change.record} still says something"
    for record in gone:
        if bytes(ledger.records[record]["body"]) != b"{}":
            yield f"erased: {record} still says something"
    for row in ledger.conflicts:
        if row["record_id"] in gone and row["status"] != "erased":
            yield f"erased: a conflict of {row['record_id']} is {row['status']}"
    for device in town.devices:
        if not device.revoked and device.client is not None:
            yield from _kept(device, gone)


def _kept(device: Device, gone: set[str]) -> Iterator[str]:
    for table, column in _NAMING:
        for (record,) in store(device, f"SELECT {column} FROM {table}"):
            if record in gone:
                yield f"erased: {device.name} still has {record} among its {table}"
