"""The guarantees, looked for in what is stored: in the server's database and in the devices' stores.

It reads both with statements of its own, so that a mistake of the server's or the client's reading does not hide
itself. What it looks at may be simulated or real (tests/chaos).
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, Final

from sync_protocol.changes import decode
from sync_protocol.history import Effect
from tests.protocol.desk import rebuilt
from tests.simulation.erasures import remains, without
from tests.simulation.fields import no_silent_winner
from tests.simulation.ledger import Ledger, Stored, read, taken_in
from tests.simulation.town import Town, store
from tests.simulation.world import World

LINK_MS: Final = 8_000
"""What a way over the link may take, beside what the server allows for."""


def objections(world: World) -> Iterator[str]:
    """Everything that is wrong once all is quiet; what was found on the way comes first."""
    yield from world.wrong
    yield from world.servers.wrong
    ledger = read(world.servers.path)
    world.witness.erased |= world.servers.told.erased | world.servers.told.let_go
    if world.by_hand:  # what was promised for it: nothing is lost, everybody holds the same, nobody is stuck
        yield from _accounted(world, ledger)
        yield from _converged(world, ledger)
        yield from _rebuilt(without(ledger))
        yield from remains(world, ledger)
    else:
        yield from broken(world, ledger)
        yield from _on_slips(world, ledger)
        yield from world.servers.told.given_twice(ledger)


def broken(town: Town, ledger: Ledger) -> Iterator[str]:
    """The promises that do not hold between what a server holds and what its devices do."""
    yield from _accounted(town, ledger)
    yield from _in_order(town, ledger)
    yield from _converged(town, ledger)
    yield from no_silent_winner(town, without(ledger))
    yield from _honest(town, ledger)
    yield from _numbered(town, ledger)
    yield from _rebuilt(without(ledger))
    yield from remains(town, ledger)


def _accounted(town: Town, ledger: Ledger) -> Iterator[str]:
    """G1, G2, G3, G6: every change whose saving came back is on the server, once, and no queue is left."""
    there = {change.id: change for change in ledger.changes}
    for device in town.devices:
        for saved in device.saved:
            found = there.get(saved)
            let_go = device.uncertain | town.witness.erased
            if found is None and saved not in let_go and not (device.revoked and town.restored):
                yield f"G1: {device.name} saved {saved}, and the server does not have it"
            elif found is not None and found.author != device.enrolled.id:
                yield f"G3: {saved} of {device.name} is stored as of {found.author}"
        left = store(device, "SELECT id, status FROM changes WHERE status = 'queued'")
        if left and not device.revoked:
            yield f"G6: {device.name} still has to send {left}"
        answered = "SELECT id, status, result FROM changes WHERE status NOT IN ('queued', 'draft')"
        for change, status, result in store(device, answered):
            first = there.get(change)
            if first is None and not (device.revoked and town.restored):
                yield f"G2: {device.name} holds {change} as {status}, and the server does not know it"
            elif (
                first is not None
                and first.raw
                and first.result not in {result, "quarantined"}
                and not town.restored
            ):
                yield f"G3: {device.name} was told {result} of {change}, which was {first.result}"
    reused = [change.id for change in ledger.changes if change.code == "change_id_reused"]
    if reused:
        yield f"G3: taken for other content under the same id: {reused}"


def _in_order(town: Town, ledger: Ledger) -> Iterator[str]:
    """G3: nothing reaches a record before its author's create of it, and a device's changes come as they were saved."""
    for record, changes in _by_record(ledger).items():
        sent = [change for change in changes if change.origin is None]
        creates = {change.author: change.n for change in sent if change.says.get("do") == "create"}
        for edit in sent:
            if edit.n < creates.get(edit.author, 0):
                yield f"G3: {edit.id} reached {record} before its author's create of it"
    numbers = {change.id: change.n for change in ledger.changes}
    for device in town.devices:
        # What a store that was put back has lost, a clone may bring at any time.
        there = [saved for saved in device.saved if saved in numbers and saved not in device.uncertain]
        for earlier, later in pairwise(there):
            if numbers[earlier] > numbers[later] and not town.restored:
                yield f"G3: {device.name} saved {earlier} before {later}, and it was taken in after it"


def _by_record(ledger: Ledger) -> dict[str, list[Stored]]:
    found = defaultdict[str, list[Stored]](list)
    for change in ledger.changes:
        found[change.record].append(change)
    return found


def _converged(town: Town, ledger: Ledger) -> Iterator[str]:
    """G4, G5: each device holds exactly the server's records of its grids."""
    for device in town.devices:
        if device.revoked or device.client is None:
            continue
        grids = {grid.code for grid in device.client.blocking.grids()}
        ours = {
            record: _content(
                row["kind"], row["place"], row["version"], row["state"], row["number"], row["body"]
            )
            for record, row in ledger.records.items()
            if row["place"] in grids and not row["deleted"] and not row["closed"]
        }
        held = {
            record: _content(*rest)
            for record, *rest in store(
                device, "SELECT id, kind, place, version, state, number, body FROM records"
            )
        }
        for record in sorted(ours.keys() | held.keys()):
            if ours.get(record) != held.get(record):
                yield f"G4: {device.name} {record}: holds {held.get(record)}, the server has {ours.get(record)}"


