"""What each event of a plan does: to a device, or to the town."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from functools import partial
from random import Random
from typing import Any, Final

from tests.simulation import erasures
from tests.simulation.device import Device
from tests.simulation.disk import CrashError
from tests.simulation.rounds import ENTRY, ENTRY_REMOVED, ENTRY_WORDS, GROUPS, STEP, TAG, VALUES
from tests.simulation.world import World

HOURS: Final = 3_600.0
_AGAINST: Final = {ENTRY_WORDS: ENTRY_REMOVED, ENTRY_REMOVED: ENTRY_WORDS, TAG: TAG}
"""What somebody does with the thing that somebody else adds, or takes away."""


async def _save(device: Device, random: Random) -> None:
    for _ in range(random.choice([1, 1, 2, 4])):
        device.turn()


async def _sync(device: Device, _: Random) -> None:
    done = await device.sync()
    device.world.say(f"  {device.name} synced: {'complete' if done else 'not complete'}")


async def _sync_at_work(device: Device, random: Random) -> None:
    """The worker goes on saving while the sync is under way."""

    async def goes_on() -> None:
        for _ in range(random.choice([1, 2, 4])):
            await asyncio.sleep(random.uniform(0.2, 12))
            if device.at_work:
                device.turn()

    await _together(_sync(device, random), goes_on())


async def _two_syncs(device: Device, _: Random) -> None:
    await _together(device.sync(), device.sync())


async def _together(*doings: Coroutine[Any, Any, Any]) -> None:
    """Two things at once on one device: over the end of its process, both end."""
    tasks = [asyncio.create_task(doing) for doing in doings]
    try:
        await asyncio.gather(*tasks)
    except CrashError:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


async def _device_dies(device: Device, random: Random) -> None:
    device.process.dies_at = device.process.statements + random.randrange(1, 50)


async def _torn_log(device: Device, _: Random) -> None:
    device.process.torn = True


async def _disk_full(device: Device, random: Random) -> None:
    device.fill(random.randrange(3))


async def _clock_set(device: Device, _: Random) -> None:
    device.clock.set()
    device.clock_changed()


async def _damaged(device: Device, _: Random) -> None:
    device.damage()


async def _copied(device: Device, _: Random) -> None:
    device.copy()


async def _put_back(device: Device, _: Random) -> None:
    await device.put_back(everything=True)


async def _database_put_back(device: Device, _: Random) -> None:
    await device.put_back(everything=False)


async def _cloned(device: Device, _: Random) -> None:
    await device.clone()


async def _regrid(device: Device, random: Random) -> None:
    grids = device.world.template.grids
    await device.world.regrid(device, random.sample(grids, random.choice([1, 1, 2, 3])))


async def _grids_withheld(device: Device, random: Random) -> None:
    """Somebody took the wrong device off its grids, and mends it hours later.

    What was saved before anybody knew is refused. Its author goes on where they were, and asks the office to take
    in what waits.
    """
    world = device.world
    others = [grid for grid in world.template.grids if grid not in device.enrolled.grids]
    sorts = [
        world.habits.sort(random),
        random.choice(VALUES),
        random.choice([GROUPS, world.habits.sort(random)]),
    ]
    await _syncs(device)
    matter = next(iter(device.shows()), None)
    if matter is None:
        return

    def writes() -> None:
        for sort in sorts:
            device.go_on(matter, sort)

    writes()
    await world.regrid(device, random.sample(others, 1))
    await asyncio.sleep(random.uniform(0.2, 12) * HOURS)
    await _syncs(device)
    await world.regrid(device, device.enrolled.grids)
    await _syncs(device)
    writes()
    await _syncs(device)
    for _ in (*sorts, *sorts):
        await world.office.take_in_again()


async def _put_back_in_between(device: Device, random: Random) -> None:
    """The database is put back to before the device's last sync, and the worker may go on with what it had brought up.

    The first change that the servers see then is not the first that they miss.
    """
    world = device.world
    world.take_backup()
    begun = device.begin()
    if begun is None:
        return
    await _syncs(device)
    await asyncio.sleep(random.uniform(1, 600))
    await world.restore_server(by_hand=random.random() < 0.5)
    if random.random() < 0.5:  # a colleague comes first, and is given the numbers that were taken back
        colleague = random.choice(world.devices)
        await asyncio.sleep(60)
        await _does(colleague, colleague.turn)
        await _does(colleague, partial(_syncs, colleague))
    for _ in range(random.choice([0, 0, 1, 3])):  # who sends nothing new shows the servers no gap
        device.go_on(begun, world.habits.sort(random))
    await asyncio.sleep(random.uniform(60, 600))
    await _syncs(device)
    if random.random() < 0.5:
        await _put_back_once_more(device, random)


async def _put_back_once_more(device: Device, random: Random) -> None:
    """The same copy again, while somebody writes where the device has just read what is lost now."""
    world, sort = device.world, random.choice(VALUES)
    colleague = random.choice([one for one in world.devices if one is not device] or [device])

    async def writes(one: Device) -> None:
        await asyncio.sleep(random.uniform(1, 600))
        await _does(one, partial(_writes, one, [sort]))
        await _does(one, partial(_syncs, one))

    await writes(device)
    await world.restore_server(by_hand=random.random() < 0.2)
    await _does(colleague, colleague.begin)
    await writes(colleague)
    await writes(device)


def _writes(device: Device, sorts: Sequence[int]) -> None:
    """The worker saves edits of the oldest record, unless the device is off."""
    for sort in sorts:
        if device.at_work:
            device.turn(sort)


async def _syncs(device: Device) -> None:
    if device.at_work:
        await device.sync()


async def _meeting(world: World, random: Random) -> None:
    """Some workers meet over one matter. Each writes up what they think of it, and one of them syncs at once."""
    there = [device for device in world.devices if device.at_work]
    meeting = random.sample(there, min(len(there), random.choice([2, 2, 3])))
    common = world.habits.sort(random)
    for device in meeting:
        own = common if random.random() < 0.75 else world.habits.sort(random)
        with suppress(CrashError):
            _writes(device, [own] * random.choice([1, 2, 3]))
            device.leave()
    for device in meeting[:1]:
        with suppress(CrashError):
            await _syncs(device)
            device.leave()


async def _crossing(world: World, random: Random) -> None:
    """Two workers cross over one matter, and the office decides in between: nobody sees all of it in time.

    The second one's answer ends with its first page, and then they change what the first one has just changed; of
    an entry that one of them has taken away, they go on with what they had begun.
    """
    there = [device for device in world.devices if device.at_work]
    if len(there) < 2:
        return
    first, second = random.sample(there, 2)
    shared = sorted({*first.enrolled.grids} & {*second.enrolled.grids})
    grid = random.choice(shared) if shared else None
    matter = await _common(first, second, grid)
    if matter is None:
        return

    async def saves(device: Device, sort: int) -> None:
        await _does(device, partial(device.go_on, matter, sort))

    one = random.choice(
        [world.habits.sort(random), random.choice(VALUES), *random.choices(list(_AGAINST), k=2)]
    )
    drawn = world.habits.sort(random)
    other = random.choice([one, _AGAINST.get(one, drawn), drawn])
    if one in _AGAINST:
        await saves(first, ENTRY)
        await _does(first, partial(_syncs, first))
        await _does(second, partial(_syncs, second))
    for _ in range(random.choice([0, 1, 3, 3])):  # new matters, which fill the page that the second one gets
        await _does(first, partial(first.begin, grid))
    await saves(first, one)
    await _does(first, partial(_syncs, first))
    await saves(second, other)
    second.link.leave()
    await _does(second, partial(_syncs, second))
    if random.random() < 0.5:
        await _does(second, partial(second.think_again, matter))
    else:
        await saves(second, other if one in _AGAINST else one)
    await asyncio.sleep(random.uniform(60, 9_000))
    await _does(second, partial(_syncs, second))
    if random.random() < 0.4:
        return  # what the first one wrote stays their last word
    if random.random() < 0.3:
        await saves(first, one)
    await world.office.decide()
    await asyncio.sleep(random.uniform(60, 600))
    if random.random() < 0.6:  # later than the decision, of which they have not heard
        await saves(first, one)
    await _does(first, partial(_syncs, first))


async def _common(first: Device, second: Device, grid: str | None) -> str | None:
    """A matter that both of them show; a new one in a grid that they share, where there is none."""
    for _ in range(2):
        known = set(second.shows())
        found = next((record for record in first.shows() if record in known), None)
        if found is not None or grid is None:
            return found
        await _does(first, partial(first.begin, grid))
        await _does(first, partial(_syncs, first))
        await _does(second, partial(_syncs, second))
    return None


async def _does(device: Device, what: Callable[[], Awaitable[None] | str | None]) -> None:
    """Somebody at work does something, over which the device may die."""
    if not device.at_work:
        return
    with suppress(CrashError):
        done = what()
        if isinstance(done, Awaitable):
            await done
        device.leave()


async def _revoke(device: Device, _: Random) -> None:
    await device.world.revoke(device)


async def _hand_over(device: Device, random: Random) -> None:
    await device.world.hand_over(device, random.choice(device.world.devices))


async def _office(world: World, _: Random) -> None:
    await world.office.turn()


async def _office_decides(world: World, _: Random) -> None:
    await world.office.decide()


async def _server_dies(world: World, random: Random) -> None:
    alive = [one.process for one in world.servers.running if not one.process.dead]
    if alive:
        process = random.choice(alive)
        if random.random() < 0.3:
            process.dies_at = process.statements + random.randrange(1, 40)
        else:
            process.dies_writing = random.randrange(1, 16)


async def _dies_over_a_push(device: Device, random: Random) -> None:
    """A server dies while it takes in what the worker has just begun, and mostly reported."""
    begun = device.begin()
    if begun is None:
        return
    for sort in random.choice([(STEP,), (STEP,), (), (STEP, random.choice(VALUES))]):
        device.go_on(begun, sort)
    for one in device.world.servers.running:
        one.process.dies_writing = random.randrange(1, 16)
    await _syncs(device)


async def _power_cut(world: World, _: Random) -> None:
    world.power_cut()


async def _power_cut_in_commit(world: World, random: Random) -> None:
    alive = [one.process for one in world.servers.running if not one.process.dead]
    if alive:
        random.choice(alive).torn = True


async def _server_full(world: World, random: Random) -> None:
    world.servers.full = True
    await asyncio.sleep(random.uniform(60, 1_800))
    world.servers.full = False


async def _slow(world: World, random: Random) -> None:
    world.servers.pauses = random.choice([0.1, 0.5])
    await asyncio.sleep(random.uniform(600, 7_200))
    world.servers.pauses = 0.0


async def _backup(world: World, _: Random) -> None:
    world.take_backup()


async def _restore(world: World, _: Random) -> None:
    await world.restore_server()


async def _by_hand(world: World, _: Random) -> None:
    await world.restore_server(by_hand=True)


async def _server_clock(world: World, random: Random) -> None:
    world.skew_ms = random.randrange(-600_000, 3_600_000)
    world.witness.clock_was_set = True
    world.witness.saved_ms.clear()


async def _other_release(world: World, _: Random) -> None:
    await world.other_release()


async def _kind_grows(world: World, _: Random) -> None:
    await world.kind_grows()


OF_DEVICE: Final[dict[str, Callable[[Device, Random], Awaitable[None]]]] = {
    "save": _save,
    "sync": _sync,
    "sync at work": _sync_at_work,
    "two syncs at once": _two_syncs,
    "device dies": _device_dies,
    "device loses the end of its log": _torn_log,
    "device's disk is full": _disk_full,
    "device's clock is set": _clock_set,
    "device's store is damaged": _damaged,
    "device's store is copied": _copied,
    "device's store is put back": _put_back,
    "device's database alone is put back": _database_put_back,
    "device is cloned": _cloned,
    "device gets other grids": _regrid,
    "grids withheld for a while": _grids_withheld,
    "database put back in between": _put_back_in_between,
    "server dies over a push": _dies_over_a_push,
    "device is revoked": _revoke,
    "hand-over": _hand_over,
}
OF_TOWN: Final[dict[str, Callable[[World, Random], Awaitable[None]]]] = {
    "meeting": _meeting,
    "crossing": _crossing,
    "office": _office,
    "office decides": _office_decides,
    "server dies": _server_dies,
    "power cut": _power_cut,
    "power cut in a commit": _power_cut_in_commit,
    "server's disk is full": _server_full,
    "servers slow down": _slow,
    "backup": _backup,
    "restore": _restore,
    "database put back by hand": _by_hand,
    "server's clock is set": _server_clock,
    "servers change their release": _other_release,
    "kind gains a field": _kind_grows,
    erasures.WHAT: erasures.erase_one,
}
