"""What a matter gives to the placeholders of its slips. Reading stands apart from what is made of it."""

from typing import Any, Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.records.views import change_of
from server.saying import day_said, entry_said, state_said, value_said
from server.services import Services
from server.slips.templates import Sort, shown
from server.storage import assignments, casework, deadlines, directory, office_changes
from server.storage.assignments import UNITS
from server.storage.casework import CasePlan
from server.storage.changes import Stored
from server.storage.deadlines import Row
from sync_protocol.changes import Change
from sync_protocol.kinds import Kind
from sync_protocol.state import RecordState

_VILLAGE_DIGITS: Final = 12
_RUNNING: Final = "running"
_NOBODY: Final = "本中心"
_NOT_ACCEPTED: Final = "not_accept"
_LOOKED_AT: Final = 20
"""The last changes among which a refusal is looked for."""


class Known(msgspec.Struct, frozen=True):
    """What is known of a matter when a slip is made."""

    state: RecordState
    kind: Kind | None
    places: dict[str, str]
    """Names of its township and village by code."""
    township: str
    received_ms: int
    due_ms: int | None
    units: list[str]
    plan: CasePlan
    refusal: Change | None
    """The step that did not accept it, of whose words the slip is made."""
    now_ms: int

    @property
    def office(self) -> str:
        """The office that signs."""
        return f"{self.places.get(self.township, self.township)}综治中心"

    @property
    def lead(self) -> str:
        """The unit that leads; the only one where nobody said which."""
        return self.plan.lead or (self.units[0] if len(self.units) == 1 else "")


async def known(
    connection: AsyncConnection, services: Services, township: str, state: RecordState, now_ms: int
) -> Known:
    """Reads it, in seven statements."""
    village = state.place[:_VILLAGE_DIGITS]
    places = await directory.places(connection, [township, village])
    rows = await office_changes.history(connection, township, state.id, 0, 1)
    due = await deadlines.of_records(connection, township, [state.id])
    return Known(
        state,
        services.registry.latest(state.kind),
        {code: place.name for code, place in places.items()},
        township,
        rows[0].received_ms if rows else now_ms,
        _next_due(due),
        await assignments.given_to(connection, UNITS, township, state.id),
        await casework.plan_of(connection, township, state.id),
        _refusal(await office_changes.newest(connection, township, state.id, _LOOKED_AT)),
        now_ms,
    )


def of_matter(it: Known) -> dict[str, str]:
    """The values that every slip may say, but for whom it is addressed to."""
    state, kind = it.state, it.kind
    given = {
        "office": it.office,
        "number": state.number or "",
        "title": _said(kind, state, "title"),
        "category": next((_said(kind, state, name) for name in _CATEGORIES if state.values.get(name)), ""),
        "village": it.places.get(state.place[:_VILLAGE_DIGITS], ""),
        "state": state_said(kind, state.state, "zh"),
        "received_on": day_said(it.received_ms),
        "due_on": day_said(it.due_ms) if it.due_ms is not None else "规定期限",
        "lead": it.lead or _NOBODY,
        "claims": _claims(kind, state),
        "today": day_said(it.now_ms),
    }
    return {name: shown(value) for name, value in given.items()}


def proposed(it: Known, sort: Sort) -> dict[str, str]:
    """What the form of a sort begins with: what the matter says already."""
    answer, follow_up = _latest(it.state, "answers"), _latest(it.state, "follow_ups")
    refused = it.refusal
    said = {
        "reason": (refused.reason or "") if refused is not None else "",
        "where": (refused.act.note or "") if refused is not None and refused.act is not None else "",
        "to": it.lead,
        "with": "、".join(unit for unit in it.units if unit != it.lead),
        "by_date": day_said(it.due_ms) if it.due_ms is not None else "",
        "answer": str(answer.get("text", "")),
        "followed_on": str(follow_up.get("on", "")),
        "channel": _sub(it.kind, "follow_ups", "channel", follow_up),
        "satisfaction": _sub(it.kind, "follow_ups", "satisfaction", follow_up),
        "course": str(follow_up.get("text", "")),
    }
    return {name: shown(said.get(name, "")) for name in sort.asks}


_CATEGORIES: Final = ("category", "service_category", "nature")


def _said(kind: Kind | None, state: RecordState, name: str) -> str:
    return value_said(kind.field(name) if kind is not None else None, state.values.get(name), "zh")


def _sub(kind: Kind | None, name: str, sub: str, entry: dict[str, Any]) -> str:
    field = kind.field(name) if kind is not None else None
    return value_said(field.sub_field(sub) if field is not None else None, entry.get(sub), "zh")


def _latest(state: RecordState, name: str) -> dict[str, Any]:
    entries = state.values.get(name) or {}
    newest: dict[str, Any] = entries[max(entries)] if entries else {}
    return newest


def _claims(kind: Kind | None, state: RecordState) -> str:
    field = kind.field("claims") if kind is not None else None
    if field is None:
        return ""
    entries = state.values.get("claims") or {}
    return "\n".join(entry_said(field, entries[key], "zh") for key in sorted(entries))


def _refusal(newest: list[Stored]) -> Change | None:
    made = (change_of(row) for row in newest if not row.quarantined)
    return next((one for one in made if one and one.act and one.act.name == _NOT_ACCEPTED), None)


def _next_due(rows: list[Row]) -> int | None:
    return min((row.due_ms for row in rows if row.status == _RUNNING), default=None)
