"""The register: who gets which registration number, in the order of arrival, in the push's own transaction."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta, timezone
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage import records as stored
from server.storage import stream
from server.sync.draft import Draft
from sync_protocol.history import NUMBER, Effect
from sync_protocol.registration import Registered, written
from sync_protocol.state import RecordState

SHANGHAI: Final = timezone(timedelta(hours=8), "Asia/Shanghai")
"""The year of a registration number is the township's year; the zone has had no other offset since 1991."""
Claims = Mapping[str, Registered]
"""Record to the number that it proves to have had in a timeline which this server has lost."""


async def give_numbers(
    connection: AsyncConnection,
    township: str,
    drafts: Sequence[Draft],
    records: dict[str, RecordState],
    now_ms: int,
    claims: Claims,
) -> None:
    """Gives each record that has earned it a number: the one that it proves to have had, else the next.

    Claims come first, so that no new number of this very push takes one of them. Where what would earn it waits in
    quarantine, the number waits in its verdict, and nobody else gets it.
    """
    earning = _earning(drafts, records)
    waiting = _waiting(drafts, records, claims.keys() - earning.keys())
    if not earning and not waiting:
        return
    kept = await _kept(connection, township, {r: claims[r] for r in (*earning, *waiting) if r in claims})
    year = datetime.fromtimestamp(now_ms / 1000, SHANGHAI).year
    years = {one.year for one in kept.values()} | ({year} if earning.keys() - kept.keys() else set())
    before = {one: await stream.registered(connection, township, one) for one in sorted(years)}
    last = dict(before)
    for one in kept.values():
        last[one.year] = max(last[one.year], one.serial)
    for record, draft in earning.items():
        number, former = kept.get(record), claims.get(record)
        if number is None:
            last[year] += 1
            number = Registered(year, last[year])
            draft.formerly = written(township, former) if former is not None else None
        records[record].number = draft.number = written(township, number)
        draft.merged.effects.append(Effect(NUMBER, None, draft.number))
    for draft in (one for record in waiting.keys() & kept.keys() for one in waiting[record]):
        draft.formerly = written(township, kept[draft.element.change.record])
    for moved in [one for one in last if last[one] != before[one]]:
        await stream.register(connection, township, moved, last[moved])


def _earning(drafts: Sequence[Draft], records: dict[str, RecordState]) -> dict[str, Draft]:
    """The records without a number that reach a numbered state, each with the change that brings them there."""
    earning: dict[str, Draft] = {}
    for draft in drafts:
        record = draft.element.change.record
        state = records.get(record)
        if not draft.refused and state is not None and state.number is None and _numbered(draft):
            earning.setdefault(record, draft)
    return earning


def _waiting(
    drafts: Sequence[Draft], records: dict[str, RecordState], claimed: AbstractSet[str]
) -> dict[str, list[Draft]]:
    """Of the records with a claim those without a number, with what was refused of them."""
    waiting: dict[str, list[Draft]] = {}
    for draft in drafts:
        record = draft.element.change.record
        state = records.get(record)
        if (
            record in claimed
            and draft.refused
            and not draft.erased
            and (state is None or state.number is None)
        ):
            waiting.setdefault(record, []).append(draft)
    return waiting


def _numbered(draft: Draft) -> bool:
    workflow = draft.kind.workflow if draft.kind is not None else None
    entered = workflow.state(draft.entered or "") if workflow is not None else None
    return entered is not None and entered.numbered


async def _kept(connection: AsyncConnection, township: str, claims: Claims) -> dict[str, Registered]:
    """The claims whose number no other record has got in the meantime."""
    if not claims:
        return {}
    wanted: dict[str, str] = {}
    for record, claim in claims.items():
        wanted.setdefault(written(township, claim), record)
    taken = await stored.numbers_taken(connection, township, sorted(wanted))
    return {record: claims[record] for number, record in wanted.items() if number not in taken}