def _content(kind: str, place: str, version: int, state: str | None, number: str | None, body: bytes) -> Any:
    values = {name: value for name, value in json.loads(body).items() if value not in (None, [], {})}
    return (
        kind,
        place,
        version,
        state,
        number,
        {k: sorted(v) if isinstance(v, list) else v for k, v in values.items()},
    )


def _honest(town: Town, ledger: Ledger) -> Iterator[str]:
    """G8: no stamp lies after receipt, but for the steps of one chain, and none is further off than it says.

    When the servers' own clock was set back between two of them, the later step of a chain keeps above the earlier.
    """
    for change in ledger.changes:
        late_ms = change.stamp_ms - change.received_ms
        if late_ms > len(ledger.changes) and not town.witness.clock_was_set:
            yield f"G8: {change.id} is stamped {late_ms} ms after it was received"
        truth = town.witness.saved_ms.get(change.id, change.stamp_ms)
        off = abs(change.stamp_ms - truth)
        if off > change.uncertainty_ms + LINK_MS:
            yield f"G8: {change.id} is stamped {off} ms off, and says {change.uncertainty_ms}"


def _numbered(town: Town, ledger: Ledger) -> Iterator[str]:
    """Registration numbers are given once; without gaps where no restore took some back."""
    numbers = [row["number"] for row in ledger.records.values() if row["number"]]
    double = [number for number, count in Counter(numbers).items() if count > 1]
    if double:
        yield f"numbers given twice: {double}"
    if not town.restored and ledger.register != len(numbers):
        yield f"the register stands at {ledger.register}, and {len(numbers)} records are numbered"


def _on_slips(world: World, ledger: Ledger) -> Iterator[str]:
    """A number that a worker was told, and handed on, is the matter's number after a restore too.

    It has none as long as what brings it waits in quarantine, and the number waits there with it. Where somebody else's
    report came to the restored server first, it has the number that this one brought, and the worker was told both.
    """
    waiting = {
        (change.record, change.verdict.get("formerly"))
        for change in ledger.changes
        if change.result == "quarantined"
    }
    brought = {
        (change.record, change.verdict["number"]): change.author
        for change in ledger.changes
        if change.verdict.get("number") and not change.verdict.get("formerly")
    }
    told = {
        (change.record, change.author, change.verdict["formerly"], change.verdict["number"])
        for change in ledger.changes
        if change.verdict.get("formerly") and change.verdict.get("number")
    }
    for record, slip in world.slips.items():
        row, device = ledger.records.get(record), slip.device
        if row is None or row["number"] == slip.number or device.revoked or device.replaced:
            continue
        author, number = device.enrolled.id, row["number"]
        waits = number is None and (record, slip.number) in waiting
        was_first = brought.get((record, number), author) == author
        if not waits and (was_first or (record, author, slip.number, number) not in told):
            yield f"G9: {record} had the number {slip.number}, and has {number}"


def _rebuilt(ledger: Ledger) -> Iterator[str]:
    """The table of changes says what every record says."""
    for record, changes in taken_in(ledger).items():
        row = ledger.records.get(record)
        if row is None:
            continue
        again = rebuilt([(decode(c.raw), [Effect(*effect) for effect in c.effects]) for c in changes])
        said = {name: value for name, value in json.loads(row["body"]).items() if value is not None}
        if _plain(again.values) != _plain(said) or again.place != row["place"] or again.state != row["state"]:
            yield f"history: {record} is rebuilt as {again}, and says {said} in {row['place']}, {row['state']}"


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    there = {name: value for name, value in values.items() if value not in (None, [], {})}
    return {name: sorted(value) if isinstance(value, list) else value for name, value in there.items()}
