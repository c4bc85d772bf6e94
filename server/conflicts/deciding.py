"""The change that a decision is: an ordinary one that brings the record to what the office chose. Pure.

Which sort of change that is follows from the path on which people differed:

    title                        the field is set
    measures/<entry id>/text     the sub-field is set; an entry removed meanwhile comes back with it
    state                        a step from the state that stands to the one chosen
    place                        the record is moved
    "" (the record itself)       it is deleted, or brought back

Deciding for what stands is a decision too: where nothing has to be written, the change says only what it
decides. It always has the record as it stands for its base, so nothing in it can be concurrent.
"""

from dataclasses import dataclass
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from server.declined import Declined, invalid
from sync_protocol.case import equal
from sync_protocol.changes import Act, Change, Put
from sync_protocol.history import DELETED, EXISTENCE, KEPT, PLACE, STATE
from sync_protocol.kinds import Shape, Transition
from sync_protocol.kinds.declaration import OFFICE_ROLES
from sync_protocol.outcome import Sides
from sync_protocol.standing import value_at
from sync_protocol.state import RecordState

_encode: Final = msgspec.json.Encoder(order="deterministic").encode


class Choice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a reviewer chooses: a value of their own, or one of those that differ, by its change."""

    value: Any = UNSET
    pick: str | UnsetType = UNSET
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What the office chose for one path of a record, and why."""

    conflict: str
    path: str
    value: Any
    reason: str | None


def decision_change(decision: Decision, state: RecordState, shape: Shape, now_ms: int) -> Change:
    """The change; its id is the caller's to set. Declines what the kind or its workflow does not allow."""
    empty = Change(
        id="",
        record=state.id,
        kind=state.kind,
        version=shape.kind.version,
        n=1,
        at=now_ms,
        mark=now_ms,
        base=state.version,
        decides=decision.conflict,
        reason=decision.reason,
    )
    if decision.path == EXISTENCE:
        return _existence(decision, state, empty)
    if decision.path == STATE:
        return _state(decision, state, shape, empty)
    if decision.path == PLACE:
        return msgspec.structs.replace(empty, place=_text(decision))
    name, _, below = decision.path.partition("/")
    if not below:
        return msgspec.structs.replace(empty, fields=msgspec.Raw(_encode({name: decision.value})))
    entry, _, sub = below.partition("/")
    put = Put(name, entry, msgspec.Raw(_encode({sub: decision.value})))
    return msgspec.structs.replace(empty, ops=(put,))


def _existence(decision: Decision, state: RecordState, empty: Change) -> Change:
    if decision.value not in {KEPT, DELETED}:
        raise invalid("value", f"the record is {KEPT} or {DELETED}")
    if decision.value == DELETED:
        return msgspec.structs.replace(empty, do="delete")
    # An edit brings a deleted record back; to say something, it says where the record lies already.
    return msgspec.structs.replace(empty, place=state.place) if state.deleted else empty


def _state(decision: Decision, state: RecordState, shape: Shape, empty: Change) -> Change:
    chosen, standing = _text(decision), value_at(state, STATE)
    if equal(chosen, standing):
        return empty
    steps = _steps(shape, standing)
    step = next((one for one in steps if one.to == chosen), None)
    if step is None:
        possible = sorted({one.to for one in steps})
        raise invalid(
            "value", f"no step leads from {standing} to that state", "not_permitted", possible=possible
        )
    act = Act(step.name, standing, chosen, decision.reason)
    return msgspec.structs.replace(empty, act=act)


def _steps(shape: Shape, standing: str | None) -> list[Transition]:
    """What any role of the office may do with a record in this state."""
    workflow = shape.kind.workflow
    every = workflow.transitions if workflow is not None else ()
    return [one for one in every if standing in one.from_ and not OFFICE_ROLES.isdisjoint(one.roles)]


def _text(decision: Decision) -> str:
    if not isinstance(decision.value, str):
        raise invalid("value", "a text is expected here")
    return decision.value


def chosen_value(choice: Choice, sides: Sides) -> Any:
    """The one value that a choice names, by the change that wrote it or by itself."""
    if (choice.pick is UNSET) == (choice.value is UNSET):
        raise Declined("malformed", "a decision names either a value or the change to pick")
    if choice.pick is UNSET:
        return choice.value
    picked = [side.value for side in sides.values if side.writer.change == choice.pick]
    if not picked:
        raise invalid("pick", "that change is none of those whose values differ")
    return picked[0]
