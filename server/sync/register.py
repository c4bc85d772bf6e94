"""The register: who gets which registration number, in the order of arrival, in the push's own transaction."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta, timezone
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage import changes, erasing, stream
from server.storage import records as stored
from server.storage.townships import Township
from server.sync.draft import Draft, first_verdict
from sync_protocol.history import NUMBER, Effect
from sync_protocol.registration import Registered, read, written
from sync_protocol.state import RecordState

SHANGHAI: Final = timezone(timedelta(hours=8), "Asia/Shanghai")
"""The year of a registration number is the township's year; the zone has had no other offset since 1991."""
Claims = Mapping[str, Registered]
"""Record to the number that it proves to have had in a timeline which this server has lost."""


async def give_numbers(
    connection: AsyncConnection,
    township: Township,
    drafts: Sequence[Draft],
    records: dict[str, RecordState],
    now_ms: int,
    claims: Claims,
) -> None:
    """Gives each record that has earned it a number: the one that it proves to have had, else the next.

    Claims come first, so that no new number of this very push takes one of them. Where what would earn it waits in
    quarantine, the number waits in its verdict, and nobody else gets it. What was erased meanwhile has no more to
    say, but its number: that is what stands on the slip.
    """
    _tell_renumbered(township.id, drafts, records, claims)
    earning = _earning(drafts, records)
    if township.lost_spans and earning.keys() - claims.keys():
        waits = await _waits(connection, township.id, sorted(earning.keys() - claims.keys()))
        claims = {**claims, **waits}
    waiting = _waiting(drafts, records, claims.keys() - earning.keys())
    buried = _buried(records, claims.keys() - earning.keys())
    if not earning and not waiting and not buried:
        return
    named = {r: claims[r] for r in (*earning, *waiting, *buried) if r in claims}
    kept = await _kept(connection, township.id, named)
    year = datetime.fromtimestamp(now_ms / 1000, SHANGHAI).year
    years = {one.year for one in kept.values()} | ({year} if earning.keys() - kept.keys() else set())
    before = {one: await stream.registered(connection, township.id, one) for one in sorted(years)}
    last = dict(before)
    for one in kept.values():
        last[one.year] = max(last[one.year], one.serial)
    for record, draft in earning.items():
        number, former = kept.get(record), claims.get(record)
        if number is None:
            last[year] += 1
            number = Registered(year, last[year])
            draft.formerly = written(township.id, former) if former is not None else None
        records[record].number = draft.number = written(township.id, number)
        draft.merged.effects.append(Effect(NUMBER, None, draft.number))
    for draft in (one for record in waiting.keys() & kept.keys() for one in waiting[record]):
        draft.formerly = written(township.id, kept[draft.element.change.record])
    found = {record: written(township.id, kept[record]) for record in buried & kept.keys()}
    await erasing.number(connection, township.id, found)
    for moved in [one for one in last if last[one] != before[one]]:
        await stream.register(connection, township.id, moved, last[moved])


def _earning(drafts: Sequence[Draft], records: dict[str, RecordState]) -> dict[str, Draft]:
    """The records without a number that reach a numbered state, each with the change that brings them there."""
    earning: dict[str, Draft] = {}
    for draft in drafts:
        record = draft.element.change.record
        state = records.get(record)
        if not draft.refused and state is not None and state.number is None and _numbered(draft):
            earning.setdefault(record, draft)
    return earning


def _tell_renumbered(
    township: str, drafts: Sequence[Draft], records: dict[str, RecordState], claims: Claims
) -> None:
    """Where somebody else's change came first and brought the record another number, the verdict says both."""
    told = set[str]()
    for draft in drafts:
        record = draft.element.change.record
        state, claim = records.get(record), claims.get(record)
        if draft.erased or state is None or state.number is None or claim is None or record in told:
            continue
        if state.number != written(township, claim):
            draft.number, draft.formerly = state.number, written(township, claim)
            told.add(record)


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


def _buried(records: dict[str, RecordState], claimed: AbstractSet[str]) -> set[str]:
    """Of the records with a claim those that were erased before their number came back."""
    return {
        record for record in claimed & records.keys() if records[record].erased and not records[record].number
    }


def _numbered(draft: Draft) -> bool:
    workflow = draft.kind.workflow if draft.kind is not None else None
    entered = workflow.state(draft.entered or "") if workflow is not None else None
    return entered is not None and entered.numbered


async def _waits(connection: AsyncConnection, township: str, records: Sequence[str]) -> dict[str, Registered]:
    """The numbers of these records that wait in quarantine: whichever change earns one, the slip has that."""
    rows = await changes.of_records(connection, township, records)
    told = [(row.record_id or "", first_verdict(row).formerly) for row in rows if row.quarantined]
    return {record: read(number) for record, number in told if number is not None}


async def _kept(connection: AsyncConnection, township: str, claims: Claims) -> dict[str, Registered]:
    """The claims whose number no other record has got in the meantime."""
    if not claims:
        return {}
    wanted: dict[str, str] = {}
    for record, claim in claims.items():
        wanted.setdefault(written(township, claim), record)
    taken = await stored.numbers_taken(connection, township, sorted(wanted))
    return {record: claims[record] for number, record in wanted.items() if number not in taken}
