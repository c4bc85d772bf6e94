"""Edits of two fields, one in four of them conflicting, against the floor's insert of as many whole records.

A first device brings the records, a second downloads them. The first then edits one field in every fourth record; the
second, which has not seen that, edits two fields of every record, in every fourth the same one among them. Only the
second one's pushes are timed.
"""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

import msgspec

from benchmarks.device import Device, FloorClient
from benchmarks.figures import Seen
from benchmarks.ground import Ground
from benchmarks.screening import Shown, another, creates, edit, kind, shown, two_fields, workload
from benchmarks.turns import in_turn, parts
from benchmarks.works.upload import BATCH, GRIDS, bodies, devices

_CONFLICTS_EVERY: Final = 4


def measure(ground: Ground, records: int) -> list[Seen]:
    """So many edits, one for each record."""
    with ground.both() as both:
        first, second = devices(both, 2)
        made = creates(workload().records(records), GRIDS)
        for batch in parts(made, BATCH):
            first.push(batch)
        edits = _conflicting(first, second, records)
        results: Counter[str] = Counter()
        ours = [partial(_push, second, results, batch) for batch in parts(edits, BATCH)]
        ours_s, floor_s = in_turn([ours], [bodies(FloorClient(both.floor), workload().records(records))])
    strange = set(results) - {"applied", "merged", "conflict"}
    if strange:
        message = f"edits were {sorted(strange)}"
        raise SystemExit(message)
    return [
        Seen("two_fields", records / ours_s, records / floor_s),
        Seen("conflicting", 100 * results["conflict"] / results.total()),
    ]


def _conflicting(first: Device, second: Device, records: int) -> list[msgspec.Raw]:
    """The second device's edits, after the first one's edits of every fourth record are on the server."""
    held = list(shown(second.pull()).values())
    rng = random.Random(11)
    values = [two_fields(rng, seen.fields) for seen in held]
    before = [
        edit(seen, _against(rng, seen, mine), n)
        for n, (seen, mine) in enumerate(
            zip(held[::_CONFLICTS_EVERY], values[::_CONFLICTS_EVERY], strict=True), records + 1
        )
    ]
    for batch in parts(before, BATCH):
        first.push(batch)
    second.pull()
    return [edit(seen, value, n) for n, (seen, value) in enumerate(zip(held, values, strict=True), 1)]


def _against(rng: random.Random, seen: Shown, mine: Mapping[str, Any]) -> dict[str, Any]:
    """Another value for a field of `mine`: for one that is no text, if there is one, because texts may well merge."""
    field = min(mine, key=lambda name: (kind().fields[name].merge == "text", name))
    return {field: another(rng, field, seen.fields, mine)}


def _push(device: Device, results: Counter[str], batch: Sequence[msgspec.Raw]) -> None:
    results.update(verdict.result for verdict in device.sync(batch).verdicts)
