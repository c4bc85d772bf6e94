"""Everything that is held about a matter, for whoever it is about: a report, contact masked, written down.

It is made for the citizen's question "what do you have about my matter", asked with the registration number. It
names no other matter, and of the people who worked on it only what the history says of them.
"""

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.audit.acts import Act, Actor
from server.audit.log import append
from server.privacy.matters import checked_reason, named
from server.quarantine.views import Wanted, quarantined_view
from server.reach import Caller
from server.records.reading import veil_for
from server.records.veil import Veil
from server.records.views import HistoryItem, RecordView, history_item, record_view
from server.records.writing import actor_of, record_of
from server.services import Services
from server.slips.service import numbered
from server.storage import (
    assignments,
    casework,
    changes,
    conflicts,
    erasures,
    holds,
    office_authors,
    showing,
    slips,
)
from server.storage.assignments import LEADERS, UNITS
from server.storage.casework import CasePlan
from server.storage.changes import Stored
from server.storage.conflicts import Conflict
from server.storage.engine import snapshot
from server.storage.erasures import Erasure
from server.storage.holds import Hold
from server.storage.showing import AuditNote, Holder
from sync_protocol.state import RecordState


class Differing(msgspec.Struct, frozen=True):
    """Values that several people wrote on one path."""

    path: str
    status: str
    base: object
    values: list[object]


class Waiting(msgspec.Struct, frozen=True):
    """A change that was not taken in as it came: in quarantine, or put there once."""

    change: str
    code: str
    received_ms: int
    wanted: Wanted | None
    """None for what cannot be decoded, and for what was erased."""


class Held(msgspec.Struct, frozen=True):
    """Everything that is held about one record. Times in milliseconds since 1970 UTC."""

    record: RecordView
    history: list[HistoryItem]
    differing: list[Differing]
    quarantine: list[Waiting]
    units: list[str]
    leaders: list[str]
    """Who took it on, by id."""
    """To which it was assigned."""
    devices: list[Holder]
    """Those of its grid, and those that wrote it: what they sent they keep for up to 30 days more."""
    exits: int
    """Notices that it left a grid; they name its id, state and number."""
    receipts: int
    """Answers to devices about it."""
    audit: list[AuditNote]
    """Entries that name it by its id."""
    holds: list[Hold]
    slips: list[str]
    """Papers that were made of it, by number."""
    plan: CasePlan
    """Which unit leads, the team, the plan."""
    urgings: list[str]
    """What was said when somebody was urged or supervised."""
    erasure: Erasure | None
    elsewhere: str = (
        "备份中可能有此前的副本，恢复备份时会再次抹去；已导出、打印或由接口取走的副本不在本系统内。 "
        "Backups may hold earlier copies, in which what was erased is erased again when they are restored; what "
        "was exported, printed or read by another program is not held here."
    )


async def show(
    services: Services, caller: Caller, name: str, reason: str, *, by: Actor | None = None
) -> Held:
    """The report of a number, or of a record's id. That it was made, and why, is written down first."""
    words, actor = checked_reason(reason), by or actor_of(caller)
    township, record = await named(services, caller, name)
    await services.registry.ensure()
    told = {"record": record, "reason": words}

    async def note(connection: AsyncConnection) -> None:
        await append(connection, Act(township, "matter_shown", actor, services.clock(), told))

    async def read(connection: AsyncConnection) -> Held:
        state = await record_of(connection, township, record, caller.reach)
        return await _held(connection, township, state, masked(services, caller, state))

    await services.write(township, note)
    return await snapshot(services.engine, read)


def masked(services: Services, caller: Caller, state: RecordState) -> Veil:
    """Contact stays masked in the report, whatever else the caller may read."""
    return msgspec.structs.replace(veil_for(services, caller, state.kind), full=False)


async def _held(connection: AsyncConnection, township: str, state: RecordState, veil: Veil) -> Held:
    rows = await changes.of_records(connection, township, [state.id])
    names = await office_authors.names(connection, township, sorted({row.author for row in rows}))
    found = await conflicts.all_of(connection, township, state.id)
    own = {row.change_id for row in rows} | {one.conflict_id for one in found} | {state.id}
    done = await erasures.of_records(connection, township, [state.id])
    exits, receipts = await showing.told(connection, township, state.id, rows)
    return Held(
        record=record_view(township, state, veil),
        history=[history_item(row, names, veil) for row in rows],
        differing=[_differing(one, veil) for one in found],
        quarantine=[_waiting(township, row, names, veil) for row in rows if row.quarantined],
        units=await assignments.given_to(connection, UNITS, township, state.id),
        leaders=await assignments.given_to(connection, LEADERS, township, state.id),
        devices=await showing.holders(connection, township, state, rows),
        exits=exits,
        receipts=receipts,
        audit=await showing.audit_of(connection, township, own),
        holds=await holds.of_record(connection, township, state.id),
        plan=await casework.plan_of(connection, township, state.id),
        urgings=[one.words for one in await casework.urgings_of(connection, township, state.id)],
        slips=[numbered(one) for one in await slips.of_record(connection, township, state.id)],
        erasure=done.get(state.id),
    )


def _differing(one: Conflict, veil: Veil) -> Differing:
    values = [veil.at(one.path, side.value) for side in one.sides.values]
    return Differing(one.path, one.status, veil.at(one.path, one.sides.base), values)


def _waiting(township: str, row: Stored, names: dict[str, str], veil: Veil) -> Waiting:
    view = quarantined_view(township, row, names, veil, record_exists=True)
    return Waiting(row.change_id, view.code, row.received_ms, view.wanted)
