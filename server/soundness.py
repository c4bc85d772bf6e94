"""Whether what a township's database says hangs together. One finding for each sort of damage, with its cure.

None of these states can come from Roundbook's own work: each means a damaged disk, a row changed by hand, or a
fault of this program. So the cure is nearly always the newest backup that is sound; devices then send again
what it lacks.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage import changes, kinds, soundness, townships
from server.storage.changes import Stored
from server.sync.pasts import past_of
from sync_protocol.kinds import Kind, from_json
from sync_protocol.rebuilding import Rebuilt, rebuild
from sync_protocol.state import RecordState

_BACKUP: Final = (
    "keep this database as it is, and `roundbook restore` the newest backup in which doctor finds nothing"
)
_OPENED: Final = text("SELECT township_id FROM townships ORDER BY township_id")


class Finding(msgspec.Struct, frozen=True):
    """Something that must never be. `what` names the sort of damage, for programs."""

    what: str
    township: str
    says: str
    do: str = _BACKUP


async def findings(connection: AsyncConnection) -> list[Finding]:
    """What is wrong in any township; empty when all is well."""
    installed = await kinds.read(connection, await kinds.keys(connection))
    known = {kind.name: kind for kind in (from_json(one.declaration) for one in installed)}
    found: list[Finding] = []
    for row in (await connection.execute(_OPENED)).all():
        for look in (_numbers, _register, _orphans):
            found += await look(connection, row.township_id)
        found += await _records(connection, row.township_id, known)
    return found


async def _numbers(connection: AsyncConnection, code: str) -> list[Finding]:
    """The counter and the tip: by them readers know what is new, and which timeline this is."""
    township = await townships.read(connection, code)
    highest, newest = await soundness.highest(connection, code)
    found = []
    if township is not None and township.counter < highest:
        says = f"the counter stands at {township.counter}, below the number {highest} of a row: it would be given twice"
        found.append(Finding("counter", code, says))
    if township is not None and (township.tip or newest):
        tip = (
            await changes.by_ids(connection, code, [township.tip_change] if township.tip_change else [])
        ).values()
        if township.tip != newest or [row.n for row in tip] != [township.tip]:
            says = f"the newest change named is {township.tip}, and the newest there is {newest}: devices would take "
            found.append(Finding("tip", code, says + "this for a server that was restored"))
    return found


async def _register(connection: AsyncConnection, code: str) -> list[Finding]:
    """The register of each year is not below a number that was given."""
    given, last = await soundness.numbers(connection, code)
    highest: dict[int, int] = {}
    for number in given:
        _, year, serial = number.split("-")
        highest[int(year)] = max(highest.get(int(year), 0), int(serial))
    return [
        Finding(
            "register",
            code,
            f"the register of {year} stands at {last.get(year, 0)}, below the number {most} given",
        )
        for year, most in sorted(highest.items())
        if last.get(year, 0) < most
    ]


_ORPHANS: Final = {
    "record": "conflicts are of records that are not there",
    "decision": "conflicts were decided by changes that are not there",
    "exit": "exits are of records that are not there",
    "receipt": "receipts are for devices or changes that are not there",
}


async def _orphans(connection: AsyncConnection, code: str) -> list[Finding]:
    found = await soundness.orphans(connection, code)
    return [Finding(f"orphan_{name}", code, f"{n:,} {_ORPHANS[name]}") for name, n in found.items() if n]


async def _records(connection: AsyncConnection, code: str, known: Mapping[str, Kind]) -> list[Finding]:
    """Kinds, digests, holdings, and whether the history of each record leads to what it says."""
    missing = sorted(await soundness.kinds_used(connection, code) - known.keys())
    found = [
        Finding(
            "kind",
            code,
            f"records are of the kind {name}, which is not installed",
            "roundbook kinds install FILE",
        )
        for name in missing
    ]
    rows = await soundness.records_with_history(connection, code)
    lookers: tuple[tuple[str, str, Callable[[RecordState, Sequence[Stored]], bool]], ...] = (
        ("digest", "say something else than when they were written", lambda state, _: _altered(state)),
        ("history", "have no history", lambda _, history: not history),
        (
            "rebuild",
            "are not what their history makes",
            lambda s, h: bool(h) and s.kind in known and _differs(s, h, known),
        ),
    )
    for what, says, wrong in lookers:
        bad = [state.id for state, history in rows if wrong(state, history)]
        if bad:
            found.append(Finding(what, code, f"{len(bad):,} records {says}, such as {bad[0]}"))
    if await soundness.holdings(connection, code) != _held([state for state, _ in rows]):
        says = "what is kept of the grids does not add up to their records: devices would read them again for ever"
        found.append(Finding("holdings", code, says))
    return found


def _altered(state: RecordState) -> bool:
    return state.counted is not None and state.counted[1:] != soundness.weighed(state)


def _held(states: Sequence[RecordState]) -> dict[str, tuple[int, int, int]]:
    sums: dict[str, tuple[int, int, int]] = {}
    for state in states:
        if state.counted is not None:
            grid, high, low = state.counted
            held, highs, lows = sums.get(grid, (0, 0, 0))
            sums[grid] = held + 1, (highs + high) % 2**32, (lows + low) % 2**32
    return sums


def _differs(state: RecordState, history: Sequence[Stored], known: Mapping[str, Kind]) -> bool:
    """Whether the history leads to something else."""
    if state.erased:
        return bool(state.values) or not all(row.erased for row in history)
    pasts = [past_of(row) for row in history]
    if pasts[0] is None or pasts[0].change.do != "create":
        return True
    try:
        effects = [effect for past in pasts if past is not None for effect in past.effects]
        made = rebuild(pasts[0].change, effects, known[state.kind])
    except (LookupError, TypeError):
        return True
    values = {name: value for name, value in state.values.items() if value not in (None, [], {})}
    return made != Rebuilt(values, state.place, state.state, state.number, state.joined_into, state.deleted)
